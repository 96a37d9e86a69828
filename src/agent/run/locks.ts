// The locks of one attempt: taken through the port, lost loudly, given back at the attempt's end.
// I1: an attempt that holds a lock which is lost fails, whatever its code does about it.
// I2: what an attempt holds is given back when its code has ended. Code that was left behind keeps its locks to the end
//     of their leases at most: nobody else shall get in while it may still be at work.
import { newInstanceId } from "../../base/index.ts";
import { checkToken, SwarmError, showValue } from "../../protocol/index.ts";
import type { AgentLock, LockOptions } from "../define/context.ts";
import { DEFAULT_LOCK_PATIENCE_MS, DEFAULT_LOCK_TTL_MS } from "../define/context.ts";
import type { HeldLock, LockPort } from "../ports/lock.ts";

/** Locks that one attempt holds or waits for at the same time. */
export const MAX_LOCKS = 100;
/** The shortest lease, in ms: it must outlast a lost message and its repeat. */
export const MIN_LOCK_TTL_MS = 1_000;
/** The longest lease and the longest patience, in ms: a day. */
const MAX_MS = 86_400_000;
/** An owner's name begins with its agent's, cut so that it stays one token. */
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
    /** Ends the waiting. */
    signal: AbortSignal;
    /** A lock was lost before it was given back (I1). */
    onLost: (reason: SwarmError) => void;
  }) {
    this.#port = parts.port;
    this.#agentId = parts.agentId;
    this.#signal = parts.signal;
    this.#onLost = parts.onLost;
  }

  /** @throws SwarmError as `AgentContext.lock` says. */
  async acquire(name: string, options: LockOptions): Promise<AgentLock> {
    const { ttlMs = DEFAULT_LOCK_TTL_MS, patienceMs = DEFAULT_LOCK_PATIENCE_MS } = options;
    checkToken(name, "name");
    checkMs("ttlMs", ttlMs, MIN_LOCK_TTL_MS);
    checkMs("patienceMs", patienceMs, 0);
    if (this.#names.has(name)) {
      throw lockError(`this attempt holds the lock ${name} already, or waits for it; release it first`);
    }
    if (this.#names.size >= MAX_LOCKS) throw lockError(`an attempt has at most ${MAX_LOCKS} locks`);
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
      throw lockError("the attempt has ended");
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

  /** The attempt is over; `isLeftBehind`: its code is not (I2). Safe to repeat. */
  end(isLeftBehind: boolean): void {
    this.#isEnded = true;
    for (const held of this.#held) {
      if (isLeftBehind) held.stopRenewing();
      else void held.release();
    }
    if (!isLeftBehind) this.#held.clear();
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

/** A mistake in the agent's code: trying again cannot help. */
function lockError(message: string): SwarmError {
  return new SwarmError("internal", message, { field: "name", retryable: false });
}
