// The record of an ended ballot: the answer of each seat as a mark (a short form to compare), the cost, and the right answer
// once it is known. Owns the schema of the record; close.ts writes it, ballots.ts keeps it, and lessons.ts learns from it.
// Pure.
import { z } from "zod";
import {
  BALLOT_OUTCOMES,
  BALLOT_STRATEGIES,
  DECIDED_BY,
  MAX_SEATS,
  normaliseSchema,
  TOPOLOGIES,
} from "../../../protocol/index.ts";
import type { Profile } from "../../registry/profile.ts";

/** The agent's name in a vacant seat. */
export const NO_AGENT = "-";

/** The kind of an agent, its role and model: all that stays the same when its process restarts. */
export function voterOf({ role, model }: Pick<Profile, "role" | "model">): string {
  return model === undefined ? role : `${role}/${model}`;
}

/** A value in its short form: the hash of the value, or the number itself (consensus/ballot/truth.ts). */
export const markSchema = z.string().regex(/^(?:[0-9a-f]{64}|-?\d[-+.\de]{0,31})$/);

/** A seat: its agent and its answer. */
const seatRecordSchema = z.strictObject({
  agent: z.string().max(64),
  /** The agent's kind ({@link voterOf}). */
  voter: z.string().max(300),
  model: z.string().max(128).optional(),
  /** The mark of the answer; null when the seat abstained, or the ballot ended without waiting for it. */
  mark: markSchema.nullable(),
  /** Present when the ballot waited for this seat only because of earlier answers (`certainAnswersOf` in consensus). */
  isLate: z.literal(true).optional(),
});

const spentSchema = z.strictObject({
  tokens: z.number().min(0),
  /** Null when any cost is unknown; an unknown cost is never counted as zero. */
  costUsd: z.number().min(0).nullable(),
});

/** The parts of the record that the command `ballots-end` carries. */
export const endedSchema = z.strictObject({
  strategy: z.enum(BALLOT_STRATEGIES),
  topology: z.enum(TOPOLOGIES),
  outcome: z.enum([...BALLOT_OUTCOMES, "cancelled"]),
  decidedBy: z.enum(DECIDED_BY).nullable(),
  agreement: z.number().min(0).max(1),
  rounds: z.int().min(0),
  endedAtMs: z.int().min(0),
  /** The mark of the verdict's value; null when the verdict has no value. */
  mark: markSchema.nullable(),
  /** The rules that normalise a right answer which an operator gives later. */
  normalise: normaliseSchema.optional(),
  /** The mark of the right value; null until it is known. */
  truth: markSchema.nullable(),
  /** Whether no seat saw another seat's answer. Only such answers show how good an agent is. */
  isIndependent: z.boolean(),
  seats: z.array(seatRecordSchema).max(MAX_SEATS),
  spent: spentSchema,
  /**
   * The control arm: the answer that one agent alone gave, to compare the ballot with. Absent when the ballot did not wait for
   * that seat, or waited only because others disagreed. `mark` and `spent` are null when the seat abstained.
   */
  single: z
    .strictObject({ mark: markSchema.nullable(), agrees: z.boolean(), spent: spentSchema.nullable() })
    .optional(),
});

/** The whole record of an ended ballot. */
export type EndedBallot = z.output<typeof endedSchema> & {
  readonly capability: string;
  readonly openedAtMs: number;
};
