import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { toSarif } from "../../../../workflows/review/formats/sarif.ts";
import { FORMATS, type ReviewReport, type Surroundings } from "../../../../workflows/review/index.ts";
import { AROUND, finding, report } from "./sample.ts";

const SCHEMA_FILE = new URL("../../../fixtures/review/sarif/sarif-2.1.0-rtm.5.json", import.meta.url);
/** zod takes `uri-reference` for an absolute address, so the characters of RFC 3986 stand in for that format. */
const schema = z.fromJSONSchema(
  JSON.parse(readFileSync(SCHEMA_FILE, "utf8"), (_, value: unknown) =>
    typeof value === "object" && value !== null && "format" in value && value.format === "uri-reference"
      ? { type: "string", pattern: "^(?:[\\w.~!$&'()*+,;=:@/?#\\[\\]-]|%[0-9A-Fa-f]{2})*$" }
      : value,
  ),
  { defaultTarget: "draft-4" },
);

interface Log {
  runs: {
    tool: {
      driver: {
        rules: {
          id: string;
          helpUri?: string;
          help: { text: string; markdown: string };
          properties: Record<string, unknown>;
        }[];
      };
    };
    originalUriBaseIds: Record<string, { uri: string }>;
    invocations: {
      executionSuccessful: boolean;
      toolExecutionNotifications: { level: string; message: { text: string } }[];
    }[];
    versionControlProvenance?: unknown[];
    results: { ruleId: string; ruleIndex: number; level: string; [field: string]: unknown }[];
  }[];
}

/** Renders a report, and checks the output against the schema. */
function render(changes: Partial<ReviewReport> = {}, around: Surroundings = AROUND): Log["runs"][number] {
  const log = JSON.parse(FORMATS.sarif({ ...report, ...changes }, around)) as Log;
  expect(schema.safeParse(log).error?.issues.slice(0, 3) ?? []).toEqual([]);
  return log.runs[0] as Log["runs"][number];
}

test("the schema rejects an unknown level, an unknown field and a blank in an address, so a wrong log cannot pass", () => {
  const text = FORMATS.sarif(report, AROUND);
  for (const [from, to] of [
    ['"level": "note"', '"level": "fatal"'],
    ['"ruleIndex"', '"rulesIndex"'],
    ['"uri": "a.ts"', '"uri": "a b.ts"'],
  ] as const) {
    expect(schema.safeParse(JSON.parse(text.replace(from, to))).success, to).toBe(false);
  }
});

test("a finding becomes a result at a place relative to the root of the checkout, with its fingerprint", () => {
  const around = { ...AROUND, checkout: { ...AROUND.checkout, prefix: "packages/a b/" } };
  const { results, originalUriBaseIds } = render({ directory: "/repo/packages/a b" }, around);
  expect(originalUriBaseIds).toEqual({ "%SRCROOT%": { uri: "file:///repo/" } });
  expect(results[0]).toMatchObject({
    ruleId: "unused-variable",
    level: "note",
    message: { text: "'a' is never used. (biome + oxlint, not eslint: useful in 30 of 40 (0.60 to 0.86))" },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: "packages/a%20b/a.ts", uriBaseId: "%SRCROOT%" },
          region: { startLine: 1 },
        },
      },
    ],
    partialFingerprints: { "murmurFinding/v1": "0123456789abcdef" },
  });
});

test("a kind becomes a rule with its page, and a score where the kind is about security", () => {
  const kinds = ["unused-variable", "code-injection"];
  const { tool, results } = render({
    findings: kinds.map((kind) => ({ ...finding, kind, severity: "high" as const })),
  });
  expect(tool.driver.rules).toMatchObject([
    {
      id: "unused-variable",
      helpUri: "https://code.example.test/murmur/docs/review/kinds/unused-variable.md",
      defaultConfiguration: { level: "note" },
      properties: { tags: ["correctness"], "problem.severity": "recommendation" },
    },
    {
      id: "code-injection",
      defaultConfiguration: { level: "error" },
      properties: { tags: ["security"], "security-severity": "8.0" },
    },
  ]);
  expect(results.map(({ ruleIndex, level }) => [ruleIndex, level])).toEqual([
    [0, "error"],
    [1, "error"],
  ]);
});

test("a rule of one linter links to the documentation of that linter, and without any page to none", () => {
  const alone = { ...finding, silent: [], confidence: null };
  const { tool } = render(
    {
      findings: [
        { ...alone, kind: "no-void", rule: "no-void", agreedBy: ["review-eslint"] },
        { ...alone, kind: "no-x", rule: "@typescript-eslint/no-x", agreedBy: ["review-eslint"] },
        { ...alone, kind: "no-void-type", rule: "correctness/noVoidType", agreedBy: ["review-biome"] },
        { ...alone, kind: "unused-variable", rule: "no-unused-vars" },
      ],
    },
    { ...AROUND, pagesUrl: null },
  );
  expect(tool.driver.rules.map(({ helpUri }) => helpUri)).toEqual([
    "https://eslint.org/docs/latest/rules/no-void",
    "https://typescript-eslint.io/rules/no-x",
    "https://biomejs.dev/linter/rules/no-void-type/",
    undefined,
  ]);
});

test("without a web address of the pages, the help of a rule names the page in the folder of Murmur", () => {
  const [rule] = render({ findings: [finding] }, { ...AROUND, pagesUrl: null }).tool.driver.rules;
  const page = "Its page is docs/review/kinds/unused-variable.md in the folder of Murmur.";
  expect(rule?.help.text).toContain(page);
  expect(rule?.help.markdown).toContain(page);
  expect(render({ findings: [finding] }).tool.driver.rules[0]?.help.text).not.toContain("Its page is");
});

test("a partial review is no successful execution, and tells the missing findings and the notes", () => {
  const note = { ...finding, kind: "review-note", severity: "info" as const, message: "It is so." };
  const coverage = {
    analysers: [
      {
        capability: "review-biome" as const,
        judged: 0,
        unjudged: [
          { file: "b.js", why: "parse-error" as const, message: "Unexpected token." },
          { file: "c.js", why: "not-utf8" as const },
        ],
      },
    ],
    unread: [],
    missed: [],
  };
  const [invocation] = render({ findings: [note], coverage }).invocations;
  expect(invocation).toMatchObject({
    executionSuccessful: false,
    toolExecutionNotifications: [
      {
        level: "warning",
        message: { text: "docs: its findings in 1 file are missing. timeout: no answer" },
      },
      {
        level: "warning",
        message: { text: "biome has not judged b.js: parse-error. Unexpected token." },
        locations: [{ physicalLocation: { artifactLocation: { uri: "b.js" } } }],
      },
      { level: "warning", message: { text: "biome has not judged c.js: not-utf8" } },
      { level: "note", message: { text: "a.ts: It is so." } },
    ],
  });
  const done = render({ status: "completed", failedTasks: [], findings: [] }).invocations;
  expect(done).toEqual([{ executionSuccessful: true, toolExecutionNotifications: [] }]);
});

test("the commit is named when the address of the repository is known", () => {
  expect(render().versionControlProvenance).toEqual([
    {
      repositoryUri: "https://github.com/owner/name",
      revisionId: "0123abcd",
      branch: "main",
      mappedTo: { uriBaseId: "%SRCROOT%" },
    },
  ]);
  expect(render({}, { ...AROUND, checkout: null }).versionControlProvenance).toBeUndefined();
});

test("a log has at most the results that GitHub takes, and tells how many are left out", () => {
  const findings = Array.from({ length: 5 }, () => finding);
  const log = JSON.parse(toSarif({ ...report, findings }, AROUND, 3)) as Log;
  expect(log.runs[0]?.results).toHaveLength(3);
  expect(JSON.stringify(log.runs[0]?.invocations)).toContain("2 findings are only in the format json");
});

test("with a baseline the results tell their state, and what is gone is only counted", () => {
  const baseline = {
    file: "b.json",
    entries: 2,
    known: 1,
    new: 1,
    gone: 1,
    goneFindings: [],
    written: false,
  };
  const run = render({
    findings: [
      { ...finding, baseline: "known" },
      { ...finding, line: 2, baseline: "new" },
      { ...finding, line: 3, baseline: "known", inChange: "outside" },
    ],
    scope: { change: null, baseline },
  });
  expect(run.results.map(({ baselineState }) => baselineState)).toEqual(["new", "unchanged"]);
  expect(run.invocations[0]?.toolExecutionNotifications.map(({ message }) => message.text)).toContain(
    "Baseline b.json: 1 known and not shown, 1 new, 1 gone: --write-baseline removes them",
  );
  expect(render().results[0]).not.toHaveProperty("baselineState");
});
