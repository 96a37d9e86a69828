import { expect, test } from "vitest";
import type { Result } from "../../../src/protocol/index.ts";
import { lintBallot, type ReviewPorts, type ReviewTask, Workload } from "../../../workflows/review/index.ts";

const task = (name: string, linters: 0 | 3 = 0): ReviewTask => ({
  capability: "review-security",
  input: { directory: "/repo", files: [name], trustRepoConfig: false },
  timeoutMs: 1,
  retry: { max: 0 },
  ...(linters === 0 ? {} : { ballot: lintBallot(["review-oxlint", "review-biome", "review-eslint"], 1) }),
});

/** A workload over a swarm that answers when the test says so. */
function setup(jobs: number) {
  let nowMs = 0;
  const workload = new Workload({ jobs, now: () => nowMs });
  const running = new Map<string, (result: Partial<Result>) => void>();
  const ports: ReviewPorts = workload.wrap({
    submit: ({ input }) =>
      new Promise((resolve) => {
        const [name = ""] = input.files;
        running.set(name, (result) => {
          running.delete(name);
          resolve(result as Result);
        });
      }),
    resultOf: () => Promise.reject(new Error("no seat was asked")),
  });
  const controller = new AbortController();
  const submit = (each: ReviewTask) => ports.submit(each, controller.signal);
  const end = async (name: string, afterMs = 0, result: Partial<Result> = {}) => {
    nowMs += afterMs;
    running.get(name)?.(result);
    // The task's own continuation, and the start of the next ones.
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  return { workload, ports, submit, end, controller, names: () => [...running.keys()] };
}

test("no more analyses run than the bound allows, and they start in their order", async () => {
  const { submit, end, names } = setup(2);
  const all = ["a", "b", "c", "d"].map((name) => submit(task(name)));
  await end("");
  expect(names()).toEqual(["a", "b"]);
  await end("a");
  expect(names()).toEqual(["b", "c"]);
  await end("b");
  await end("c");
  await end("d");
  await Promise.all(all);
});

test("a ballot counts each of its seats, and runs alone when it is heavier than the bound", async () => {
  const { submit, end, names } = setup(2);
  void submit(task("ballot", 3));
  void submit(task("a"));
  await end("");
  expect(names()).toEqual(["ballot"]);
  await end("ballot");
  expect(names()).toEqual(["a"]);
});

test("a task whose process died runs once more, after the others and alone, and no third time", async () => {
  const { submit, end, names } = setup(2);
  const died: Partial<Result> = {
    status: "failed",
    error: { code: "internal", message: "died", retryable: false },
  };
  const killer = submit(task("killer"));
  const beside = submit(task("beside"));
  const later = submit(task("later"));
  await end("");
  await end("killer", 0, died);
  await end("beside", 0, died);
  expect(names()).toEqual(["later"]);
  await end("later");
  expect(names()).toEqual(["killer"]);
  await end("killer", 0, died);
  expect(names()).toEqual(["beside"]);
  await end("beside", 0, { status: "completed" });
  expect(names()).toEqual([]);
  expect(await Promise.all([killer, beside, later])).toMatchObject([died, { status: "completed" }, {}]);
});

test("a task that failed by its own error, and a ballot, do not run again", async () => {
  const { submit, end, names } = setup(3);
  const own = submit(task("own"));
  await end("");
  await end("own", 0, { status: "failed", error: { code: "timeout", message: "late", retryable: true } });
  const ballot = submit(task("ballot", 3));
  await end("");
  await end("ballot", 0, { status: "failed", error: { code: "internal", message: "died", retryable: true } });
  expect(names()).toEqual([]);
  expect(await Promise.all([own, ballot])).toMatchObject([
    { error: { code: "timeout" } },
    { error: { code: "internal" } },
  ]);
});

test("an abort ends a task that waits, and the others keep their turn", async () => {
  const { submit, end, names, controller } = setup(1);
  void submit(task("a"));
  const waits = submit(task("b"));
  controller.abort(new Error("enough"));
  await expect(waits).rejects.toThrow("enough");
  await expect(submit(task("c"))).rejects.toThrow("enough");
  await end("a");
  expect(names()).toEqual([]);
});

test("the time left is an estimate from the work that is done, once that is enough", async () => {
  const { workload, ports, submit, end } = setup(4);
  const tasks = ["a", "b", "c", "d"].map((name) => task(name));
  await ports.ready?.(tasks, undefined);
  for (const each of tasks) void submit(each);
  await end("");
  expect(workload.progress()).toEqual({ share: 0, leftMs: null });
  await end("a", 1_000);
  expect(workload.progress()).toEqual({ share: 0.25, leftMs: null });
  await end("b", 9_000);
  expect(workload.progress()).toEqual({ share: 0.5, leftMs: 10_000 });
  await end("c");
  await end("d");
  expect(workload.progress()).toEqual({ share: 1, leftMs: 0 });
});
