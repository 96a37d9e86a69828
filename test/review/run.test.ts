import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { castVote, type RawFinding } from "../../agents/lib/review/index.ts";
import type { BallotInput, Result, Verdict } from "../../src/protocol/index.ts";
import {
  type Finding,
  type ReviewPorts,
  type ReviewProgress,
  type ReviewReport,
  type ReviewTask,
  reaches,
  renderReport,
  runReview,
} from "../../workflows/review/index.ts";
import { countVotes } from "./local-swarm.ts";

type Seat = Verdict["seats"][number];

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
  kind: "large-file",
  rule: "large-file",
  severity: "low",
  file: "a.ts",
  line: 1,
  message: "1,001 lines.",
  anchor: "a",
};
const empty = () => Promise.resolve(result({ output: { findings: [], unsure: [] } }));
const only = ["review-security", "review-performance"] as const;
const resultOf = () => Promise.reject(new Error("no seat was asked"));

describe("running a review", () => {
  test("one analyser that never answers costs its own findings only", async () => {
    const submit: ReviewPorts["submit"] = ({ capability }) =>
      capability === "review-performance"
        ? new Promise(() => undefined)
        : Promise.resolve(result({ output: { findings: [LOW], unsure: [] } }));
    const report = await runReview(
      { submit, resultOf },
      { directory: await setup(), only, taskTimeoutMs: 20 },
    );
    expect(report.status).toBe("partial");
    expect(report.findings).toHaveLength(1);
    expect(report.failedTasks).toEqual([
      {
        capability: "review-performance",
        error: expect.stringMatching(/^timeout: no answer for 40 ms/),
        files: 1,
      },
    ]);
  });

  test("when no task completes, the review failed", async () => {
    const failed = result({
      status: "failed",
      error: { code: "timeout", message: "too slow", retryable: true },
    });
    const report = await runReview(
      { submit: async () => failed, resultOf },
      { directory: await setup(), only },
    );
    expect(report).toMatchObject({ status: "failed", tasks: 2, findings: [] });
    expect(report.failedTasks.map(({ error }) => error)).toEqual(["timeout: too slow", "timeout: too slow"]);
  });

  test("an answer of another shape is a failed task, not a crash", async () => {
    const output = { findings: [{ ...LOW, file: "../../etc/passwd" }], unsure: [] };
    const submit = async () => result({ output });
    const report = await runReview({ submit, resultOf }, { directory: await setup(), only });
    expect(report.failedTasks[0]?.error).toContain("invalid_input: the answer of x-1 is no review answer");
  });

  test("an analyser that nobody performs is missing at once, and nobody is asked", async () => {
    const absent = new Map([["review-performance", "no agent offers it"]] as const);
    const report = await runReview({ submit: empty, resultOf }, { directory: await setup(), only, absent });
    expect(report).toMatchObject({ status: "partial", tasks: 2, agents: 1 });
    expect(report.failedTasks).toEqual([
      { capability: "review-performance", error: "unavailable: no agent offers it", files: 1 },
    ]);
  });

  test("the linters are one ballot with a seat for each, and a seat without an answer is a failed task", async () => {
    const asked: ReviewTask[] = [];
    const seats = [
      {
        status: "completed",
        output: castVote({ findings: [{ ...LOW, kind: "unused-variable" }], unsure: [] }),
      },
      { status: "failed", error: { code: "internal", message: "it broke", retryable: false } },
    ] as const;
    const submit: ReviewPorts["submit"] = async (task) => {
      asked.push(task);
      const { verdict } = countVotes(task.ballot as BallotInput, seats);
      const [first, second] = verdict.seats as [Seat, Seat];
      return result({ verdict: { ...verdict, seats: [{ ...first, taskId: "seat-1" }, second] } });
    };
    const report = await runReview(
      { submit, resultOf: async () => result(seats[0]) },
      { directory: await setup(), only: ["review-oxlint", "review-biome"] },
    );
    expect(asked).toMatchObject([
      {
        capability: "review-oxlint",
        ballot: { panel: ["review-oxlint", "review-biome"], strategy: "merge" },
      },
    ]);
    expect(report.findings).toMatchObject([{ agreedBy: ["review-oxlint"], silent: [] }]);
    expect(report.failedTasks).toEqual([
      { capability: "review-biome", error: "internal: it broke", files: 1 },
    ]);
  });

  test("the whole time is a bound of its own", async () => {
    const submit = () => new Promise<Result>(() => undefined);
    const report = await runReview({ submit, resultOf }, { directory: await setup(), only, timeoutMs: 20 });
    expect(report.failedTasks[0]?.error).toContain("the review's 20 ms are over");
  });

  test("an abort ends it with the signal's reason", async () => {
    const controller = new AbortController();
    const submit = () => {
      controller.abort(new Error("enough"));
      return new Promise<Result>(() => undefined);
    };
    const review = runReview(
      { submit, resultOf },
      { directory: await setup(), only, signal: controller.signal },
    );
    await expect(review).rejects.toThrow("enough");
  });

  test("progress counts the tasks", async () => {
    const seen: ReviewProgress[] = [];
    const ports = { submit: empty, resultOf, onProgress: (progress: ReviewProgress) => seen.push(progress) };
    await runReview(ports, { directory: await setup(), only });
    expect(seen.map(({ finished, tasks }) => `${finished}/${tasks}`)).toEqual(["0/2", "1/2", "2/2"]);
  });

  test("a directory that is not there is named", async () => {
    await expect(runReview({ submit: empty, resultOf }, { directory: "/not/there" })).rejects.toMatchObject({
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
    severity: "low" as const,
    file: "a.ts",
    line: 1,
    message: "'a' is never used.",
    agreedBy: ["review-biome", "review-oxlint"],
    silent: ["review-eslint"],
    confidence: 0.75,
  } satisfies Partial<Finding>;
  const report: ReviewReport = {
    status: "partial",
    directory: "/repo",
    files: 1,
    durationMs: 1234,
    agents: 2,
    tasks: 3,
    agreement: [{ agreeing: 2, able: 3, confidence: 0.75, right: 30, labelled: 40 }],
    findings: [1, 2, 3].map((line) => ({ ...finding, line })),
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
        "      biome + oxlint, not eslint: confidence 0.75",
        "    a.ts:2  'a' is never used.",
        "      biome + oxlint, not eslint: confidence 0.75",
        "    … and 1 more, see --json",
        "",
        "Confidence: how often linters that agree so were right where the truth is known (docs/review.md)",
        "  2 of 3 linters: 0.75 (30 of 40 labelled findings were right)",
        "",
        "Not done (1 task)",
        "  docs: its findings in 1 file are missing. timeout: no answer",
      ].join("\n"),
    );
  });

  test("counts, but does not show, what at least half of the linters that could see it do not see", () => {
    const doubtful = { ...report, findings: [{ ...finding, agreedBy: ["review-biome"], confidence: 0.4 }] };
    const text = renderReport(doubtful);
    expect(text).not.toContain("a.ts:1");
    expect(text).toContain("1 more that at least half of the linters do not see is in --json");
  });

  test("says of a finding that one analyser alone can see that nothing checks it", () => {
    const alone = {
      ...report,
      findings: [{ ...finding, agreedBy: ["review-docs"], silent: [], confidence: null }],
    };
    const text = renderReport(alone);
    expect(text).toContain("docs, which nothing else can check");
    expect(text).not.toContain("Confidence");
  });

  test("reaches a severity when a finding is at least that severe", () => {
    expect(reaches(report, "low")).toBe(true);
    expect(reaches(report, "medium")).toBe(false);
  });
});
