// Repeats a call while the other side does not answer.
import { backoffDelayMs, sleep, systemChance, untilAborted } from "../base/index.ts";
import { type ErrorCode, toSwarmError } from "../protocol/index.ts";

/** How long calls are repeated by default, in ms: longer than a restart of nats-server and a fail-over of its streams. */
export const PATIENCE_MS = 30_000;
/** The waits between repeats: soon after a short outage, and few while a long one lasts. */
const REPEAT_BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 2_000, jitter: 0.2 };

/**
 * Calls `work` again while it rejects with one of `codes`, for `patienceMs` at most. `work` gets the number of the try, from 1.
 * @throws the last error; the signal's reason.
 */
export async function insist<T>(
  work: (tries: number) => Promise<T>,
  options: { patienceMs: number; signal: AbortSignal; codes?: readonly ErrorCode[] },
): Promise<T> {
  const { patienceMs, signal, codes = ["unavailable"] } = options;
  const endMs = performance.now() + patienceMs;
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    try {
      return await untilAborted(work(tries), signal);
    } catch (thrown) {
      signal.throwIfAborted();
      const { code, retryAfterMs } = toSwarmError(thrown);
      const delayMs = retryAfterMs ?? backoffDelayMs(REPEAT_BACKOFF, tries, systemChance);
      if (!codes.includes(code) || performance.now() + delayMs > endMs) throw thrown;
      await sleep(delayMs, { signal });
    }
  }
}
