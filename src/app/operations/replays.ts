// The answer and the audit facts of a task that an operator submits again, from its dead letter or by its id.
import { z } from "zod";
import { type SubmitReply, submitReplySchema } from "../../protocol/index.ts";

/** The new task; with the fact whether the audit log has an entry about it. */
export const auditedReplySchema = submitReplySchema.extend({ audited: z.boolean() });

/** The new task. A repeated submission is noted too: it says who asked. */
export function describeReplay({ taskId, duplicate }: SubmitReply): Record<string, unknown> {
  return { replay: taskId, duplicate };
}
