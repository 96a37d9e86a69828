// The operation that submits many tasks in one call.
import { z } from "zod";
import { errorReplySchema, submitReplySchema, taskSchema } from "../../protocol/index.ts";
import { defineOperation } from "./operation.ts";
import { reachOfSubmit } from "./tasks.ts";

/** The most tasks of one call: about 100 ms of work for the swarm, so that a call ends within the caller's patience. */
export const MAX_BATCH_TASKS = 1_000;

const entrySchema = z.object({
  /** The id that the task has, or would have. */
  taskId: z.string(),
  /** The answer to the task; null for a refused one. */
  reply: submitReplySchema.nullable(),
  /** The reason why the swarm refused the task; null for an accepted one. */
  error: errorReplySchema.shape.error.nullable(),
});

export const submitTasks = defineOperation({
  name: "task-submit-batch",
  summary: "submit many tasks in one call",
  input: z.strictObject({
    tasks: z
      .array(taskSchema)
      .min(1)
      .max(MAX_BATCH_TASKS)
      .meta({ description: "the tasks; a task with a fault in its schema refuses the whole call" }),
  }),
  output: z.object({
    accepted: z.int(),
    refused: z.int(),
    /** One entry for each task, in their order. */
    tasks: z.array(entrySchema),
  }),
  /** The errors of single tasks are in their entries. */
  errors: ["payload_too_large"],
  access: "submit",
  reach: ({ tasks }) => ({
    capabilities: [...new Set(tasks.flatMap((task) => reachOfSubmit(task).capabilities ?? []))],
  }),
  async run({ client, request, signal }, { tasks }) {
    const entries: z.output<typeof entrySchema>[] = [];
    const options = { ...request, signal, patienceMs: 0, ordered: true };
    for await (const { taskId, value, error } of client.submitAll(tasks, options)) {
      entries.push({ taskId, reply: value ?? null, error: error?.toWire() ?? null });
    }
    const refused = entries.filter(({ error }) => error !== null).length;
    return { accepted: entries.length - refused, refused, tasks: entries };
  },
});
