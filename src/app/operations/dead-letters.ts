// Operations on dead letters: tasks that failed for good.
import { z } from "zod";
import { deadLetterSchema, submitReplySchema, tokenSchema } from "../../protocol/index.ts";
import { MAX_LIST_LIMIT } from "../../work/index.ts";
import { defineOperation, readWithin } from "./operation.ts";

const oneLetter = z.strictObject({
  task: tokenSchema.meta({ description: "the id of the task that failed" }),
});
const capability = tokenSchema.optional().meta({ description: "only letters of this capability" });

export const listDeadLetters = defineOperation({
  name: "dead-list",
  summary: "list dead letters",
  input: z.strictObject({
    capability,
    limit: z.int().min(1).max(MAX_LIST_LIMIT).default(50).meta({ description: "at most this many" }),
  }),
  output: z.object({ dead: z.array(deadLetterSchema) }),
  errors: [],
  access: "read",
  run: async (context, input) => ({ dead: await readWithin(context, context.tasks.dead.list(input)) }),
});

export const showDeadLetter = defineOperation({
  name: "dead-show",
  summary: "show one dead letter",
  input: oneLetter,
  output: deadLetterSchema,
  errors: ["not_found"],
  access: "read",
  run: (context, { task }) => readWithin(context, context.tasks.dead.show(task)),
});

export const replayDeadLetter = defineOperation({
  name: "dead-replay",
  summary: "submit the task of a dead letter again",
  input: oneLetter,
  output: submitReplySchema,
  errors: ["not_found", "conflict", "cancelled", "unknown_capability", "rate_limited"],
  access: "operate",
  run: (context, { task }) => readWithin(context, context.tasks.dead.replay(task)),
});

export const purgeDeadLetters = defineOperation({
  name: "dead-purge",
  summary: "remove dead letters",
  input: z
    .strictObject({
      task: tokenSchema.optional().meta({ description: "one letter" }),
      capability,
      all: z.boolean().default(false).meta({ description: "every letter" }),
    })
    .refine(({ task, capability: only, all }) => [task, only, all].filter(Boolean).length === 1, {
      error: "name one of: a task, --capability, --all",
      path: ["task"],
    }),
  output: z.object({ purged: z.int() }),
  errors: ["not_found"],
  access: "operate",
  async run(context, { task, capability: only }) {
    const { dead } = context.tasks;
    return { purged: await readWithin(context, dead.purge({ taskId: task, capability: only })) };
  },
});
