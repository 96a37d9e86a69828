import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { RawFinding } from "../../agents/review/index.ts";
import type { Result } from "../../src/protocol/index.ts";
import {
  type ReviewPorts,
  type ReviewProgress,
  type ReviewReport,
  reaches,
  renderReport,
  runReview,
} from "../../workflows/review/index.ts";

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

async function setup(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "review-run-"));
  made.push(directory);
  await writeFile(join(directory, "a.ts"), "export const a = 1;\n");
  return directory;
}

function result(facts: Partial<Result>): Result {
  const times = { startedAt: new Date(0).toISOString(), finishedAt: new Date(0).toISOString() };
  return {
    taskId: "t",
    status: "completed",
    attempt: 1,
    agent: "x-1",
    queuedMs: 0,
    ranMs: 0,
    ...times,
    ...facts,
  };
}

const LOW: RawFinding = {
  kind: "unused-variable",
  rule: "no-unused-vars",
  severity: "low",
  file: "a.ts",
  line: 1,
  message: "'a' is never used.",
  anchor: "a",
};
const empty = () => Promise.resolve(result({ output: { findings: [], ownRules: [] } }));
const only = ["review-oxlint", "review-biome"] as const;

describe("running a review", () => {
  test("one analyser that never answers costs its own findings only", async () => {
    const submit: ReviewPorts["submit"] = ({ capability }) =>
      capability === "review-biome"
        ? new Promise(() => undefined)
        : Promise.resolve(result({ output: { findings: [LOW], ownRules: [] } }));
    const report = await runReview({ submit }, { directory: await setup(), only, taskTimeoutMs: 20 });
    expect(report.status).toBe("partial");
    expect(report.findings).toHaveLength(1);
    expect(report.failedTasks).toEqual([
      { capability: "review-biome", error: expect.stringMatching(/^timeout: no answer for 40 ms/), files: 1 },
    ]);
  });

  test("when no task completes, the review failed", async () => {
    const failed = result({
      status: "failed",
      error: { code: "timeout", message: "too slow", retryable: true },
    });
    const report = await runReview({ submit: async () => failed }, { directory: await setup(), only });
    expect(report).toMatchObject({ status: "failed", tasks: 2, findings: [] });
    expect(report.failedTasks.map(({ error }) => error)).toEqual(["timeout: too slow", "timeout: too slow"]);
  });

  test("an answer of another shape is a failed task, not a crash", async () => {
    const output = { findings: [{ ...LOW, file: "../../etc/passwd" }], ownRules: [] };
    const submit = async () => result({ output });
    const report = await runReview({ submit }, { directory: await setup(), only });
    expect(report.failedTasks[0]?.error).toContain("invalid_input: the answer of x-1 is no review answer");
  });

  test("the whole time is a bound of its own", async () => {
    const submit = () => new Promise<Result>(() => undefined);
    const report = await runReview({ submit }, { directory: await setup(), only, timeoutMs: 20 });
    expect(report.failedTasks[0]?.error).toContain("the review's 20 ms are over");
  });

  test("an abort ends it with the signal's reason", async () => {
    const controller = new AbortController();
    const submit = () => {
      controller.abort(new Error("enough"));
      return new Promise<Result>(() => undefined);
    };
    const review = runReview({ submit }, { directory: await setup(), only, signal: controller.signal });
    await expect(review).rejects.toThrow("enough");
  });

  test("progress counts the tasks", async () => {
    const seen: ReviewProgress[] = [];
    const ports = { submit: empty, onProgress: (progress: ReviewProgress) => seen.push(progress) };
    await runReview(ports, { directory: await setup(), only });
    expect(seen.map(({ finished, tasks }) => `${finished}/${tasks}`)).toEqual(["0/2", "1/2", "2/2"]);
  });

  test("a directory that is not there is named", async () => {
    await expect(runReview({ submit: empty }, { directory: "/not/there" })).rejects.toMatchObject({
      code: "not_found",
      field: "directory",
    });
  });
});

describe("the report", () => {
  const finding = {
    fingerprint: "0123456789abcdef",
    kind: "unused-variable",
    rule: "no-unused-vars",
    severity: "low",
    file: "a.ts",
    line: 1,
    message: "'a' is never used.",
    agreedBy: ["review-biome", "review-oxlint"],
    confidence: 0.75,
  } as const;
  const report: ReviewReport = {
    status: "partial",
    directory: "/repo",
    files: 1,
    durationMs: 1234,
    agents: 2,
    tasks: 3,
    findings: [1, 2, 3].map((line) => ({ ...finding, line, agreedBy: [...finding.agreedBy] })),
    failedTasks: [{ capability: "review-docs", error: "timeout: no answer", files: 1 }],
  };

  test("groups findings, names who agrees, counts the rest, and says what is missing", () => {
    expect(renderReport(report, { perKind: 2 })).toBe(
      [
        "Review of /repo: partial",
        "1 file, 3 tasks, 2 agents, 1.2 s",
        "3 findings: 3 low; 3 reported by several analysers",
        "",
        "Correctness (3)",
        "  unused-variable [low]",
        "    a.ts:1  'a' is never used.",
        "      biome + oxlint, confidence 0.75",
        "    a.ts:2  'a' is never used.",
        "      biome + oxlint, confidence 0.75",
        "    … and 1 more, see --json",
        "",
        "Not done (1 task)",
        "  docs: its findings in 1 file are missing. timeout: no answer",
      ].join("\n"),
    );
  });

  test("counts, but does not show, what most linters that could see it do not see", () => {
    const doubtful = { ...report, findings: [{ ...finding, agreedBy: ["review-biome"], confidence: 0.4 }] };
    const text = renderReport(doubtful);
    expect(text).not.toContain("a.ts:1");
    expect(text).toContain("1 more that only one of several linters sees is in --json");
  });

  test("reaches a severity when a finding is at least that severe", () => {
    expect(reaches(report, "low")).toBe(true);
    expect(reaches(report, "medium")).toBe(false);
  });
});
