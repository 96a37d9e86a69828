// The operation that delays a task for its host: an agent may not write to the stream of delayed tasks, whose subjects name no capability.
import { z } from "zod";
import {
  createSubjects,
  HEADERS,
  nameSchema,
  TASK_MESSAGE_LIMIT_BYTES,
  taskSchema,
  timeSchema,
} from "../../protocol/index.ts";
import { createLaterStore, DELAYED_HEADERS } from "../../work/index.ts";
import { defineOperation, readWithin } from "./operation.ts";

/** The most characters of a header: W3C allows 512 for a trace state, and every other one is shorter. */
const MAX_HEADER_LENGTH = 512;

export const delayTask = defineOperation({
  name: "task-delay",
  summary: "put a task aside until its time, for its host",
  input: z.strictObject({
    capability: nameSchema,
    task: nameSchema,
    priority: taskSchema.shape.priority,
    scope: taskSchema.shape.scope,
    dueAt: timeSchema.meta({ description: "the time at which it comes due" }),
    attempt: z.int().min(1).optional().meta({ description: "for a retry: the number of the next attempt" }),
    headers: z
      .partialRecord(z.enum([HEADERS.contentType, ...DELAYED_HEADERS]), z.string().max(MAX_HEADER_LENGTH))
      .meta({ description: "headers of its message that stay" }),
    data: z
      .custom<Uint8Array>((value) => value instanceof Uint8Array, {
        error: "must be bytes: send MessagePack",
      })
      .refine((bytes) => bytes.length <= TASK_MESSAGE_LIMIT_BYTES, {
        error: `must have at most ${TASK_MESSAGE_LIMIT_BYTES} bytes`,
      })
      .meta({ description: "its body, as it is stored" }),
  }),
  /** False: the task waits already, and its time stays as it is. */
  output: z.object({ isStored: z.boolean() }),
  errors: [],
  access: "submit",
  isForAgents: true,
  reach: ({ capability }) => ({ capabilities: [capability] }),
  async run(context, { task: taskId, dueAt, attempt, headers, data, ...at }) {
    const { transport } = context;
    const store = createLaterStore({ transport, subjects: createSubjects(transport.prefix) });
    const known: Readonly<Record<string, string | undefined>> = headers;
    const message = { data, header: (name: string) => known[name] };
    const options = attempt === undefined ? {} : { attempt };
    const stored = store.store({ ...at, taskId }, message, Date.parse(dueAt), options);
    return { isStored: await readWithin(context, stored) };
  },
});
