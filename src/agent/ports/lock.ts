// The port through which an agent gets locks. agent/run/locks.ts calls it, the coordinator room implements it, and the app
// connects the two.
import type { SwarmError } from "../../protocol/index.ts";

/** Acquires locks of the swarm and renews their leases. */
export interface LockPort {
  /**
   * Waits in line for a lock, then renews it until its release.
   * @throws SwarmError `conflict` (retryable) when others held the lock for the whole wait; `unavailable` when no coordinator
   *   decided; `invalid_input`; the signal's reason. After any of these errors the request no longer waits in line.
   */
  acquire(request: LockRequest): Promise<HeldLock>;
}

/** A request for a lock: its name, its owner and its times. */
export interface LockRequest {
  /** One token. */
  name: string;
  /** One token, unique to this request: the coordinator treats requests with the same owner as the same request. */
  owner: string;
  /** The lease, in ms: how long the lock stays held without a renewal. */
  ttlMs: number;
  /** The longest wait in line, in ms. */
  patienceMs: number;
  /** Ends the wait. A lock that is already held stays held. */
  signal: AbortSignal;
}

/** A lock that is held. */
export interface HeldLock {
  /**
   * The fencing token. It rises with every grant of any lock; the protected store should reject a lower token than it has
   * seen.
   */
  readonly token: number;
  /** Aborts when the lock is lost: a renewal was rejected, or not confirmed before the lease was over. */
  readonly signal: AbortSignal & { readonly reason: SwarmError };
  /** Releases the lock. Never throws: a release that cannot be sent takes effect when the lease ends. Safe to repeat. */
  release(): Promise<void>;
  /** Keeps the lock to the end of its lease, without further renewals. */
  stopRenewing(): void;
}
