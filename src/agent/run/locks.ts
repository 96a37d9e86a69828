// The locks of one attempt: acquires them through the port, fails the attempt when one is lost, and releases them at the
// attempt's end. Leaves leases and renewals to the port.
// I1: an attempt fails when it loses a lock, even if its code ignores the loss.
// I2: the locks of an attempt are released when its code has ended. Abandoned code keeps its locks, without renewals, to
//     the end of their leases at most, so that no other holder gets a lock while the code may still run.
import { newInstanceId } from "../../base/index.ts";
import { checkToken, SwarmError, showValue } from "../../protocol/index.ts";
import type { AgentLock, LockOptions } from "../define/context.ts";
import { DEFAULT_LOCK_PATIENCE_MS, DEFAULT_LOCK_TTL_MS } from "../define/context.ts";
import type { HeldLock, LockPort } from "../ports/lock.ts";

/** The most locks that one attempt holds or waits for at the same time. */
export const MAX_LOCKS_OF_ATTEMPT = 100;
/** The shortest lease, in ms: it must be longer than a lost message and its retry take. */
export const MIN_LOCK_TTL_MS = 1_000;
/** The longest lease and the longest patience, in ms: a day. */
const MAX_MS = 86_400_000;
/** The characters of the agent's id at the beginning of an owner's name, so that the name stays one token. */
const OWNER_PREFIX_LENGTH = 53;

export class AttemptLocks {
  readonly #port: LockPort;
  readonly #agentId: string;
  readonly #signal: AbortSignal;
  readonly #onLost: (reason: SwarmError) => void;
  readonly #names = new Set<string>();
  readonly #held = new Set<HeldLock>();
  #isEnded = false;

  constructor(parts: {
    port: LockPort;
    agentId: string;
    /** Ends the wait for a lock. */
    signal: AbortSignal;
    /** Called when a lock is lost before its release (I1). */
    onLost: (reason: SwarmError) => void;
  }) {
    this.#port = parts.port;
    this.#agentId = parts.agentId;
    this.#signal = parts.signal;
    this.#onLost = parts.onLost;
  }

  /** Waits for a lock. @throws SwarmError as `AgentContext.lock` does. */
  async acquire(name: string, options: LockOptions): Promise<AgentLock> {
    const { ttlMs = DEFAULT_LOCK_TTL_MS, patienceMs = DEFAULT_LOCK_PATIENCE_MS } = options;
    checkToken(name, "name");
    checkMs("ttlMs", ttlMs, MIN_LOCK_TTL_MS);
    checkMs("patienceMs", patienceMs, 0);
    if (this.#names.has(name)) {
      throw lockError(`this attempt already holds the lock ${name}, or waits for it; release it first`);
    }
    if (this.#names.size >= MAX_LOCKS_OF_ATTEMPT) {
      throw lockError(
        `an attempt has at most ${MAX_LOCKS_OF_ATTEMPT} locks at the same time; release one first`,
      );
    }
    this.#names.add(name);
    let held: HeldLock;
    try {
      const owner = newInstanceId(this.#agentId.slice(0, OWNER_PREFIX_LENGTH));
      held = await this.#port.acquire({ name, owner, ttlMs, patienceMs, signal: this.#signal });
    } catch (error) {
      this.#names.delete(name);
      throw error;
    }
    if (this.#isEnded) {
      void held.release();
      throw lockError("the attempt ended before it got the lock; the lock is released again");
    }
    this.#held.add(held);
    held.signal.addEventListener("abort", () => this.#lose(name, held), { once: true });
    if (held.signal.aborted) this.#lose(name, held);
    return {
      token: held.token,
      signal: held.signal,
      release: async () => {
        if (this.#held.delete(held)) this.#names.delete(name);
        await held.release();
      },
    };
  }

  #lose(name: string, held: HeldLock): void {
    if (!this.#held.delete(held)) return;
    this.#names.delete(name);
    if (!this.#isEnded) this.#onLost(held.signal.reason);
  }

  /** Ends the attempt's locks (I2). `isCodeRunning`: the attempt has ended, but its code may still run. Safe to repeat. */
  end(isCodeRunning: boolean): void {
    this.#isEnded = true;
    for (const held of this.#held) {
      if (isCodeRunning) held.stopRenewing();
      else void held.release();
    }
    if (!isCodeRunning) this.#held.clear();
  }
}

function checkMs(field: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min && value <= MAX_MS) return;
  throw new SwarmError(
    "invalid_input",
    `${field} must be a whole number of ms from ${min} to ${MAX_MS}, got ${showValue(value)}`,
    { field },
  );
}

/** The error for a mistake in the agent's code. It is not retryable, because a retry makes the same mistake. */
function lockError(message: string): SwarmError {
  return new SwarmError("internal", message, { field: "name", retryable: false });
}
