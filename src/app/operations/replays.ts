// The answer and the audit entry of a task that an operator submits again, from its dead letter or by its id.
import { z } from "zod";
import { type SubmitReply, submitReplySchema } from "../../protocol/index.ts";
import { auditChange } from "../office/operation-audit.ts";
import type { OperationContext } from "./operation.ts";

/** The new task; with the fact whether the audit log has an entry about it. */
export const auditedReplySchema = submitReplySchema.extend({ audited: z.boolean() });

/** Notes that `task` was submitted again. A repeated submission is noted too: it says who asked. */
export function auditReplay(
  context: OperationContext,
  command: "dead-replay" | "task-retry",
  task: string,
  { taskId, duplicate }: SubmitReply,
): Promise<boolean> {
  return auditChange(context, { command, task, replay: taskId, duplicate });
}
