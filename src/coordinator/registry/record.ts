// An agent's record: counts of its outcomes, and a success rate and a mean time that follow the newest outcomes. The registry
// updates records, and the placer reads them. Pure.
//
// The arithmetic uses only + − × ÷: every coordinator must compute the same bits, and IEEE 754 fixes only these.
import { z } from "zod";

/** The number of outcomes that the rate and the mean time cover: older outcomes fade, so that an improvement shows. */
export const RECORD_WINDOW = 50;
/** The most outcomes that a new agent inherits from agents of its kind: its own outcomes soon outweigh them. */
export const INHERITED_OUTCOMES = 10;

/** The record of one agent, or of one kind of agent, on one capability. */
export interface WorkRecord {
  /** The number of outcomes. */
  readonly count: number;
  /** The number of failures among them. */
  readonly failures: number;
  /** The share of successes among about the last {@link RECORD_WINDOW}. */
  readonly successRate: number;
  /** The mean time of an attempt, in ms, over about the same outcomes. */
  readonly meanMs: number;
}

/** The schema of new outcomes of one agent on one capability. */
export const outcomesSchema = z.strictObject({
  count: z.int().min(1).max(1_000_000),
  failures: z.int().min(0).max(1_000_000),
  /** The sum of the times of these outcomes, in ms. */
  totalMs: z.number().min(0).max(1e15),
});
/** New outcomes of one agent on one capability. */
export type OutcomeCounts = z.output<typeof outcomesSchema>;

/** Adds outcomes to a record. The new means cover {@link RECORD_WINDOW} outcomes, or all new outcomes if these are more. */
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

/** The expected work of an agent: from its own record, and from its kind's record while its own is short. */
export interface Expectation {
  /** The number of outcomes used: the agent's own, at most {@link RECORD_WINDOW}, plus inherited ones. */
  readonly outcomes: number;
  readonly successRate: number;
  /** Null without outcomes. */
  readonly meanMs: number | null;
}

/** Computes the expectation for an agent with the record `own`; `kind` is the record of the agent's kind. */
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
