// What an agent needs of whoever takes and keeps locks for it. The coordinator room's keeper fits; the app wires it in.
import type { SwarmError } from "../../protocol/index.ts";

/** Takes locks of the swarm and keeps them. */
export interface LockPort {
  /**
   * Waits in line for a lock and keeps renewing it from then on.
   * @throws SwarmError `conflict` (retryable) when another one holds it all the time; `unavailable` when nobody decided
   *   it; `invalid_input`; the signal's reason. After any of these the place in line is given up.
   */
  acquire(request: LockRequest): Promise<HeldLock>;
}

/** Which lock, for whom, and for how long. */
export interface LockRequest {
  /** One token. */
  name: string;
  /** One token, unique to this request: whoever asks with the same one is taken to be the same. */
  owner: string;
  /** The lease, in ms: how long it stays held when nothing is heard of its holder. */
  ttlMs: number;
  /** How long to wait in line, in ms. */
  patienceMs: number;
  /** Ends the waiting; what is held already stays. */
  signal: AbortSignal;
}

/** A lock that is held. */
export interface HeldLock {
  /** Rises with every grant of any lock; what the lock protects should refuse a lower one than it has seen. */
  readonly token: number;
  /** Aborts when the lock is lost: a renewal was refused, or not confirmed before the lease was over. */
  readonly signal: AbortSignal & { readonly reason: SwarmError };
  /** Gives it back. Never throws: what cannot be told is over with its lease. Safe to repeat. */
  release(): Promise<void>;
  /** Keeps it to the end of its lease and no longer. */
  stopRenewing(): void;
}
