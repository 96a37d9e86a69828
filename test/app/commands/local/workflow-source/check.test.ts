import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkSource } from "../../../../../src/app/commands/local/workflow-source/index.ts";

const directory = mkdtempSync(join(tmpdir(), "murmur-source-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let count = 0;

/** Checks modules; `workflow.ts` is the definition. */
async function checkFiles(files: Readonly<Record<string, string>>) {
  const folder = join(directory, String(count++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const { faults, unread } = await checkSource(join(folder, "workflow.ts"));
  const short = (path: string) => path.replace(`${folder}/`, "");
  return {
    faults: faults.map(({ path, line, column, message }) => `${short(path)}:${line}:${column} ${message}`),
    unread: unread.map(({ module, reason }) => `${short(module)}: ${reason}`),
  };
}

/** A definition with a body of `run` on its fourth line, after other lines of the module. */
const definition = (body: string, before = "") =>
  `import { defineWorkflow, now, step, type Flow } from "murmur-swarm"; import { z } from "zod";\n${before}\nexport default defineWorkflow({ name: "a", version: 1, input: z.object({}), *run(input): Flow<unknown> {\n${body}\n} });\n`;

/** The first faults of a body, as its beginning. */
const faultsOf = async (body: string, before?: string) =>
  (await checkFiles({ "workflow.ts": definition(body, before) })).faults;

describe("code that a replay would find changed is a fault, with its place", () => {
  test.each([
    ["return Date.now();", "4:8 Date.now uses the clock"],
    ["return new Date();", "4:12 new Date() uses the clock"],
    ["return Date();", "4:8 Date() uses the clock"],
    ["return performance.now();", "4:8 performance.now uses the clock"],
    ["setTimeout(() => undefined, 5);", "4:1 setTimeout uses the clock"],
    ["return Math.random();", "4:8 Math.random is different in each replay"],
    ['return Math["random"]();', "4:8 Math.random is different"],
    ["return globalThis.crypto.randomUUID();", "4:8 crypto.randomUUID is different"],
    ["return process.env.HOME;", "4:8 process.env differs between machines"],
    ["return process?.env;", "4:8 process.env differs between machines"],
    ["return import.meta.url;", "4:8 import.meta differs between machines"],
    ["return new Date(0).getHours();", "4:20 getHours() follows the time zone"],
    ['return ["a"].sort((a, b) => a.localeCompare(b));', "4:31 localeCompare() follows the time zone"],
    ["return fetch('http://a');", "4:8 fetch talks to the network"],
    ["return Promise.all([]);", "4:8 Promise.all waits outside the log"],
    ["return [1].map(async (n) => n);", "4:16 an async function waits outside the log"],
    ["return import('x');", "4:8 import() waits outside the log"],
  ])("%s", async (body, expected) => {
    expect(await faultsOf(body)).toEqual([expect.stringContaining(`workflow.ts:${expected}`)]);
  });

  test("an async generator, and its await", async () => {
    const text = definition("return await null;").replace("*run(", "async *run(");
    const { faults } = await checkFiles({ "workflow.ts": text });
    expect(faults).toHaveLength(2);
    expect(faults[1]).toContain("4:8 await waits outside the log");
  });

  test.each([
    ["node:os", "hostname", "environment"],
    ["fs", "readFileSync", "environment"],
    ["node:fs/promises", "readFile", "environment"],
    ["node:child_process", "execSync", "environment"],
    ["node:https", "get", "network"],
    ["node:dns/promises", "lookup", "network"],
    ["node:timers/promises", "setTimeout", "clock"],
    ["node:perf_hooks", "performance", "clock"],
    ["node:crypto", "randomUUID", "chance"],
  ])("%s, by name and by namespace", async (module, member, kind) => {
    const said = { environment: "differs", network: "network", clock: "clock", chance: "replay" }[kind]!;
    for (const before of [`import { ${member} as x } from "${module}";`, `import * as x from "${module}";`]) {
      const use = before.includes("*") ? `x.${member}` : "x";
      const faults = await faultsOf(`return ${use};`, before);
      expect(faults).toHaveLength(1);
      expect(faults[0]).toContain(`workflow.ts:4:8 ${module} ${member} `);
      expect(faults[0]).toContain(said);
    }
  });
});

test.each([
  "return yield* now();",
  "return new Date(yield* now()).toISOString();",
  "return [Date.UTC(2026, 0), Date.parse('2026-01-01'), Math.max(1, 2)];",
  "const fetch = 1; const process = { env: 2 }; return [fetch, process.env];",
  "return input.Date?.now; // a field of that name",
  "return new Date(0).toLocaleString('en', { timeZone: 'UTC' });",
  "return ({ setTimeout: 1 }).setTimeout;",
])("%s is right", async (body) => {
  expect(await faultsOf(body)).toEqual([]);
});

test("names are followed to their declarations, and unused code of the module is not checked", async () => {
  const before = `import { createHash } from "node:crypto"; const STARTED = Date.now(); const idle = () => fetch("x"); function id() { return make(); } const make = () => Math.random() + createHash("sha1").digest("hex");`;
  const faults = await faultsOf("return [STARTED, id()];", before);
  expect(faults.map((fault) => fault.split(" ")[1])).toEqual(["Date.now", "Math.random"]);
});

test("other modules of the project are followed by the names that are used, also through re-exports", async () => {
  const { faults, unread } = await checkFiles({
    "workflow.ts": definition(
      "return [price(1), later, lib.tax, data];",
      'import { price } from "./lib/price.ts"; import later from "./lib/later.js"; import * as lib from "./lib/price.ts"; import data from "./data.json" with { type: "json" };',
    ),
    "lib/price.ts":
      'import { round } from "lodash";\nexport const price = (n: number): number => round(n) * Number(process.env.FACTOR);\nexport function idle() { return fetch("x"); }\nexport { rate as tax } from "./tax.ts";\nexport * from "./gone.ts";\n',
    "lib/tax.ts": "export const rate = Math.random();\nexport const other = Date.now();\n",
    "lib/later.js": "export default async function later() {}\n",
    "data.json": "{}",
  });
  expect(faults.map((fault) => fault.split(" ").slice(0, 2).join(" ")).sort()).toEqual([
    "lib/later.js:1:16 an",
    "lib/price.ts:2:63 process.env",
    "lib/tax.ts:1:21 Math.random",
  ]);
  expect(unread.sort()).toEqual(["lib/gone.ts: the file cannot be read: ENOENT", "lodash: a package"]);
});

test("where a helper makes the definition, everything that the module exports is checked", async () => {
  const { faults } = await checkFiles({
    "workflow.ts": 'import { make } from "./make.ts";\nexport default make(() => Date.now());\n',
    "make.ts":
      'import { defineWorkflow } from "murmur-swarm";\nexport const make = (run: () => number) => defineWorkflow({ name: String(Math.random()), version: 1, *run() { return run(); } });\n',
  });
  expect(faults.map((fault) => fault.split(" ")[0])).toEqual(["workflow.ts:2:27", "make.ts:2:74"]);
});

test("text that is no module is a fault with its place; nothing is run, and depth has a bound", async () => {
  const broken = await checkFiles({ "workflow.ts": "export default {\n  a: ];\n" });
  expect(broken.faults).toEqual([expect.stringMatching(/^workflow\.ts:\d+:\d+ /)]);
  const js = await checkFiles({
    "workflow.ts": definition("return other;", 'import { other } from "./o.js";'),
    "o.js": "export const other =\n  ];\n",
  });
  expect(js.faults).toEqual([expect.stringMatching(/^o\.js:2:3 /)]);
  const deep = await checkFiles({
    "workflow.ts": `export default ${"[".repeat(20_000)}${"]".repeat(20_000)};`,
  });
  expect(deep.faults).toEqual(["workflow.ts:1:1 the code is nested too deeply"]);
  const thrown = await checkFiles({
    "workflow.ts": 'throw new Error("this code was run");\nexport default 1;\n',
  });
  expect(thrown.faults).toEqual([]);
});
