// One record of a task's journal. Owns the schema of the records; the journal itself is in the work room.
import { z } from "zod";
import { handOffRecordSchema } from "./hand-off.ts";
import { taskHistorySchema } from "./history.ts";
import { resultErrorSchema } from "./result.ts";
import { stepEntrySchema } from "./step.ts";
import { blobSchema } from "./task.ts";

/**
 * A record about the attempts of a task. The last record alone says how many attempts were used. By type:
 *
 * - `started`: written only for a delivery whose count is above one. A `started` that no other record follows means that
 *   the process of that attempt died.
 * - `failed`: `retryAt` is the earliest start of the next attempt; `trace` is the stack of the error and of its causes. The steps in
 *   `reopened` failed with this error, so the next attempt runs them again.
 * - `steps`: steps that began or ended. `run` names the attempt on its host, and `batch` counts its records of steps, so that a host
 *   recognises its own records. `open` lists the steps with `once` that began and have not ended. Without a later record, the
 *   process of the attempt died.
 * - `waiting`: the process gave the task back, because each of `steps` has `once`, began and never ended. The attempt is not counted.
 * - `settled`: a person told how such a step ended, or that it did nothing (`isDone` false). The next attempt may start.
 * - `returned`: undoes a `started`. The process gave the task back at the end of a drain.
 * - `handed`: passes the task on, with the context for the next agent. Each later record refers to it in `handOff`, by its
 *   sequence in the journal's stream.
 * - `finished`: the result is stored. It replaces all other records, and `history` is their summary.
 */
export const journalRecordSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("started"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    handOff: z.int().optional(),
  }),
  z.object({
    type: z.literal("failed"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    startedAt: z.string().optional(),
    retryAt: z.string(),
    error: resultErrorSchema,
    trace: z.string().optional(),
    reopened: z.array(z.string()).optional(),
    handOff: z.int().optional(),
  }),
  z.object({
    type: z.literal("steps"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    run: z.string(),
    batch: z.int(),
    steps: z.array(stepEntrySchema),
    open: z.array(z.string()).optional(),
    handOff: z.int().optional(),
  }),
  z.object({
    type: z.literal("waiting"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    steps: z.array(z.string()),
    handOff: z.int().optional(),
  }),
  z.object({
    type: z.literal("settled"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    step: z.string(),
    by: z.string(),
    isDone: z.boolean(),
    bytes: z.int().optional(),
    output: z.unknown().optional(),
    blob: blobSchema.optional(),
    handOff: z.int().optional(),
  }),
  z.object({
    type: z.literal("returned"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    handOff: z.int().optional(),
  }),
  handOffRecordSchema,
  z.object({
    type: z.literal("finished"),
    attempt: z.int(),
    at: z.string(),
    history: taskHistorySchema.optional(),
  }),
]);
/** A record about the attempts of a task. */
export type JournalRecord = z.output<typeof journalRecordSchema>;
/** A record of steps. */
export type StepsRecord = Extract<JournalRecord, { type: "steps" }>;
