// What is kept of an ended ballot: who answered what, as marks that can be compared, what it cost, and what was told of its
// truth. Owns the shape; what is learnt from it is learning.ts. Pure.
import { z } from "zod";
import {
  BALLOT_OUTCOMES,
  BALLOT_STRATEGIES,
  DECIDED_BY,
  MAX_SEATS,
  normaliseSchema,
  TOPOLOGIES,
} from "../../../protocol/index.ts";

/** A value as it is kept: its hash, or the number itself (consensus/truth.ts). */
export const markSchema = z.string().regex(/^(?:[0-9a-f]{64}|-?\d[-+.\de]{0,31})$/);

/** Who answered what. */
const seatRecordSchema = z.strictObject({
  agent: z.string().max(64),
  /** What stays of the agent when its process restarts. */
  voter: z.string().max(300),
  model: z.string().max(128).optional(),
  /** Null: it abstained, or was not waited for. */
  mark: markSchema.nullable(),
  /** Whether it was heard depended on what others had said (consensus/tally.ts, surelyHeardOf). */
  isLate: z.literal(true).optional(),
});

const spentSchema = z.strictObject({
  tokens: z.number().min(0),
  /** Null: unknown, never zero. */
  costUsd: z.number().min(0).nullable(),
});

/** What is kept of an ended ballot. */
export const endedSchema = z.strictObject({
  strategy: z.enum(BALLOT_STRATEGIES),
  topology: z.enum(TOPOLOGIES),
  outcome: z.enum([...BALLOT_OUTCOMES, "cancelled"]),
  decidedBy: z.enum(DECIDED_BY).nullable(),
  agreement: z.number().min(0).max(1),
  rounds: z.int().min(0),
  endedAtMs: z.int().min(0),
  /** The mark of the verdict's value; null without one. */
  mark: markSchema.nullable(),
  /** How a truth that is told later is to be read. */
  normalise: normaliseSchema.optional(),
  /** The mark of the right value; null until somebody tells it. */
  truth: markSchema.nullable(),
  /** Whether answers were given alone: only then do they say something of who gave them. */
  isIndependent: z.boolean(),
  seats: z.array(seatRecordSchema).max(MAX_SEATS),
  spent: spentSchema,
  /** The control arm; absent when the ballot ended before its seat had its turn. Of one that abstained both are null. */
  single: z
    .strictObject({ mark: markSchema.nullable(), agrees: z.boolean(), spent: spentSchema.nullable() })
    .optional(),
});

/** An ended ballot. */
export type EndedBallot = z.output<typeof endedSchema> & {
  readonly capability: string;
  readonly openedAtMs: number;
};
