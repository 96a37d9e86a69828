import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasAnalysers } from "../../../agents/lib/review/index.ts";
import { type ReviewReport, renderCoverage, runReview } from "../../../workflows/review/index.ts";
import { scaled } from "../../support/scale.ts";
import { LINTER_ANALYSES, localSwarm } from "../local-swarm.ts";

const FIXTURE = new URL("../../fixtures/review/linters", import.meta.url).pathname;
const LINTERS = ["review-oxlint", "review-biome", "review-eslint"] as const;

/** The findings of a file with many findings, that all linters can hold. */
const MANY = 2_500;
/** The findings of a file for that Biome would need too much memory. */
const CROWD = scaled(6_000, 12_000);

if (!hasAnalysers())
  console.log("skipped: the analysers' packages are not installed (npm ci in agents/lib/review/analysers/)");

/** The files of code of the first review. */
const PLANTED = 22;
/** Its files with a mistake. */
const MISTAKEN: readonly string[] = [
  "--fix.ts",
  "src/App.vue",
  "src/Menu.vue",
  "src/Some.svelte",
  "src/bom.js",
  "src/broken.ts",
  "src/classic.js",
  "src/jsx.js",
  "src/many.js",
  "src/mistakes.ts",
  "src/module.js",
  "src/nest.ts",
  "src/options.js",
  "src/page.astro",
  "src/pragma.jsx",
  "src/return.cjs",
];

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

/** Constructs that some linters report by their default options, and others do not. */
const DIFFERENCES_TS = `type Shape = number;
const Shape = 1;
export { Shape };
export function area(name: string, holder: Record<string, unknown>): number {
  switch (name) {
    case "square":
    // The same as a circle.
    case "circle":
      return Object.prototype.hasOwnProperty.call(holder, name) ? 1 : 2;
    default:
      return 3;
  }
}
export class Service {
  constructor(@Inject() private readonly held: string) {}
  items = [1].map((item) => 1);
}
function Inject(): any {}
early = 1;
export var early: number;
`;
const DIFFERENCES_JSX = `/* eslint-env browser */
import React from "react";
export const view = () => <b>{escape}</b>;
var escape = 1;
try {
  view();
} catch (error) {
  view(1);
}
`;

/** The compiler of JSX calls the factory that the comment names, and the comments of ESLint allow other names. */
const PRAGMA_JSX = `/** @jsx jsx */
/** @jsxFrag React.Fragment */
import { jsx } from "@emotion/react";
import * as React from "react";
import { Fragment, jsx as other } from "preact";
export const view = () => <b>text</b>;
`;
const OPTIONS_JS = `/* eslint no-unused-vars: ["error", { "varsIgnorePattern": "^ignored" }] */
/* exported shared */
import { ignoredImport } from "./some.js";
const ignored = 1;
const shared = 2;
const unused = 3;
`;

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
      "src/nest.ts":
        "export class Cats {\n  constructor(@Inject() private cats: unknown) {}\n  get(@Query() q: string) {\n    debugger;\n    return [this.cats, q];\n  }\n}\n",
      "src/return.cjs": "if (module.parent) return;\ndebugger;\n",
      "src/jsx.js": "export function App() {\n  debugger;\n  return <p>{1}</p>;\n}\n",
      "src/bom.js": "\uFEFFdebugger;\r\n",
      "src/flow.js": "// @flow\nexport type A = {| +a: ?string |};\n",
      "src/App.vue":
        '<template>\n  <p>{{ a }}</p>\n</template>\n<script>\nexport const b = 1;\n</script>\n<script setup lang="ts">\nconst a: number = 1;\ndebugger;\n</script>\n',
      "src/Some.svelte": "<script>\n  export let a = 1;\n  debugger;\n</script>\n<p>{a}</p>\n",
      "src/page.astro": "---\nconst { a } = Astro.props;\nif (!a) return null;\ndebugger;\n---\n<p>{a}</p>\n",
      // A page with the name of a script, and JSX in a script that does not announce it.
      "src/help.html.js": "<h2>Tips</h2>\n<p>Drag &amp; drop.</p>\n",
      "src/Menu.vue":
        "<script>\nexport default {\n  render(h) {\n    debugger;\n    return <i class={h} />;\n  },\n};\n</script>\n",
      // A script of a page, whose global names other scripts use, and a module, whose names no other file can use.
      "src/classic.js":
        "function animate(name) {\n  const own = 1;\n  return name;\n}\nvar shown = 1;\nconst kept = 2;\n",
      "src/module.js": "function animate() {}\nexport {};\n",
      // More findings than a ballot compares, and than an inline result has room for.
      "src/many.js": "debugger;\n".repeat(MANY),
      "src/differ.ts": DIFFERENCES_TS,
      "src/differ.jsx": DIFFERENCES_JSX,
      "src/pragma.jsx": PRAGMA_JSX,
      "src/options.js": OPTIONS_JS,
    });
    await writeFile(join(directory, "src/latin1.js"), Buffer.from("// caf\xe9\ndebugger;\n", "latin1"));
    report = await lint(directory);
  }, 120_000);

  test("the linters agree on planted mistakes, and each is one finding", () => {
    expect(report).toMatchObject({ agents: 3, tasks: 3, failedTasks: [] });
    expect(byKind(report, "--fix.ts")).toEqual({ "debugger-statement:1": 3 });
    expect(byKind(report, "src/broken.ts")).toEqual({ "syntax-error:1": 3 });
    expect(byKind(report, "src/mistakes.ts")).toEqual({
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

  test("every linter parses decorated parameters, CommonJS, JSX in .js, a byte order mark and components", () => {
    expect(byKind(report, "src/nest.ts")).toEqual({ "debugger-statement:4": 3 });
    expect(byKind(report, "src/return.cjs")).toEqual({ "debugger-statement:2": 3 });
    expect(byKind(report, "src/jsx.js")).toEqual({ "debugger-statement:2": 3 });
    expect(byKind(report, "src/bom.js")).toEqual({ "debugger-statement:1": 3 });
    // ESLint has no parser for components.
    expect(byKind(report, "src/App.vue")).toEqual({ "debugger-statement:9": 2 });
    expect(byKind(report, "src/Some.svelte")).toEqual({ "debugger-statement:3": 2 });
    expect(byKind(report, "src/page.astro")).toEqual({ "debugger-statement:4": 2 });
  });

  test("a global name of a classic script counts as used, and an unused name of a function or a module does not", () => {
    expect(byKind(report, "src/classic.js")).toEqual({ "unused-variable:2": 3 });
    expect(byKind(report, "src/module.js")).toEqual({ "unused-variable:1": 3 });
  });

  test("markup in a file with the name of a script is no syntax error, and JSX in a component needs no announcement", () => {
    expect(byKind(report, "src/help.html.js")).toEqual({});
    expect(byKind(report, "src/Menu.vue")).toEqual({ "debugger-statement:4": 2 });
  });

  test("a file that a linter has not judged is told, and a file that none has judged makes the review partial", () => {
    const ofAll = [
      { file: "src/broken.ts", why: "parse-error", message: expect.any(String) },
      { file: "src/flow.js", why: "not-supported", message: "Flow's types" },
      { file: "src/help.html.js", why: "not-supported", message: "markup or a template, not code" },
      { file: "src/latin1.js", why: "not-utf8", message: "UTF-16 or Latin-1" },
    ];
    const components = ["src/App.vue", "src/Menu.vue", "src/Some.svelte", "src/page.astro"].map((file) => ({
      file,
      why: "not-supported",
      message: "ESLint has no parser for components",
    }));
    const judgedBy = (capability: string) =>
      report.coverage.analysers.find((each) => each.capability === capability);
    const counts = report.coverage.analysers.map(({ capability, judged, unjudged }) => [
      capability,
      judged,
      judged + unjudged.length,
    ]);
    expect(counts).toEqual([
      ["review-oxlint", PLANTED - 4, PLANTED],
      ["review-biome", PLANTED - 4, PLANTED],
      ["review-eslint", PLANTED - 8, PLANTED],
    ]);
    expect(judgedBy("review-oxlint")?.unjudged).toEqual(ofAll);
    expect(judgedBy("review-biome")?.unjudged).toEqual(ofAll);
    expect(judgedBy("review-eslint")?.unjudged).toEqual(
      [...ofAll, ...components].sort((a, b) => (a.file < b.file ? -1 : 1)),
    );
    expect(report).toMatchObject({
      status: "partial",
      coverage: {
        missed: ["src/broken.ts", "src/flow.js", "src/help.html.js", "src/latin1.js"],
      },
    });
  });

  test("nothing is reported in a file without a planted mistake, and no other kind", () => {
    const kinds = Map.groupBy(
      report.findings.filter(({ severity }) => severity !== "info"),
      ({ file }) => file,
    );
    const unexpected = [...kinds].filter(([file]) => !MISTAKEN.includes(file)).map(([file]) => file);
    expect(unexpected).toEqual([]);
    const notes = report.findings.filter(({ severity }) => severity === "info").map(({ rule }) => rule);
    expect(notes).toEqual(["counted-apart"]);
  });

  test("a file with thousands of findings keeps all of them", () => {
    const found = report.findings.filter(({ file }) => file === "src/many.js");
    expect(found).toHaveLength(MANY);
    expect(found.every(({ agreedBy, silent }) => agreedBy.length === 3 && silent.length === 0)).toBe(true);
    expect(report.findings.find(({ rule }) => rule === "counted-apart")?.message).toContain("In 1 file ");
  });

  test("a difference between the linters' options is no disagreement", () => {
    expect([byKind(report, "src/differ.ts"), byKind(report, "src/differ.jsx")]).toEqual([{}, {}]);
  });

  test("a name that the compiler of JSX uses, and a name that a comment's options allow, count as used", () => {
    // Of preact, which the comment does not name, nothing is used.
    expect(byKind(report, "src/pragma.jsx")).toEqual({ "unused-variable:5": 3 });
    expect(byKind(report, "src/options.js")).toEqual({ "unused-variable:6": 3 });
  });

  test("a file name that looks like an option is linted as a file", () => {
    expect(byKind(report, "--fix.ts")).toEqual({ "debugger-statement:1": 3 });
  });

  test("a file with more findings than Biome can hold is judged by the other linter, and Biome's part is told", async () => {
    const directory = await setup({ "src/crowd.js": "debugger;\n".repeat(CROWD) });
    const only = ["review-oxlint", "review-biome"] as const;
    const crowded = await runReview(localSwarm(LINTER_ANALYSES), { directory, only });
    const found = crowded.findings.filter(({ file }) => file === "src/crowd.js");
    expect(found).toHaveLength(CROWD);
    expect(found[0]).toMatchObject({ agreedBy: ["review-oxlint"], silent: [], shown: true });
    const biome = crowded.coverage.analysers.find(({ capability }) => capability === "review-biome");
    expect(biome?.unjudged).toContainEqual({
      file: "src/crowd.js",
      why: "too-many-findings",
      message: expect.stringContaining(`oxlint has ${CROWD} findings`),
    });
    expect(crowded.coverage.missed).toEqual([]);
    // The files beside it have both linters.
    expect(byKind(crowded, "src/mistakes.ts")).toMatchObject({ "nan-comparison:5": 2 });
    expect(renderCoverage(crowded.coverage, [])).toContain("1 file not judged by biome (too many findings)");
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
