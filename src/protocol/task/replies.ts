// The short replies about a task: the reply to a submission, and a host's reply to the question where a task runs.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { PRIORITIES } from "../wire/subjects.ts";

/** The reply of `<p>.submit` when the caller does not wait for the result. */
export const submitReplySchema = z.object({
  taskId: tokenSchema,
  status: z.literal("accepted"),
  duplicate: z.boolean(),
  subject: z.string(),
});
/** The reply of `<p>.submit` when the caller does not wait for the result. */
export type SubmitReply = z.output<typeof submitReplySchema>;

/** The reply of `<p>.where.<taskId>` from the host that runs the task. `progress` is 0–100. */
export const whereReplySchema = z.object({
  attempt: z.int(),
  progress: z.number().nullable(),
  agent: z.string(),
  startedAt: z.string(),
  /** Set only in the leader's reply about an open ballot. Then `agent` is "-", and the task is in no stream. */
  ballot: z
    .object({
      capability: tokenSchema,
      scope: tokenSchema,
      priority: z.enum(PRIORITIES),
      seats: z.int(),
      answered: z.int(),
    })
    .optional(),
});
/** The reply of `<p>.where.<taskId>`. */
export type WhereReply = z.output<typeof whereReplySchema>;
