// The parts of the scenario `workflows` that run in processes of the benchmark: an engine with one definition, and the start of a run.
import { createLogger, createMeter, newInstanceId } from "../../base/index.ts";
import { createEngine, WorkflowClient } from "../../engine/index.ts";
import type { Transport } from "../../transport/index.ts";
import { createTaskClient, type TaskClient } from "../../work/index.ts";
import { defineWorkflow, step } from "../../workflow/index.ts";
import { STEPS_PER_RUN } from "./figure.ts";

/** The name of the one definition. */
const BENCH_WORKFLOW = "steps";

const BENCH_DEFINITION = defineWorkflow({
  name: BENCH_WORKFLOW,
  version: 1,
  *run(input) {
    let last: unknown = input;
    for (let at = 1; at <= STEPS_PER_RUN; at++) last = yield* step(`step-${at}`, "echo", input);
    return last as never;
  },
});

/** Starts an engine. */
export async function startEngine(transport: Transport): Promise<void> {
  const meter = createMeter();
  const engine = createEngine({
    transport,
    meter,
    log: createLogger({ name: "bench", level: "warn" }),
    id: newInstanceId("engine"),
    definitions: {
      find: (name) => (name === BENCH_WORKFLOW ? BENCH_DEFINITION : undefined),
      list: () => [{ name: BENCH_WORKFLOW, versions: [1] }],
    },
    tasks: createTaskClient({ transport, meter }),
  });
  await engine.start();
}

/** Makes the function that starts one run and waits for its end. */
export function createRunner(transport: Transport, tasks: TaskClient, input: string): () => Promise<void> {
  const client = new WorkflowClient({ transport, tasks });
  return async () => {
    const { status } = await client.run({ workflow: BENCH_WORKFLOW, input });
    if (status !== "completed") throw new Error(`expected a completed run, got ${status}`);
  };
}
