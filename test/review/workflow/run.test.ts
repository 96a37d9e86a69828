import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { castVote, type RawFinding } from "../../../agents/lib/review/index.ts";
import type { BallotInput, Result, Verdict } from "../../../src/protocol/index.ts";
import { renderBaseline } from "../../../workflows/review/baseline/index.ts";
import {
  BASELINE_FILE,
  type Protection,
  partsOf,
  prepareReview,
  type ReviewPorts,
  type ReviewProgress,
  type ReviewTask,
  reaches,
  recordBaseline,
  renderReport,
  reportSchema,
  runReview,
} from "../../../workflows/review/index.ts";
import { countVotes } from "../local-swarm.ts";

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
const empty = () => Promise.resolve(result({ output: { findings: [], unsure: [], unjudged: [] } }));
const only = ["review-security", "review-performance"] as const;
const resultOf = () => Promise.reject(new Error("no seat was asked"));

describe("running a review", () => {
  test("files over the limit make the review partial, because a fault may be in them", async () => {
    const directory = await setup();
    const review = () => runReview({ submit: empty, resultOf }, { directory, only });
    expect((await review()).status).toBe("completed");
    await writeFile(join(directory, "b.ts"), "export const b = 1;\n");
    await writeFile(join(directory, "murmur-review.yaml"), "limits:\n  files: 1\n");
    const report = await review();
    expect(report.leftOut).toMatchObject([{ reason: "over-the-limit" }]);
    expect(report.status).toBe("partial");
  });

  test("the review scans while the sandbox is tried out, and submits no task before the answer", async () => {
    const { promise, resolve } = Promise.withResolvers<Protection>();
    const sandbox = { by: "unshare", program: "/usr/bin/unshare" } as const;
    const submitted: ReviewTask[] = [];
    const submit: ReviewPorts["submit"] = (task) => {
      submitted.push(task);
      return empty();
    };
    const onScan = () => {
      expect(submitted).toEqual([]);
      const measure = { had: true, by: sandbox.by } as const;
      resolve({ sandbox, readOnly: measure, noNetwork: measure });
    };
    const report = await runReview(
      { submit, resultOf, onScan },
      { directory: await setup(), only: ["review-eslint"], protection: promise },
    );
    expect(submitted.map(({ input }) => input.sandbox)).toEqual([sandbox]);
    expect(report.safety.sandbox.noNetwork).toEqual({ had: true, by: "unshare" });
  });

  test("an analyser that never answers costs only its own findings", async () => {
    const submit: ReviewPorts["submit"] = ({ capability }) =>
      capability === "review-performance"
        ? new Promise(() => undefined)
        : Promise.resolve(result({ output: { findings: [LOW], unsure: [], unjudged: [] } }));
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

  test("the coverage names each file that an analyser did not judge, and the report counts only read files", async () => {
    const directory = await setup();
    await writeFile(join(directory, "b.ts"), "export const b = 1;\n");
    const unread = { file: "b.ts", why: "unreadable", message: "EACCES" } as const;
    const broken = { file: "a.ts", why: "parse-error" } as const;
    const submit: ReviewPorts["submit"] = async ({ capability }) =>
      result({
        output: {
          findings: [],
          unsure: [],
          unjudged: capability === "review-security" ? [unread] : [broken, unread],
        },
      });
    const report = await runReview({ submit, resultOf }, { directory, only });
    expect(report.coverage).toEqual({
      analysers: [
        { capability: "review-security", judged: 1, unjudged: [unread] },
        { capability: "review-performance", judged: 0, unjudged: [broken, unread] },
      ],
      unread: [unread],
      missed: ["b.ts"],
    });
    expect(report.files).toBe(1);
  });

  test("a file that changes or goes while the review runs is told, and the review is partial", async () => {
    const directory = await setup();
    for (const file of ["b.ts", "c.ts"]) await writeFile(join(directory, file), "export {};\n");
    const submit: ReviewPorts["submit"] = async () => {
      await writeFile(join(directory, "a.ts"), "export const a = 22;\n");
      await rm(join(directory, "b.ts"), { force: true });
      return result({ output: { findings: [LOW], unsure: [], unjudged: [] } });
    };
    const report = await runReview({ submit, resultOf }, { directory, only: ["review-security"] });
    expect(report).toMatchObject({ status: "partial", files: 1, coverage: { missed: ["a.ts", "b.ts"] } });
    expect(report.coverage.analysers[0]).toMatchObject({
      judged: 1,
      unjudged: [
        { file: "a.ts", why: "changed-meanwhile" },
        { file: "b.ts", why: "changed-meanwhile" },
      ],
    });
    expect(report.findings).toHaveLength(1);
  });

  test("a review without a completed task is failed", async () => {
    const failed = result({
      status: "failed",
      error: { code: "timeout", message: "too slow", retryable: true },
    });
    const report = await runReview(
      { submit: async () => failed, resultOf },
      { directory: await setup(), only },
    );
    expect(report).toMatchObject({ status: "failed", files: 0, tasks: 2, findings: [] });
    expect(report.failedTasks.map(({ error }) => error)).toEqual(["timeout: too slow", "timeout: too slow"]);
  });

  test("an answer with a wrong shape is a failed task, not a crash", async () => {
    const output = { findings: [{ ...LOW, file: "../../etc/passwd" }], unsure: [], unjudged: [] };
    const submit = async () => result({ output });
    const report = await runReview({ submit, resultOf }, { directory: await setup(), only });
    expect(report.failedTasks[0]?.error).toContain("invalid_input: the answer of x-1 is not a review answer");
  });

  test("an analyser without an agent is reported missing at once, and no task is submitted for it", async () => {
    const absent = new Map([["review-performance", "no agent offers it"]] as const);
    const report = await runReview({ submit: empty, resultOf }, { directory: await setup(), only, absent });
    expect(report).toMatchObject({ status: "partial", files: 1, tasks: 2, agents: 1 });
    expect(report.coverage.analysers.at(-1)).toEqual({
      capability: "review-performance",
      judged: 0,
      unjudged: [{ file: "a.ts", why: "tool-failed", message: "unavailable: no agent offers it" }],
    });
    expect(report.failedTasks).toEqual([
      { capability: "review-performance", error: "unavailable: no agent offers it", files: 1 },
    ]);
  });

  test("the linters share one ballot with a seat each, and a seat without an answer is a failed task", async () => {
    const asked: ReviewTask[] = [];
    const seats = [
      {
        status: "completed",
        output: castVote({ findings: [{ ...LOW, kind: "unused-variable" }], unsure: [], unjudged: [] }),
      },
      { status: "failed", error: { code: "internal", message: "it crashed", retryable: false } },
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
      { capability: "review-biome", error: "internal: it crashed", files: 1 },
    ]);
  });

  test("the whole review has its own time limit", async () => {
    const submit = () => new Promise<Result>(() => undefined);
    const report = await runReview({ submit, resultOf }, { directory: await setup(), only, timeoutMs: 20 });
    expect(report.failedTasks[0]?.error).toContain("the review took longer than 20 ms");
  });

  test("an abort ends the review with the signal's reason", async () => {
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

  test("a missing directory is rejected with not_found, naming the field", async () => {
    await expect(runReview({ submit: empty, resultOf }, { directory: "/not/there" })).rejects.toMatchObject({
      code: "not_found",
      field: "directory",
    });
  });

  test("a review of a change judges the changed files, shows findings on changed lines, and counts the others", async () => {
    const directory = await setup();
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], { cwd: directory });
    git("init", "-q", "-b", "main");
    await writeFile(join(directory, "b.ts"), "1\n2\n3\n");
    git("add", "-A");
    git("commit", "-qm", "x");
    await writeFile(join(directory, "b.ts"), "1\ntwo\n3\n");
    await writeFile(join(directory, ".eslintignore"), "*\n");
    const asked: ReviewTask[] = [];
    const high = { ...LOW, severity: "high" as const };
    const findings = [
      { ...LOW, file: "b.ts", line: 2 },
      { ...high, file: "b.ts", line: 3 },
      { ...high, file: "a.ts", line: 1 },
    ];
    const submit: ReviewPorts["submit"] = async (task) => {
      asked.push(task);
      return result({ output: { findings, unsure: [], unjudged: [] } });
    };
    const report = await runReview(
      { submit, resultOf },
      { directory, only: ["review-performance"], changed: true, all: true },
    );
    expect(asked.map(({ input }) => input.files)).toEqual([["b.ts"]]);
    expect(partsOf(report).shown.map(({ file, line }) => `${file}:${line}`)).toEqual(["b.ts:2"]);
    expect(report.findings).toHaveLength(3);
    expect([reaches(report, "low"), reaches(report, "high")]).toEqual([true, false]);
    expect(report.scope?.change).toMatchObject({
      base: "main",
      untouched: { inChangedFiles: 1, elsewhere: 1 },
      narrowing: [".eslintignore"],
    });
    // The ignore list is new in this change, so it does not count yet.
    expect(report.leftOut).toEqual([]);
    expect(renderReport(report)).toContain(
      "1 more in files that changed, on lines that did not; 1 in other files",
    );
    expect(renderReport(report)).toContain("This change edits .eslintignore, which can silence findings");
  });
});

describe("a review with a baseline", () => {
  const LINK = { ...LOW, kind: "broken-link", rule: "missing-file" };
  const HIGH = { ...LINK, kind: "code-injection", severity: "high" as const, anchor: "b" };

  async function review(options: Partial<Parameters<typeof runReview>[1]> & { findings: RawFinding[] }) {
    const { findings, directory = await setup(), ...more } = options;
    const submit: ReviewPorts["submit"] = async ({ capability }) =>
      result({
        output: { findings: capability === "review-security" ? findings : [], unsure: [], unjudged: [] },
      });
    const prepared = await prepareReview({ directory, ...more });
    const report = await runReview({ submit, resultOf }, { directory, only, ...more, prepared });
    return { directory, prepared, report };
  }

  test("shows and counts new findings only, and every format tells the baseline", async () => {
    const first = await review({ findings: [LINK], writeBaseline: true });
    const recorded = await recordBaseline(first.prepared, first.report);
    expect(partsOf(recorded)).toMatchObject({ shown: [], known: [{ kind: "broken-link" }] });
    expect(renderReport(recorded)).toContain("1 finding is known from now on");
    const second = await review({
      findings: [{ ...LINK, line: 7 }],
      directory: first.directory,
      baseline: true,
    });
    expect(reaches(second.report, "low")).toBe(false);
    expect(second.report.leftOut).toMatchObject([{ reason: "own-file", files: [{ path: BASELINE_FILE }] }]);
    const third = await review({ findings: [LINK, HIGH], directory: first.directory, baseline: true });
    expect(third.report.scope?.baseline).toMatchObject({ file: BASELINE_FILE, entries: 1, known: 1, new: 1 });
    expect(reaches(third.report, "high")).toBe(true);
    expect(renderReport(third.report)).toContain(`Baseline ${BASELINE_FILE}: 1 known and not shown, 1 new`);
    expect(reportSchema.safeParse(third.report).error).toBeUndefined();
  });

  test("counts findings that are gone only when every analyser has judged every file", async () => {
    const directory = await setup();
    const lines = { ...LINK, fingerprint: "0123456789abcdef" };
    await writeFile(join(directory, BASELINE_FILE), renderBaseline([lines]));
    const part = await review({ findings: [], directory, baseline: true });
    expect(part.report.scope?.baseline).toMatchObject({ gone: null, goneFindings: [] });
    expect(renderReport(part.report)).toContain("gone ones are only counted in a complete review");
  });

  test("that is partial makes no baseline", async () => {
    const { prepared, report, directory } = await review({ findings: [LINK], writeBaseline: true });
    const failedTasks = [{ capability: "review-docs", error: "timeout: no answer", files: 1 }];
    await expect(
      recordBaseline(prepared, { ...report, status: "partial", failedTasks }),
    ).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringMatching(
        /this one is partial.*review-docs: timeout: no answer.*nothing was written/,
      ),
    });
    expect(await readdir(directory)).toEqual(["a.ts"]);
  });
});
