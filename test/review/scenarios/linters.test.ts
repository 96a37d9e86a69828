import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasAnalysers } from "../../../agents/lib/review/index.ts";
import { type ReviewReport, runReview } from "../../../workflows/review/index.ts";
import { LINTER_ANALYSES, localSwarm } from "../local-swarm.ts";

const FIXTURE = new URL("../../fixtures/review/linters", import.meta.url).pathname;
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

function lint(directory: string, options: { trustRepoConfig?: boolean } = {}): Promise<ReviewReport> {
  return runReview(localSwarm(LINTER_ANALYSES), { directory, only: LINTERS, ...options });
}

/** The number of linters that report each finding, by kind and line; of one file, or of all files. */
const byKind = ({ findings }: ReviewReport, file?: string) =>
  Object.fromEntries(
    findings
      .filter((finding) => file === undefined || finding.file === file)
      .map(({ kind, line, agreedBy }) => [`${kind}:${line}`, agreedBy.length]),
  );

describe.skipIf(!hasAnalysers())("three linters", { timeout: 120_000 }, () => {
  // One review for the tests that need no configuration: each linter takes seconds to start.
  let report: ReviewReport;
  beforeAll(async () => {
    const directory = await setup({
      "src/silenced.ts": "// eslint-disable-next-line no-debugger -- wanted here\ndebugger;\nexport {};\n",
      "--fix.ts": "debugger;\nexport {};\n",
      "src/broken.ts": "export const = 1;\n",
    });
    report = await lint(directory);
  }, 120_000);

  test("the linters agree on planted mistakes, and each is one finding", () => {
    expect(report).toMatchObject({ status: "completed", agents: 3, tasks: 3, failedTasks: [] });
    expect(byKind(report)).toEqual({
      "debugger-statement:1": 3, // in --fix.ts
      "syntax-error:1": 3, // in src/broken.ts
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

  test("a comment that silences a rule of one linter silences the other linters too", () => {
    expect(byKind(report, "src/silenced.ts")).toEqual({});
  });

  test("a file that a linter cannot parse is told for each linter", () => {
    expect(report.coverage).toMatchObject({
      analysers: LINTERS.map((capability) => ({
        capability,
        judged: 3,
        unjudged: [{ file: "src/broken.ts", why: "parse-error", message: expect.any(String) }],
      })),
      unread: ["package.json", "src/broken.ts"],
    });
  });

  test("a file name that looks like an option is linted as a file", () => {
    expect(byKind(report, "--fix.ts")).toEqual({ "debugger-statement:1": 3 });
  });

  test("the linters use the repository's own configuration only with trustRepoConfig", async () => {
    const directory = await setup({
      "src/mistakes.ts": "debugger;\nexport {};\n",
      "eslint.config.js": 'export default [{ files: ["**/*.ts"], rules: {} }, { ignores: ["**/*.ts"] }];\n',
      ".oxlintrc.json": '{ "rules": { "no-debugger": "off" } }\n',
      "biome.json": '{ "linter": { "rules": { "suspicious": { "noDebugger": "off" } } } }\n',
    });
    expect((await lint(directory, { trustRepoConfig: true })).findings).toEqual([]);
    expect(byKind(await lint(directory))).toEqual({ "debugger-statement:1": 3 });
  });

  test("a configuration that cannot be used is noted, and the default rules are used", async () => {
    const directory = await setup({
      "src/mistakes.ts": "debugger;\nexport {};\n",
      "eslint.config.js": 'import plugin from "not-installed";\nexport default [plugin];\n',
      ".oxlintrc.json": "{ broken\n",
      "biome.json": '{ "extends": ["not-installed/biome.json"] }\n',
    });
    const report = await lint(directory, { trustRepoConfig: true });
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
});
