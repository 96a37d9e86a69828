import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listRoles, loadRoles } from "../../../src/agent/index.ts";

const DEFINE = JSON.stringify(join(import.meta.dirname, "../../../src/agent/index.ts"));

/** A directory of role folders, each with this text as its agent file. */
async function setup(roles: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "murmur-roles-"));
  for (const [path, text] of Object.entries(roles)) {
    await mkdir(join(directory, path, ".."), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}

const agentFile = (name: string, capability = name) =>
  `import { defineAgent } from ${DEFINE};
   export default defineAgent({ name: "${name}", capabilities: ["${capability}"], run: () => null });`;

test("roles are loaded by their folders' names, in the order asked for", async () => {
  const directory = await setup({ "b/agent.ts": agentFile("b"), "a/agent.js": agentFile("a") });
  expect((await loadRoles([directory], ["b", "a"])).map(({ name }) => name)).toEqual(["b", "a"]);
});

test("an unknown role is refused, and the known ones are listed", async () => {
  const directory = await setup({
    "b/agent.ts": agentFile("b"),
    "a/agent.ts": agentFile("a"),
    "c/x.txt": "",
  });
  await expect(loadRoles([directory], ["nope"])).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("known: a, b"),
  });
});

test("of two roles with one name the one in the earlier directory counts", async () => {
  const own = await setup({ "a/agent.ts": agentFile("a", "mine") });
  const shipped = await setup({ "a/agent.ts": agentFile("a"), "b/agent.ts": agentFile("b") });
  const [loaded] = await loadRoles([own, shipped, join(own, "missing")], ["a"]);
  expect(loaded?.capabilities).toEqual(["mine"]);
  expect((await listRoles([own, shipped])).map(({ role }) => role)).toEqual(["a", "b"]);
});

test.each([
  ["cannot be loaded", "export default syntax error"],
  ["cannot be loaded", 'import "./missing.ts";'],
  ["must be made by defineAgent", "export default { name: 'a' };"],
  ["must be made by defineAgent", "export const agent = 1;"],
  ["must be the name of its folder", agentFile("other")],
])("a bad role file says that it %s, and where it is", async (message, text) => {
  const directory = await setup({ "a/agent.ts": text });
  await expect(loadRoles([directory], ["a"])).rejects.toMatchObject({
    code: "invalid_input",
    message: expect.stringMatching(new RegExp(`a/agent\\.ts.*${message}`, "s")),
  });
});
