// The files of a new project and of a new agent, as text. Pure: new.ts reads and writes the disk.
// The test of an agent runs with `node --test`, so that a project needs no test runner.

/** The TypeScript and the types of Node.js that a project checks itself with: the versions that this checkout uses. */
export const PROJECT_TOOLS: Readonly<Record<string, string>> = {
  "@types/node": "^24.19.2",
  typescript: "^7.0.2",
};

/** A file to write: its path below the project, with `/`, and its text. */
export interface NewFile {
  path: string;
  text: string;
}

/** The name of an agent that becomes a folder, a subject token and a word in code: lower case, digits and hyphens. */
export const AGENT_NAME = /^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,63}$/;

/** The files of a new agent. `agentsDir` is the path of the folder of agents below the project, with `/`. */
export function agentFiles(name: string, agentsDir: string): NewFile[] {
  const file = `${agentsDir}/${name}/agent.ts`;
  return [
    {
      path: file,
      text: `import { defineAgent } from "murmur-swarm";
import { z } from "zod";

/** The input of a task. A task with another input fails at once, and its error names the field. */
export const input = z.strictObject({ name: z.string().min(1) });

/** The work of the agent: a plain function, so that a test can call it without a swarm. */
export function work({ name }: z.output<typeof input>): string {
  return \`Hello, \${name}!\`;
}

export default defineAgent({
  name: "${name}",
  capabilities: ["${name}"],
  input,
  run: (task) => work(task.input),
});
`,
    },
    {
      path: `test/${name}.test.ts`,
      text: `import assert from "node:assert/strict";
import { test } from "node:test";
import agent, { input, work } from "../${file}";

test("${name} greets by name", () => {
  assert.equal(work({ name: "Ada" }), "Hello, Ada!");
});

test("${name} refuses a task without a name", () => {
  assert.equal(input.safeParse({}).success, false);
});

test("${name} offers its capability", () => {
  assert.deepEqual(agent.capabilities, ["${name}"]);
});
`,
    },
  ];
}

/** The files of a new project beside package.json and its first agent. */
export function projectFiles(): NewFile[] {
  const compilerOptions = {
    target: "es2024",
    module: "nodenext",
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    // Node runs the files as they are: only syntax that it can strip, and imports with the names of the files.
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    noEmit: true,
  };
  return [
    {
      path: "tsconfig.json",
      text: `${JSON.stringify({ compilerOptions, include: ["agents", "workflows", "test"] }, null, 2)}\n`,
    },
    { path: ".gitignore", text: "node_modules/\n.murmur/\n" },
  ];
}

/** The facts of a project's package.json. */
export interface ProjectFacts {
  /** The name of the project, for a package.json that has none. */
  name: string;
  /** `engines.node` of Murmur. */
  node: string;
  /** The packages that a project needs, with their versions: zod, xstate, and murmur-swarm where its source is known. */
  packages: Readonly<Record<string, string>>;
}

type Manifest = Record<string, unknown>;

/** The text of `scripts.test` that `npm init` writes. It stands for no test. */
const NPM_PLACEHOLDER = /^echo .*no test specified.* && exit 1$/;

/**
 * Completes a project's package.json: values that are there stay. `existing` is `{}` for a project without one.
 * @returns the manifest, or the problem that only a person can solve.
 */
export function projectManifest(existing: Manifest, facts: ProjectFacts): Manifest | { problem: string } {
  if (existing.type !== undefined && existing.type !== "module") {
    return {
      problem: `package.json: type must be "module", got ${JSON.stringify(existing.type)}: npm pkg set type=module, and see that your own files are ES modules`,
    };
  }
  const section = (key: string) => (existing[key] ?? {}) as Record<string, string>;
  const has = (name: string) =>
    ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"].some(
      (key) => section(key)[name] !== undefined,
    );
  const missing = (packages: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(packages).filter(([name]) => !has(name)));
  const scripts = section("scripts");
  const test =
    scripts.test === undefined || NPM_PLACEHOLDER.test(scripts.test) ? "node --test" : scripts.test;
  const isNew = Object.keys(existing).length === 0;
  return {
    ...(isNew ? { name: facts.name, version: "0.0.0", private: true } : existing),
    type: "module",
    engines: { node: facts.node, ...section("engines") },
    scripts: { start: "murmur up", types: "tsc", ...scripts, test },
    dependencies: sorted({ ...section("dependencies"), ...missing(facts.packages) }),
    devDependencies: sorted({ ...section("devDependencies"), ...missing(PROJECT_TOOLS) }),
  };
}

function sorted(packages: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A name that npm accepts, made from the name of a folder. */
export function packageName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
  return name === "" ? "murmur-project" : name;
}
