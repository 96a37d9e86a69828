// The amounts of budgets: money, tokens and calls. Converts money between USD, in requests and replies, and whole
// micro-USD, in the log: a sum of floating-point amounts would depend on their order. budgets.ts calculates with them.
// Pure.
import { z } from "zod";

/** The dimensions of an amount. In the log, `costUsd` is in micro-USD (1/1,000,000 of a dollar). */
export const DIMENSIONS = ["costUsd", "tokens", "calls"] as const;

/** The largest amount of one reservation or settlement, 900,000 USD in micro-USD: 10,000 of them still add up exactly. */
const MAX_AMOUNT = 900_000_000_000;
/** The largest limit: 1,000,000,000 USD, in micro-USD. */
const MAX_LIMIT = 1_000_000_000_000_000;
const MICRO = 1_000_000;
/** The largest error, in micro-USD, that floating point adds to a whole number of micro-USD. */
const ROUNDING = 0.001;

/** An amount as the log stores it, with money in micro-USD. */
export type Amount = { readonly [D in (typeof DIMENSIONS)[number]]: number };
/** An amount in a request: money in USD, tokens, calls. */
export interface BudgetAmount {
  costUsd?: number | null | undefined;
  tokens?: number | null | undefined;
  calls?: number | null | undefined;
}
/** An amount that may lack some dimensions. */
export type PartialAmount = { readonly [D in (typeof DIMENSIONS)[number]]?: number | undefined };

const logged = (max: number) => {
  const count = z.int().min(0).max(max).optional();
  return z.strictObject({ costUsd: count, tokens: count, calls: count });
};
const given = (max: number) => {
  const count = z.int().min(0).max(max).nullish();
  return z.strictObject({
    costUsd: z
      .number()
      .min(0)
      .max(max / MICRO)
      .nullish(),
    tokens: count,
    calls: count,
  });
};

/** The schema of an amount in the log. */
export const amountSchema = logged(MAX_AMOUNT);
/** The schema of a limit in the log. */
export const limitSchema = logged(MAX_LIMIT);
/** The schema of an amount as callers write it, with money in USD; null means absent. Its output is an amount for the log. */
export const givenAmountSchema = given(MAX_AMOUNT).transform((amount) => toLog(amount, Math.ceil, -ROUNDING));
/** The schema of a limit as callers write it. Its output is a limit for the log. */
export const givenLimitSchema = given(MAX_LIMIT).transform((limit) => toLog(limit, Math.floor, ROUNDING));

/**
 * Converts an amount of a request for the log. `round` rounds money against the caller: amounts up, limits down.
 * `tolerance` keeps a floating-point error from changing a whole number of micro-USD.
 */
function toLog(
  { costUsd, tokens, calls }: z.output<ReturnType<typeof given>>,
  round: (value: number) => number,
  tolerance: number,
): PartialAmount {
  const microUsd = costUsd == null ? null : Math.max(0, round(costUsd * MICRO + tolerance));
  return {
    ...(microUsd === null ? {} : { costUsd: microUsd }),
    ...(tokens == null ? {} : { tokens }),
    ...(calls == null ? {} : { calls }),
  };
}

/** Zero in every dimension. */
export const NOTHING: Amount = { costUsd: 0, tokens: 0, calls: 0 };

/** The amount, with the values of `rest` for its missing dimensions. */
export function fill(amount: PartialAmount, rest: Amount): Amount {
  const { costUsd = rest.costUsd, tokens = rest.tokens, calls = rest.calls } = amount;
  return { costUsd, tokens, calls };
}

/** The sum of two amounts. A sum above the largest exact number (`MAX_SAFE_INTEGER`) stays at that number. */
export function plus(one: Amount, other: Amount): Amount {
  const add = (a: number, b: number) => Math.min(a + b, Number.MAX_SAFE_INTEGER);
  return {
    costUsd: add(one.costUsd, other.costUsd),
    tokens: add(one.tokens, other.tokens),
    calls: add(one.calls, other.calls),
  };
}

/** The first amount minus the second. */
export function minus(one: Amount, other: Amount): Amount {
  return {
    costUsd: one.costUsd - other.costUsd,
    tokens: one.tokens - other.tokens,
    calls: one.calls - other.calls,
  };
}

/** Converts an amount of the log for a reply: money in USD. */
export function toShown({ costUsd, tokens, calls }: Amount): Amount {
  return { costUsd: costUsd / MICRO, tokens, calls };
}
