// One record of a task's journal. Owns the schema of the records; the journal itself is in the work room.
import { z } from "zod";
import { handOffRecordSchema } from "./hand-off.ts";
import { taskHistorySchema } from "./history.ts";
import { resultErrorSchema } from "./result.ts";

/**
 * A record about the attempts of a task. The last record alone says how many attempts were used. By type:
 *
 * - `started`: written only for a delivery whose count is above one. A `started` that no other record follows means that
 *   the process of that attempt died.
 * - `failed`: `retryAt` is the earliest start of the next attempt; `trace` is the stack of the error and of its causes.
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
