import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { EntryStore } from "../../../../workflows/review/index.ts";

const keyOf = (name: string) => createHash("sha256").update(name).digest("hex");

function setup(maxBytes?: number) {
  const folder = mkdtempSync(join(tmpdir(), "review-cache-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const told: string[] = [];
  const store = new EntryStore({
    folder: join(folder, "new"),
    debug: (message) => told.push(message),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  const files = () =>
    readdirSync(join(folder, "new"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  return { store, told, files };
}

test("a stored value is read again, and an unknown key has none", async () => {
  const { store, told, files } = setup();
  await store.put(keyOf("a"), { findings: [1] });
  expect(await store.get(keyOf("a"))).toEqual({ findings: [1] });
  expect(await store.get(keyOf("b"))).toBeUndefined();
  expect(told).toEqual([]);
  // For the user alone.
  expect(statSync(files()[0] as string).mode & 0o077).toBe(0);
});

test("a damaged entry is a miss, and is told", async () => {
  const { store, told, files } = setup();
  await store.put(keyOf("a"), { findings: ["one"] });
  const [file] = files() as [string];
  writeFileSync(file, readFileSync(file, "utf8").replace("one", "two"));
  expect(await store.get(keyOf("a"))).toBeUndefined();
  expect(told[0]).toContain("is damaged; its task runs again");
  writeFileSync(file, "");
  expect(await store.get(keyOf("a"))).toBeUndefined();
});

test("writers of the same key at the same time leave one whole entry and no other file", async () => {
  const { store, files } = setup();
  await Promise.all(Array.from({ length: 20 }, () => store.put(keyOf("a"), { text: "x".repeat(50_000) })));
  expect(files()).toHaveLength(1);
  expect(await store.get(keyOf("a"))).toEqual({ text: "x".repeat(50_000) });
});

test("the entries that were not used for the longest time are removed first", async () => {
  const { store, files } = setup(2_500);
  for (const [at, name] of ["old", "used", "new"].entries()) {
    await store.put(keyOf(name), "x".repeat(1_000));
    const file = files().find((path) => path.includes(keyOf(name))) as string;
    utimesSync(file, at + 1, at + 1);
  }
  // A read is a use.
  await store.get(keyOf("old"));
  await store.trim();
  expect(await store.get(keyOf("used"))).toBeUndefined();
  expect(await store.get(keyOf("old"))).toBeDefined();
  expect(await store.get(keyOf("new"))).toBeDefined();
});

test("a folder that cannot be written costs speed only", async () => {
  const { store: outer, files, told } = setup();
  await outer.put(keyOf("a"), 1);
  // A file stands where the folder would be.
  const store = new EntryStore({
    folder: join(files()[0] as string, "new"),
    debug: (text) => told.push(text),
  });
  await store.put(keyOf("a"), 1);
  expect(await store.get(keyOf("a"))).toBeUndefined();
  expect(told[0]).toContain("not stored");
});
