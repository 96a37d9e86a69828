// What budgets count: money, tokens and calls, in whole numbers. Owns the change between USD, as it is said outside, and
// micro-USD, as it stands in the log: sums of floating-point money would depend on their order. Pure.
import { z } from "zod";

/** What is counted. In the log `costUsd` is in micro-USD (1/1,000,000 of a dollar). */
export const DIMENSIONS = ["costUsd", "tokens", "calls"] as const;

/** The largest amount of one reservation or settlement: 10,000 of them still add up exactly. 900,000 USD, in micro-USD. */
const MAX_AMOUNT = 900_000_000_000;
/** The largest limit: 1,000,000,000 USD, in micro-USD. */
const MAX_LIMIT = 1_000_000_000_000_000;
const MICRO = 1_000_000;
/** What floating point adds to or takes from a whole number of micro-USD, at most. */
const ROUNDING = 0.001;

/** An amount as it stands in the log. */
export type Amount = { readonly [D in (typeof DIMENSIONS)[number]]: number };
/** An amount of which some dimensions may be missing. */
export type PartialAmount = { readonly [D in (typeof DIMENSIONS)[number]]?: number | undefined };

const logged = (max: number) => {
  const count = z.int().min(0).max(max).optional();
  return z.strictObject({ costUsd: count, tokens: count, calls: count });
};
const told = (max: number) => {
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

/** An amount as it stands in the log. */
export const amountSchema = logged(MAX_AMOUNT);
/** A limit as it stands in the log. */
export const limitSchema = logged(MAX_LIMIT);
/** An amount as it is said outside: money in USD; null says as much as nothing. Parsed into what stands in the log. */
export const toldAmountSchema = told(MAX_AMOUNT).transform((amount) => toLog(amount, Math.ceil, -ROUNDING));
/** A limit as it is said outside. Parsed into what stands in the log. */
export const toldLimitSchema = told(MAX_LIMIT).transform((limit) => toLog(limit, Math.floor, ROUNDING));

/** Rounds money away from the holder's favour: amounts up, limits down. */
function toLog(
  { costUsd, tokens, calls }: z.output<ReturnType<typeof told>>,
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

/** Nothing of anything. */
export const NOTHING: Amount = { costUsd: 0, tokens: 0, calls: 0 };

/** The amount, with `rest` where it says nothing. */
export function fill(amount: PartialAmount, rest: Amount): Amount {
  const { costUsd = rest.costUsd, tokens = rest.tokens, calls = rest.calls } = amount;
  return { costUsd, tokens, calls };
}

/** The sum; what cannot be counted exactly any more stays at the largest number that can. */
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

/** An amount of the log as it is shown outside. */
export function toShown({ costUsd, tokens, calls }: Amount): Amount {
  return { costUsd: costUsd / MICRO, tokens, calls };
}
