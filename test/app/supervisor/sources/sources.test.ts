import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { changedFiles, readSources, signSources } from "../../../../src/app/supervisor/sources/sources.ts";

function setup(files: Record<string, string>) {
  const root = mkdtempSync(join(tmpdir(), "murmur-sources-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  return {
    root,
    write,
    remove: (name: string) => rmSync(join(root, name)),
    read: () => readSources(join(root, "echo/agent.ts")),
    names: (paths: Iterable<string>) => [...paths].map((path) => relative(root, path)).sort(),
  };
}

const AGENT = {
  "echo/agent.ts": 'import { z } from "zod";\nimport { a } from "../lib/a.ts";\nexport { b } from "./b.ts";',
  "echo/b.ts": "export const b = 1;",
  "echo/prompt.md": "say hello",
  "echo/node_modules/x/index.js": "",
  "echo/.cache": "",
  "lib/a.ts": 'const c = await import("./c.ts"); const d = new URL("./d.json", import.meta.url);',
  "lib/c.ts": 'import "./missing.ts"; import "../node_modules/y/index.js";',
  "lib/d.json": "{}",
  "lib/unused.ts": "",
  "node_modules/y/index.js": "",
};

test("the sources of a role are its folder and the local files that it imports, without packages", async () => {
  const { read, names } = setup(AGENT);
  const sources = await read();
  expect(names(sources.files.keys())).toEqual([
    "echo/agent.ts",
    "echo/b.ts",
    "echo/prompt.md",
    "lib/a.ts",
    "lib/c.ts",
    "lib/d.json",
  ]);
  expect(names(sources.missing)).toEqual(["lib/missing.ts"]);
  expect(sources.isCut).toBe(false);
});

test("a changed, a new and a removed file are told; a file that was only touched is not", async () => {
  const { read, write, remove, names } = setup(AGENT);
  const before = await read();
  write("echo/agent.ts", AGENT["echo/agent.ts"]);
  expect(changedFiles(before, await read())).toEqual([]);
  write("lib/a.ts", "");
  write("echo/new.ts", "");
  remove("echo/prompt.md");
  expect(names(changedFiles(before, await read()))).toEqual([
    "echo/new.ts",
    "echo/prompt.md",
    "lib/a.ts",
    "lib/c.ts",
    "lib/d.json",
  ]);
});

test.each([
  ["a changed import", "lib/c.ts"],
  ["a new file of the folder", "echo/more/new.ts"],
  ["an import that was missing", "lib/missing.ts"],
])("the signature changes for %s", async (_, name) => {
  const { read, write } = setup(AGENT);
  const sources = await read();
  const before = signSources(sources);
  expect(signSources(sources)).toBe(before);
  write(name, "// another text");
  expect(signSources(sources)).not.toBe(before);
});

test("an agent file that is gone has no sources, which is no error", async () => {
  const { read, root } = setup(AGENT);
  rmSync(join(root, "echo"), { recursive: true });
  expect((await read()).files.size).toBe(0);
});
