import { expect, test } from "vitest";
import { type FileChange, FollowedFile, hashOfFile, readFirst } from "../../src/app/followed-file.ts";
import { createLogger } from "../../src/base/index.ts";
import { SwarmError } from "../../src/protocol/index.ts";

/** A file of names, in memory; `x` cannot stand in it, and it never shrinks to nothing. */
async function setup(first: string) {
  let text: string | null = first;
  const refuse = (message: string): never => {
    throw new SwarmError("invalid_input", message);
  };
  const kind = {
    name: "list",
    gives: "names",
    read: async () => text ?? refuse("it cannot be read"),
    parse: (found: string) => (found.includes("x") ? refuse("x is no name") : found.split("")),
    members: (names: readonly string[]) => names,
    requireSuccessor: (_: readonly string[], next: readonly string[]) =>
      next.length === 0 ? refuse("it is empty") : undefined,
    weakness: (names: readonly string[]) => (names.includes("w") ? "w is weak" : null),
  };
  const lines: string[] = [];
  const log = createLogger({
    name: "test",
    stream: { write: (line) => void lines.push(JSON.parse(line).msg) },
  });
  const followed = new FollowedFile(await readFirst(kind, "list"), { log });
  const changes: FileChange[] = [];
  const look = async (next: string | null) => {
    text = next;
    await followed.look((change) => changes.push(change));
  };
  return { followed, look, changes, lines };
}

test("a change counts its members, and a refused state is told once: unreadable, wrong, or no successor", async () => {
  const { followed, look, changes, lines } = await setup("ab");
  await look("bcd");
  await look("bcd");
  for (const state of ["x", "", null]) {
    await look(state);
    await look(state);
    expect(followed.problem).toMatch(/; the earlier names count until the file is mended$/);
  }
  expect(followed.contents).toEqual(["b", "c", "d"]);
  await look("bcd");
  expect(followed.problem).toBeNull();
  const [from, to] = [hashOfFile("ab"), hashOfFile("bcd")];
  const refused = { outcome: "invalid_input", from: to };
  expect(changes).toEqual([
    { outcome: "done", from, to, added: 2, removed: 1 },
    { ...refused, to: hashOfFile("x") },
    { ...refused, to: hashOfFile("") },
    { ...refused, to: null },
  ]);
  expect(lines).toEqual([
    "list changed; its names count from now on",
    ...Array.from({ length: 3 }, () => "list changed and cannot be used; the earlier names count"),
    "list is as before",
  ]);
});

test("a weakness of contents that count is a problem, told once for each change of the file", async () => {
  const { followed, look, lines } = await setup("w");
  expect(followed.problem).toBe("w is weak");
  await look("wa");
  await look("wa");
  await look("a");
  expect(followed.problem).toBeNull();
  expect(lines.filter((line) => line === "list has a weakness; it counts all the same")).toHaveLength(2);
});
