// Whoever waits for a decision: answered once, and never for ever. Owns the waiting; what is answered is the driver's.
import type { Clock } from "../../base/index.ts";
import type { AnswerError, Json } from "../../consensus/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/** Who waits for an answer waits this long, in ms: above an append's repeats on a healthy server, below a client's own time. */
const ANSWER_TIMEOUT_MS = 2_500;

/** Somebody who waits; only the first answer counts. */
export interface Waiter {
  resolve(value: Json): void;
  reject(error: SwarmError): void;
}

/**
 * Begins something and waits for its answer, at most {@link ANSWER_TIMEOUT_MS}; `begin` gives what forgets the waiter.
 * @throws SwarmError what it was rejected with, or `unavailable`: undecided as far as is known here.
 */
export function waitForAnswer(clock: Clock, begin: (waiter: Waiter) => () => void): Promise<Json> {
  return new Promise((resolve, reject) => {
    let forget: () => void = () => undefined;
    let isDone = false;
    const settle = (run: () => void) => {
      if (isDone) return;
      isDone = true;
      cancel();
      forget();
      run();
    };
    const cancel = clock.after(ANSWER_TIMEOUT_MS, () => settle(() => reject(toError("unknown", null))));
    const begun = begin({
      resolve: (value) => settle(() => resolve(value)),
      reject: (error) => settle(() => reject(error)),
    });
    if (isDone) begun();
    else forget = begun;
  });
}

/** What the member says of a command that it did not decide, in words of the catalogue. */
export function toError(error: AnswerError, leader: string | null): SwarmError {
  switch (error) {
    case "not_leader":
      return new SwarmError(
        "not_leader",
        `this coordinator does not hold the office${leader === null ? "" : `; ${leader} may`}: ask again`,
      );
    case "overloaded":
      return new SwarmError("rate_limited", "too many commands wait for the control log: ask again later", {
        retryAfterMs: 200,
      });
    case "unavailable":
      return new SwarmError("unavailable", "the office is being handed over: ask again");
    case "unknown":
      return new SwarmError(
        "unavailable",
        "the control log did not confirm in time: ask again with the same key",
      );
    default:
      return error satisfies never;
  }
}
