// The wait of `init --wait`: repeats the whole command while NATS is not there yet, and tells the reason. Leaves the decision whether an
// error lasts to the code that makes the error (`retryable`).
import { backoffDelayMs, type Chance, type Clock, sleep } from "../../../base/index.ts";
import { toSwarmError } from "../../../protocol/index.ts";

/** The pauses between the tries: short at first, because a new cluster elects its leaders within seconds, and 5 s for a long outage. */
const WAIT_BACKOFF = { backoffMs: 250, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The shortest time between two lines that tell the reason, in ms: four lines a minute at most, also while the reasons change. */
const TELL_INTERVAL_MS = 20_000;

/**
 * Calls `work` again while it rejects with a retryable `unavailable`: no server answers, JetStream elects a leader, or too few servers of
 * the cluster are there. `tell` gets the reason of the first failure, and later at most one each 20 s.
 * @throws the last error after `limitMs`; every other error at once; the signal's reason.
 */
export async function waitForNats<T>(
  work: () => Promise<T>,
  parts: {
    limitMs: number;
    tell(reason: string, waitedMs: number): void;
    signal: AbortSignal;
    clock: Clock;
    chance: Chance;
  },
): Promise<T> {
  const { limitMs, tell, signal, clock, chance } = parts;
  const startedMs = clock.now();
  let toldMs = Number.NEGATIVE_INFINITY;
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (thrown) {
      const { code, retryable, message } = toSwarmError(thrown);
      const nowMs = clock.now();
      const delayMs = backoffDelayMs(WAIT_BACKOFF, tries, chance);
      if (code !== "unavailable" || !retryable || nowMs + delayMs - startedMs > limitMs) throw thrown;
      if (nowMs - toldMs >= TELL_INTERVAL_MS) {
        tell(message, nowMs - startedMs);
        toldMs = nowMs;
      }
      await sleep(delayMs, { clock, signal });
    }
  }
}
