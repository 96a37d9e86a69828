// How well an agent did what it was given: counts, and a success rate and a time that follow the newest outcomes. Pure.
//
// The arithmetic is + − × ÷ alone: every coordinator must come to the same bits, and IEEE 754 fixes only those.
import { z } from "zod";

/** Outcomes that the rate and the time look back on: older ones fade, so that an agent that got better is seen. */
export const RECORD_WINDOW = 50;
/** Outcomes of one kind of agent that a new agent of this kind begins with, at most: its own soon outweigh them. */
export const INHERITED_OUTCOMES = 10;

/** What is known of one agent's, or one kind's, work on one capability. */
export interface WorkRecord {
  /** Outcomes in all. */
  readonly count: number;
  /** Those of them that failed. */
  readonly failures: number;
  /** The share of successes among about the last {@link RECORD_WINDOW}. */
  readonly successRate: number;
  /** The mean time of an attempt, in ms, of about as many. */
  readonly meanMs: number;
}

/** New outcomes of one agent on one capability. */
export const outcomesSchema = z.strictObject({
  count: z.int().min(1).max(1_000_000),
  failures: z.int().min(0).max(1_000_000),
  /** The sum of their times, in ms. */
  totalMs: z.number().min(0).max(1e15),
});
/** New outcomes of one agent on one capability. */
export type OutcomeCounts = z.output<typeof outcomesSchema>;

/** The record with these outcomes in it: a mean over the window, in which the new ones count fully. */
export function addOutcomes(
  record: WorkRecord | undefined,
  { count, failures, totalMs }: OutcomeCounts,
): WorkRecord {
  const failed = Math.min(failures, count);
  const before = record ?? { count: 0, failures: 0, successRate: 0, meanMs: 0 };
  const remembered = Math.min(before.count, Math.max(0, RECORD_WINDOW - count));
  const share = count / (remembered + count);
  return {
    count: before.count + count,
    failures: before.failures + failed,
    successRate: before.successRate + ((count - failed) / count - before.successRate) * share,
    meanMs: before.meanMs + (totalMs / count - before.meanMs) * share,
  };
}

/** What to expect of an agent: its own record, and that of its kind as long as its own is short. */
export interface Expectation {
  /** Outcomes behind it, at most {@link RECORD_WINDOW} and what was inherited. */
  readonly outcomes: number;
  readonly successRate: number;
  /** Null when nothing is known. */
  readonly meanMs: number | null;
}

/** What to expect of an agent with this record, whose kind has that one. */
export function expect(own: WorkRecord | undefined, kind: WorkRecord | undefined): Expectation {
  const ownOutcomes = Math.min(own?.count ?? 0, RECORD_WINDOW);
  const inherited = ownOutcomes >= INHERITED_OUTCOMES ? 0 : Math.min(kind?.count ?? 0, INHERITED_OUTCOMES);
  const outcomes = ownOutcomes + inherited;
  if (outcomes === 0) return { outcomes, successRate: 0, meanMs: null };
  const mix = (ownValue = 0, kindValue = 0) => (ownValue * ownOutcomes + kindValue * inherited) / outcomes;
  return {
    outcomes,
    successRate: mix(own?.successRate, kind?.successRate),
    meanMs: mix(own?.meanMs, kind?.meanMs),
  };
}
