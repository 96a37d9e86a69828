// The amounts of budgets: money, tokens and calls, in whole numbers. Owns the conversion between USD, as callers write it,
// and micro-USD, as the log holds it: the sum of floating-point amounts would depend on their order. Pure.
import { z } from "zod";

/** The dimensions of an amount. In the log, `costUsd` is in micro-USD (1/1,000,000 of a dollar). */
export const DIMENSIONS = ["costUsd", "tokens", "calls"] as const;

/** The largest amount of one reservation or settlement, 900,000 USD in micro-USD: 10,000 of them still add up exactly. */
const MAX_AMOUNT = 900_000_000_000;
/** The largest limit: 1,000,000,000 USD, in micro-USD. */
const MAX_LIMIT = 1_000_000_000_000_000;
const MICRO = 1_000_000;
/** The largest error that floating point adds to a whole number of micro-USD. */
const ROUNDING = 0.001;

/** An amount as the log holds it. */
export type Amount = { readonly [D in (typeof DIMENSIONS)[number]]: number };
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

/** Rounds money against the caller: amounts up, limits down. */
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

/** The amount of nothing. */
export const NOTHING: Amount = { costUsd: 0, tokens: 0, calls: 0 };

/** The amount, completed with the dimensions of `rest`. */
export function fill(amount: PartialAmount, rest: Amount): Amount {
  const { costUsd = rest.costUsd, tokens = rest.tokens, calls = rest.calls } = amount;
  return { costUsd, tokens, calls };
}

/** The sum. A sum too large to count exactly stays at the largest exact number. */
export function plus(one: Amount, other: Amount): Amount {
  const add = (a: number, b: number) => Math.min(a + b, Number.MAX_SAFE_INTEGER);
  return {
    costUsd: add(one.costUsd, other.costUsd),
    tokens: add(one.tokens, other.tokens),
    calls: add(one.calls, other.calls),
  };
}

/** The difference. */
export function minus(one: Amount, other: Amount): Amount {
  return {
    costUsd: one.costUsd - other.costUsd,
    tokens: one.tokens - other.tokens,
    calls: one.calls - other.calls,
  };
}

/** An amount of the log, as replies show it. */
export function toShown({ costUsd, tokens, calls }: Amount): Amount {
  return { costUsd: costUsd / MICRO, tokens, calls };
}
