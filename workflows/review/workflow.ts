// The review of `murmur review` as a workflow: its run survives any process, and its report is the same.
//   murmur up --detach --agents review-desk,review-security,review-architecture,review-biome,review-oxlint,review-eslint,review-performance,review-tests,review-docs
//   murmur workflow start review --input '{"directory":"/path/of/a/repository"}' --wait
import { defineWorkflow, type Flow, map, step } from "murmur-swarm";
import { z } from "zod";

/** The tasks in progress; the swarm's queue has the others. */
const REVIEW_TASKS_IN_FLIGHT = 32;
/** The stages of a review: the analysers, and the referee of the linters. */
const STAGES = ["analysers", "referee"] as const;

const input = z.strictObject({
  /** The repository: an absolute path on the machines of the agents. */
  directory: z.string().min(1),
  only: z.array(z.string()).optional(),
  changed: z.union([z.string(), z.literal(true)]).optional(),
});
const planned = z.object({
  tasks: z.array(
    z.object({
      key: z.string(),
      capability: z.string(),
      input: z.json(),
      timeoutMs: z.number(),
      retry: z.object({ max: z.int() }),
    }),
  ),
});

export default defineWorkflow({
  name: "review",
  version: 1,
  description: "Reviews a repository, as murmur review does.",
  input,
  *run(options): Flow<unknown> {
    const outcomes: unknown[] = [];
    for (const stage of STAGES) {
      const plan = yield* step(`plan-${stage}`, "review-plan", { options, outcomes }, { output: planned });
      const limits = { concurrency: REVIEW_TASKS_IN_FLIGHT, tolerate: "100%" } as const;
      const ends = yield* map(stage, plan.tasks, limits, (task) =>
        step("part", task.capability, task.input, { timeoutMs: task.timeoutMs, retry: task.retry }),
      );
      for (const [index, end] of ends.entries()) {
        const { key } = plan.tasks[index] ?? { key: "-" };
        outcomes.push(end.ok ? { key, output: end.value } : { key, error: failureOf(end.error) });
      }
    }
    return yield* step("report", "review-report", { options, outcomes });
  },
});

function failureOf(error: Error): { code: string; message: string } {
  return { code: "code" in error ? String(error.code) : "internal", message: error.message };
}
