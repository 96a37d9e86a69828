import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type Analysis,
  castVote,
  type Linter,
  type RawFinding,
  type ReviewOutput,
  type Unjudged,
} from "../../../agents/lib/review/index.ts";
import { type ReviewOptions, type ReviewTask, runReview } from "../../../workflows/review/index.ts";
import { disputedFiles } from "../../../workflows/review/tasks/referee.ts";
import { localSwarm } from "../local-swarm.ts";

const unused = (file: string, line = 1, kind = "unused-variable"): RawFinding => ({
  kind,
  rule: kind,
  severity: "low",
  file,
  line,
  message: "It is not used.",
  anchor: "a",
});

/** Reviews `agreed.js` and `disputed.js` with linters that answer as given, and tells which files each got. */
async function review(
  answers: Partial<Record<Linter, Partial<ReviewOutput>>>,
  options: Partial<ReviewOptions> = {},
) {
  const directory = mkdtempSync(join(tmpdir(), "review-referee-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const name of ["agreed.js", "disputed.js"]) writeFileSync(join(directory, name), "let a;\n");
  const asked: Partial<Record<Linter, string[]>> = {};
  const opened: string[] = [];
  const submitted: ReviewTask[] = [];
  const answer =
    (linter: Linter): Analysis =>
    async ({ files }) => {
      asked[linter] = [...(asked[linter] ?? []), ...files];
      return castVote({ findings: [], unsure: [], unjudged: [], ...answers[linter] });
    };
  const empty: Analysis = async () => ({ findings: [], unsure: [], unjudged: [] });
  const swarm = localSwarm({
    "review-oxlint": answer("review-oxlint"),
    "review-biome": answer("review-biome"),
    "review-eslint": answer("review-eslint"),
    "review-security": empty,
    "review-architecture": empty,
    "review-performance": empty,
    "review-tests": empty,
    "review-docs": empty,
  });
  const ready = async (tasks: readonly ReviewTask[]) => {
    submitted.push(...tasks);
    opened.push(tasks.map(({ capability }) => capability).join(" "));
  };
  const report = await runReview({ ...swarm, ready }, { directory, ...options });
  const judged = report.coverage.analysers.find(({ capability }) => capability === "review-eslint")?.judged;
  return { report, asked, opened, judged, tasks: submitted };
}

const BOTH = ["agreed.js", "disputed.js"];

describe("ESLint as the referee", () => {
  test("is asked only about the files on which oxlint and Biome differ, and decides there", async () => {
    const { report, asked, opened, judged } = await review({
      "review-oxlint": { findings: [unused("agreed.js"), unused("disputed.js"), unused("disputed.js", 2)] },
      "review-biome": { findings: [unused("agreed.js")] },
      "review-eslint": { findings: [unused("disputed.js", 2)] },
    });
    expect(asked).toEqual({
      "review-oxlint": BOTH,
      "review-biome": BOTH,
      "review-eslint": ["disputed.js"],
    });
    expect(opened).toHaveLength(2);
    expect(opened[1]).toBe("review-eslint");
    expect(
      report.findings.map(({ file, line, agreedBy, silent }) => [file, line, agreedBy, silent]).sort(),
    ).toEqual([
      ["agreed.js", 1, ["review-biome", "review-oxlint"], []],
      ["disputed.js", 1, ["review-oxlint"], ["review-biome", "review-eslint"]],
      ["disputed.js", 2, ["review-eslint", "review-oxlint"], ["review-biome"]],
    ]);
    expect(report.status).toBe("completed");
    expect(judged).toBe(1);
    expect(report.agreement.map(({ agreeing, able }) => `${agreeing} of ${able}`)).toEqual([
      "3 of 3",
      "2 of 3",
      "1 of 3",
      "2 of 2",
      "1 of 2",
    ]);
  });

  test("is not asked when the others agree, and its silence does not count", async () => {
    const both = { findings: [unused("agreed.js")] };
    const { report, asked, judged } = await review({ "review-oxlint": both, "review-biome": both });
    expect(asked["review-eslint"]).toBeUndefined();
    expect(judged).toBeUndefined();
    expect(report.status).toBe("completed");
    expect(report.findings[0]).toMatchObject({ agreedBy: ["review-biome", "review-oxlint"], silent: [] });
  });

  test("is missing only when it is needed", async () => {
    const absent = new Map([["review-eslint", "no agent offers it"]] as const);
    expect((await review({}, { absent })).report.status).toBe("completed");
    const { report } = await review({ "review-biome": { findings: [unused("disputed.js")] } }, { absent });
    expect(report.failedTasks).toEqual([
      { capability: "review-eslint", error: "unavailable: no agent offers it", files: 1 },
    ]);
  });

  test("runs in the same sandbox as the other linters", async () => {
    const sandbox = { by: "bwrap", program: "/usr/bin/bwrap" } as const;
    const measure = { had: true, by: "bwrap" } as const;
    const { tasks } = await review(
      { "review-biome": { findings: [unused("disputed.js")] } },
      { protection: { sandbox, readOnly: measure, noNetwork: measure } },
    );
    const sandboxed = tasks.filter(({ input }) => "sandbox" in input).map(({ capability }) => capability);
    expect(sandboxed).toEqual(["review-oxlint", "review-eslint"]);
  });

  test.each<[string, Partial<ReviewOptions>]>([
    ["the user names it", { only: ["review-oxlint", "review-biome", "review-eslint"] }],
    ["the linters load the repository's rules", { trustRepoConfig: true }],
    ["one of the others has no agent", { absent: new Map([["review-biome", "no agent offers it"]]) }],
  ])("has a seat when %s", async (_, options) => {
    expect((await review({}, options)).asked["review-eslint"]).toEqual(BOTH);
  });
});

describe("a disputed file", () => {
  const outcome = (capability: Linter, findings: RawFinding[], unjudged: Unjudged[] = []) => ({
    capability,
    files: ["a.js", "b.vue"],
    answer: { findings, unjudged },
  });

  test("may have a syntax error for one linter, but needs an encoding that all linters read", () => {
    const broken: Unjudged = { file: "a.js", why: "parse-error" };
    const latin: Unjudged = { file: "a.js", why: "not-utf8" };
    const other = outcome("review-biome", []);
    expect([...disputedFiles([outcome("review-oxlint", [], [broken]), other])]).toEqual(["a.js"]);
    expect([...disputedFiles([outcome("review-oxlint", [], [latin]), other])]).toEqual([]);
  });

  test("is none over a kind that not all linters know, and never a component", () => {
    const own = [unused("a.js", 1, "no-thenable"), unused("b.vue")];
    expect([...disputedFiles([outcome("review-oxlint", own), outcome("review-biome", [])])]).toEqual([]);
  });

  test("is no file with too many findings for one linter: the referee would take as long", () => {
    const crowded: Unjudged = { file: "a.js", why: "too-many-findings" };
    const ofOxlint = outcome("review-oxlint", [unused("a.js")]);
    expect([...disputedFiles([ofOxlint, outcome("review-biome", [])])]).toEqual(["a.js"]);
    expect([...disputedFiles([ofOxlint, outcome("review-biome", [], [crowded])])]).toEqual([]);
  });

  test("is every file of a linter that failed", () => {
    const failed = { capability: "review-biome" as const, files: ["a.js", "b.vue"], answer: null };
    expect([...disputedFiles([outcome("review-oxlint", []), failed])]).toEqual(["a.js"]);
  });
});
