import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { hasAnalysers } from "../../agents/lib/review/index.ts";
import { type ReviewReport, runReview } from "../../workflows/review/index.ts";
import { LINTER_ANALYSES, localSwarm } from "./local-swarm.ts";

const FIXTURE = new URL("../fixtures/review/linters", import.meta.url).pathname;
const LINTERS = ["review-oxlint", "review-biome", "review-eslint"] as const;

if (!hasAnalysers())
  console.log("skipped: the analysers' packages are not installed (npm ci in agents/lib/review/analysers/)");

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

async function setup(files: Record<string, string> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "review-lint-"));
  made.push(directory);
  await cp(FIXTURE, directory, { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(join(directory, path), text);
  return directory;
}

function lint(directory: string, options: { repoConfig?: boolean } = {}): Promise<ReviewReport> {
  return runReview(localSwarm(LINTER_ANALYSES), { directory, only: LINTERS, ...options });
}

const byKind = ({ findings }: ReviewReport) =>
  Object.fromEntries(findings.map(({ kind, line, agreedBy }) => [`${kind}:${line}`, agreedBy.length]));

describe.skipIf(!hasAnalysers())("three linters", { timeout: 120_000 }, () => {
  test("agree on planted mistakes, each found once", async () => {
    const report = await lint(await setup());
    expect(report).toMatchObject({ status: "completed", agents: 3, tasks: 3, failedTasks: [] });
    expect(byKind(report)).toEqual({
      "unused-variable:1": 3,
      "unused-variable:4": 3,
      "nan-comparison:5": 3,
      "loop-direction:6": 3,
      "invalid-typeof:7": 3,
      "self-assignment:8": 3,
      "debugger-statement:9": 3,
      "duplicate-case:13": 3,
      "unsafe-optional-chaining:16": 3,
      "duplicate-key:17": 3,
      "negative-zero-comparison:18": 3,
      "code-injection:20": 3,
      "unreachable-code:21": 3,
    });
  });

  test("leave alone what a comment silences for one of them", async () => {
    const directory = await setup({
      "src/mistakes.ts": "// eslint-disable-next-line no-debugger -- wanted here\ndebugger;\nexport {};\n",
    });
    expect((await lint(directory)).findings).toEqual([]);
  });

  test("use the repository's own configuration, unless told not to", async () => {
    const directory = await setup({
      "src/mistakes.ts": "debugger;\nexport {};\n",
      "eslint.config.js": 'export default [{ files: ["**/*.ts"], rules: {} }, { ignores: ["**/*.ts"] }];\n',
      ".oxlintrc.json": '{ "rules": { "no-debugger": "off" } }\n',
      "biome.json": '{ "linter": { "rules": { "suspicious": { "noDebugger": "off" } } } }\n',
    });
    expect((await lint(directory)).findings).toEqual([]);
    expect(byKind(await lint(directory, { repoConfig: false }))).toEqual({ "debugger-statement:1": 3 });
  });

  test("say so when a configuration cannot be used, and lint by the default rules", async () => {
    const directory = await setup({
      "src/mistakes.ts": "debugger;\nexport {};\n",
      "eslint.config.js": 'import plugin from "not-installed";\nexport default [plugin];\n',
      ".oxlintrc.json": "{ broken\n",
      "biome.json": '{ "extends": ["not-installed/biome.json"] }\n',
    });
    const report = await lint(directory);
    expect(report.status).toBe("completed");
    const notes = report.findings.filter(({ severity }) => severity === "info");
    expect(notes.map(({ kind, file }) => `${kind} ${file}`).sort()).toEqual([
      "review-note .oxlintrc.json",
      "review-note biome.json",
      "review-note eslint.config.js",
    ]);
    expect(notes.find(({ file }) => file === "eslint.config.js")?.message).toContain("not-installed");
    expect(byKind(report)).toMatchObject({ "debugger-statement:1": 3 });
  });

  test("take file names that look like options", async () => {
    const directory = await setup({
      "src/mistakes.ts": "export {};\n",
      "--fix.ts": "debugger;\nexport {};\n",
    });
    expect(byKind(await lint(directory))).toEqual({ "debugger-statement:1": 3 });
  });
});
