// The messages about agents that cannot be loaded. They depend on Node's own loader, which the test runner replaces; so one plain
// process loads all broken agents, and the tests compare its messages.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const DEFINE = JSON.stringify(join(ROOT, "src/agent/index.ts"));
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const ZOD = { ...dependencies, ...peerDependencies }.zod;
/** A name that no registry and no folder above has. */
const MISSING = "a-package-that-is-not-there";

/** The files of each broken project, by its name; `agents/a/agent.ts` is loaded, or `agents/a/agent.js`. */
const PROJECTS: Record<string, Record<string, string>> = {
  syntax: { "agents/a/agent.ts": 'export default {\n  name: "a"\n  run: 1,\n};\n' },
  "syntax in JavaScript": { "agents/a/agent.js": "export const x = 1;\n\tconst x = 2;\n" },
  "syntax in an import": {
    "agents/a/agent.js": 'import "../../lib/b.js";\n',
    "lib/b.js": "export default 1;\nconst c;\n",
  },
  throw: { "agents/a/agent.ts": 'function f(): void {\n  throw new Error("kaboom");\n}\nf();\n' },
  "throw of a text": { "agents/a/agent.ts": 'throw "kaboom";\n' },
  "throw in an import": {
    "agents/a/agent.ts": 'import "./b.ts";\n',
    "agents/a/b.ts": 'throw new Error("kaboom");\n',
  },
  enum: { "agents/a/agent.ts": "\nexport enum Color { Red }\n" },
  "parameter property": { "agents/a/agent.ts": "class A { constructor(private x: number) {} }\n" },
  namespace: { "agents/a/agent.ts": "export namespace N { export const x = 1; }\n" },
  package: { "agents/a/agent.ts": `import { x } from "${MISSING}/lib";\n` },
  "package in a project": {
    "package.json": '{ "type": "module" }',
    "agents/a/agent.ts": `import { x } from "${MISSING}";\n`,
  },
  "package with a space": { "my agents/a/agent.ts": `import "${MISSING}";\n` },
  zod: { "agents/a/agent.ts": 'import { z } from "zod";\n' },
  "own package": { "agents/a/agent.ts": 'import { defineAgent } from "murmur";\n' },
  builtin: { "agents/a/agent.ts": 'import { DatabaseSync } from "sqlite";\n' },
  "no extension": {
    "agents/a/agent.ts": 'import { x } from "../../lib/b";\n',
    "lib/b.ts": "export const x = 1;",
  },
  "other extension": {
    "agents/a/agent.ts": 'import { x } from "./b.js";\n',
    "agents/a/b.ts": "export const x = 1;",
  },
  folder: {
    "agents/a/agent.ts": 'import { x } from "./lib";\n',
    "agents/a/lib/index.ts": "export const x = 1;",
  },
  "misspelt file": { "agents/a/agent.ts": 'import "./helper.ts";\n', "agents/a/helpers.ts": "export {};" },
  "missing export": {
    "agents/a/agent.ts": 'import { halp } from "./b.ts";\n',
    "agents/a/b.ts": "export const help = 1;",
  },
  "imported type": {
    "agents/a/agent.ts": 'import { T } from "./b.ts";\n',
    "agents/a/b.ts": "export interface T {}",
  },
  "type of Murmur": { "agents/a/agent.ts": `import { AgentContext } from ${DEFINE};\n` },
  commonjs: {
    "package.json": '{ "type": "commonjs" }',
    "agents/a/agent.ts": `import { defineAgent } from ${DEFINE};\nexport default 1;\n`,
  },
  require: {
    "package.json": '{ "type": "module" }',
    "agents/a/agent.ts": 'const fs = require("node:fs");\n',
  },
  json: { "agents/a/agent.ts": 'import facts from "./facts.json";\n', "agents/a/facts.json": "{}" },
  options: {
    "agents/a/agent.ts": `import { defineAgent } from ${DEFINE};\n\nexport default defineAgent({ name: "a", capabilites: ["x"], slots: 0, run: () => 1 });\n`,
  },
  "of docs/agents.md": {
    "agents/greeter/agent.ts": `import { defineAgent } from ${DEFINE};\n\nexport default defineAgent({\n  name: "greeter",\n  capabilities: ["greet"],\n  capabilites: [],\n  slots: 0,\n  run: () => 1,\n});\n`,
  },
  "endless await": { "agents/a/agent.ts": "await new Promise(() => {});\n" },
  "no default": {
    "agents/a/agent.ts": `import { defineAgent } from ${DEFINE};\nexport const agent = defineAgent({ name: "a", capabilities: ["x"], run: () => 1 });\n`,
  },
  "no export": { "agents/a/agent.ts": "export {};\n" },
  "two roles": { "agents/a/agent.ts": "enum A {}\n", "agents/b/agent.ts": 'throw new Error("kaboom");\n' },
};

let root: string;
let messages: Record<string, string>;

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "murmur-faults-")));
  const projects = Object.entries(PROJECTS).map(([name, files], index) => {
    const folder = join(root, String(index));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const agents = join(
      folder,
      Object.keys(files).some((path) => path.startsWith("my ")) ? "my agents" : "agents",
    );
    return {
      name,
      folder,
      agents,
      roles: name === "two roles" ? ["a", "b"] : name === "of docs/agents.md" ? ["greeter"] : ["a"],
    };
  });
  const script = join(root, "load.mjs");
  writeFileSync(
    script,
    `import { loadRoles } from ${DEFINE};
     const messages = {};
     for (const { name, folder, agents, roles } of ${JSON.stringify(projects)}) {
       const error = await loadRoles([agents], roles, { limitMs: 2_000 }).then(() => undefined, (thrown) => thrown);
       messages[name] = error === undefined ? "loaded" : \`\${error.code} \${error.message}\`.replaceAll(folder, "P");
     }
     console.log(JSON.stringify(messages));`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", script], {
    encoding: "utf8",
  });
  if (stdout === "") throw new Error(stderr);
  messages = JSON.parse(stdout) as Record<string, string>;
}, 60_000);

afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ["syntax", "P/agents/a/agent.ts:3:3\n    3 |   run: 1,\n      |   ^"],
  [
    "syntax in JavaScript",
    "has already been declared\n  at P/agents/a/agent.js:2:8\n    2 |  const x = 2;\n      |        ^",
  ],
  [
    "syntax in an import",
    "P/agents/a/agent.js cannot be loaded: Missing initializer in const declaration\n  at P/lib/b.js:2:7\n    2 | const c;\n      |       ^",
  ],
  ["throw", 'kaboom\n  at P/agents/a/agent.ts:2:9\n    2 |   throw new Error("kaboom");\n      |         ^'],
  ["throw of a text", 'P/agents/a/agent.ts cannot be loaded: threw "kaboom", which is no Error'],
  ["throw in an import", "P/agents/a/agent.ts cannot be loaded: kaboom\n  at P/agents/a/b.ts:1:7\n"],
  [
    "enum",
    "TypeScript enum is not supported in strip-only mode\n  at P/agents/a/agent.ts:2:8\n    2 | export enum Color { Red }\n      |        ^\n  Node removes types and generates no code; write an object instead: const Color",
  ],
  ["parameter property", "at P/agents/a/agent.ts:1:31\n"],
  ["parameter property", "\n  Node removes types and generates no code; write the field in the class"],
  ["namespace", "\n  Node removes types and generates no code; write a file of its own with exports"],
  [
    "options",
    "P/agents/a/agent.ts cannot be loaded: defineAgent: 3 options do not fit:\n  - capabilities: must be a list, got nothing\n  - slots: must be at least 1, got 0\n  - capabilites: is not known; did you mean capabilities?\n  at P/agents/a/agent.ts:3:16\n    3 | export default defineAgent({",
  ],
])("a fault of the kind “%s” is shown with its place: %s", (name, text) => {
  expect(messages[name]).toContain(text);
  expect(messages[name]).toMatch(/^invalid_input /);
});

test.each([
  ["package", `at P/agents/a/agent.ts:1:19\n`],
  ["package", `install it: cd P && npm install ${MISSING}`],
  ["package in a project", `install it: cd P && npm install ${MISSING}`],
  ["package with a space", `install it: cd P && npm install ${MISSING}`],
  ["zod", `install it: cd P && npm install ${/[^\w@/.-]/.test(ZOD) ? `'zod@${ZOD}'` : `zod@${ZOD}`}`],
  ["own package", 'write "murmur-swarm": the name of Murmur\'s package'],
  ["builtin", 'write "node:sqlite": it is a module of Node'],
  ["no extension", 'write "../../lib/b.ts"'],
  ["other extension", 'write "./b.ts"'],
  ["folder", 'write "./lib/index.ts"'],
  ["misspelt file", 'write "./helpers.ts"'],
  ["missing export", "did you mean help?"],
  ["imported type", 'write import type { T } from "./b.ts"'],
  ["type of Murmur", "if AgentContext is a type, write import type { AgentContext }"],
  [
    "commonjs",
    "P/package.json says that its files are CommonJS; set its type: cd P && npm pkg set type=module",
  ],
  ["require", 'write import … from "…": agents are ES modules'],
  ["json", 'with { type: "json" }'],
  ["endless await", "it is not done after 2000 ms; a top-level await waits for something"],
  ["no default", "got an agent as the export agent; write export default agent"],
  ["no export", "got no default export; write export default defineAgent({ … })"],
])("a fault of the kind “%s” names the next step: %s", (name, text) => {
  expect(messages[name]).toContain(text);
});

test("docs/agents.md shows the message as it is", () => {
  const page = readFileSync(join(ROOT, "docs/agents.md"), "utf8");
  const [, shown] = /```text\n(agents\/greeter[^`]*)\n```/.exec(page) ?? [];
  expect(`invalid_input ${shown}`).toBe(messages["of docs/agents.md"]?.replaceAll("P/agents", "agents"));
});

test("several broken roles are named in one error", () => {
  expect(messages["two roles"]).toContain(
    "invalid_input 2 roles do not load:\nP/agents/a/agent.ts cannot be loaded: TypeScript enum",
  );
  expect(messages["two roles"]).toContain(
    "\nP/agents/b/agent.ts cannot be loaded: kaboom\n  at P/agents/b/agent.ts:1:7",
  );
});
