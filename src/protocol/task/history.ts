// The history of a task: one line for each attempt. Owns the schema; the work room computes the lines from the journal.
import { z } from "zod";
import { resultErrorSchema } from "./result.ts";
import { stepLineSchema } from "./step.ts";

/** The ends of an attempt. `returned`: its process gave the task back. `died`: its process died. */
export const ATTEMPT_OUTCOMES = [
  "running",
  "completed",
  "failed",
  "cancelled",
  "handed-off",
  "returned",
  "died",
] as const;

/** One attempt of a task. A time is missing when no record has it. */
export const attemptLineSchema = z.object({
  attempt: z.int(),
  agent: z.string(),
  outcome: z.enum(ATTEMPT_OUTCOMES),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  /** The earliest start of the next attempt. */
  retryAt: z.string().optional(),
  error: resultErrorSchema.optional(),
  /** The stack of the error and of its causes, at most 8 KiB, without secrets. */
  trace: z.string().optional(),
});
/** One attempt of a task. */
export type AttemptLine = z.output<typeof attemptLineSchema>;

/** The attempts of a task in their order, and the number of attempts and traces that are no longer stored. */
export const taskHistorySchema = z.object({
  attempts: z.array(attemptLineSchema),
  droppedAttempts: z.int(),
  droppedTraces: z.int(),
  /** The recorded steps, in the order of their last records; missing for a task without steps. */
  steps: z.array(stepLineSchema).optional(),
  /** The number of steps that the list leaves out: the closing record of a task keeps the newest. */
  droppedSteps: z.int().optional(),
});
/** The attempts of a task in their order. */
export type TaskHistory = z.output<typeof taskHistorySchema>;
