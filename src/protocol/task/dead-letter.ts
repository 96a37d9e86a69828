// The dead letter: the copy of a task that failed for good. Owns its schema; storing and replaying dead letters belongs to
// the work room.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { PRIORITIES } from "../wire/subjects.ts";
import { resultErrorSchema } from "./result.ts";

/** A dead letter: the task's body as it arrived, and the error of its last attempt. */
export const deadLetterSchema = z.object({
  taskId: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: z.string(),
  subject: z.string(),
  reason: resultErrorSchema,
  /** The stack of the last attempt's error and of its causes, at most 8 KiB, without secrets. */
  trace: z.string().optional(),
  attempts: z.int(),
  agent: z.string(),
  diedAt: z.string(),
  /** The body exactly as published, base64. */
  payload: z.string(),
  contentType: z.string().nullable(),
});
/** A dead letter. */
export type DeadLetter = z.output<typeof deadLetterSchema>;
