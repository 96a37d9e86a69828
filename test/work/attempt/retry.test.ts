import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededChance } from "../../../src/base/index.ts";
import { DEFAULT_RETRY, RetryableError, SwarmError, TerminalError } from "../../../src/protocol/index.ts";
import { decideAfterFailure } from "../../../src/work/attempt/retry.ts";

const facts = { attempt: 1, retry: undefined, deadlineMs: undefined, nowMs: 1_000, chance: seededChance(1) };

describe("deciding after a failed attempt", () => {
  it("an error that is not retryable fails the task at once", () => {
    expect(decideAfterFailure({ ...facts, error: new TerminalError("no") })).toEqual({ retry: false });
    expect(decideAfterFailure({ ...facts, error: new SwarmError("invalid_input", "no") })).toEqual({
      retry: false,
    });
  });

  it("a task gets `max` retries after its first attempt", () => {
    const error = new RetryableError("again");
    const retries = [1, 2, 3, 4].map((attempt) => decideAfterFailure({ ...facts, error, attempt }).retry);
    expect(retries).toEqual([true, true, true, false]);
    expect(decideAfterFailure({ ...facts, error, retry: { ...DEFAULT_RETRY, max: 0 } })).toEqual({
      retry: false,
    });
  });

  it("a retry-after longer than the backoff is respected", () => {
    const next = decideAfterFailure({
      ...facts,
      error: new RetryableError("later", { retryAfterMs: 60_000 }),
    });
    expect(next).toEqual({ retry: true, atMs: 61_000 });
  });

  it("no retry is planned after the deadline", () => {
    expect(decideAfterFailure({ ...facts, error: new RetryableError("again"), deadlineMs: 1_100 })).toEqual({
      retry: false,
    });
  });

  it("every wait is within the bounds of the policy", () => {
    const property = fc.property(fc.integer({ min: 1, max: 50 }), fc.integer(), (attempt, seed) => {
      const retry = { max: 100, backoffMs: 500, factor: 2, maxBackoffMs: 60_000, jitter: 0.2 };
      const next = decideAfterFailure({
        ...facts,
        error: new RetryableError("x"),
        attempt,
        retry,
        chance: seededChance(seed),
      });
      if (!next.retry) throw new Error("a retry was expected");
      const exact = Math.min(60_000, 500 * 2 ** (attempt - 1));
      expect(next.atMs - 1_000).toBeGreaterThanOrEqual(Math.floor(exact * 0.8));
      expect(next.atMs - 1_000).toBeLessThanOrEqual(Math.ceil(exact * 1.2));
    });
    fc.assert(property);
  });
});
