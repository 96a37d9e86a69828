// What the work room needs of the agents' host, and what it hands to them. Declared here, where it is used; the host
// happens to fit.
import type { HandedOff, HandOffRequest, SeatQuestion, SignedVote, Task } from "../protocol/index.ts";

/** One running attempt, as the agent that performs it sees it. */
export interface Attempt {
  /** The task with its defaults filled in; `input` is decoded, blobs are fetched. */
  readonly task: Task & { id: string };
  /** 1 for the first attempt. */
  readonly number: number;
  /** Of a task that another agent handed off: by whom, and what it passed on. */
  readonly handedOff?: HandedOff | undefined;
  /** When this attempt must have ended (its own limit or the task's deadline, whichever is first), Unix ms. */
  readonly deadlineMs: number;
  /**
   * Aborts when the task is cancelled (reason {@link CancelledError}), its time is over (`timeout`, `deadline`), or
   * the process gives the task back at the end of a drain (`unavailable`; that is no failed attempt).
   */
  readonly signal: AbortSignal;
  /** Reports progress, 0–100; published at most every 100 ms, the last value always. */
  progress(percent: number, note?: string): void;
  /**
   * Ends the attempt and passes the task to another agent, by throwing. Once it was asked for, it holds, even when the code
   * that performs the task catches what is thrown.
   * @throws SwarmError of `makeHandOff` when it cannot be: then nothing has happened, and the attempt goes on.
   */
  handOff(request: HandOffRequest): never;
}

/** A reserved slot of one agent. */
export interface Slot {
  readonly agentId: string;
  /** Performs the task and resolves to its output; what it throws decides about a retry (`SwarmError.retryable`). */
  perform(attempt: Attempt): Promise<unknown>;
  /** Signs the output as the agent's vote in a ballot that asks for signed votes, where the agent has a key. */
  sign?(question: SeatQuestion, output: unknown): SignedVote | undefined;
  /** Called once the outcome is stored or given back; the slot is free again. */
  release(): void;
}

/**
 * Why a task that was placed on an agent cannot start there. `busy`: not now (its slots are used, it is paused or
 * starting); `gone`: it takes no more work (or never was here); `unable`: it does not offer the capability.
 */
export type Untaken = "busy" | "gone" | "unable";

/** Who performs tasks in this process. */
export interface Workforce {
  /** How many more tasks of this capability could start now. */
  free(capability: string): number;
  /** How many more tasks of any capability could start now; agents with several capabilities share their slots. */
  freeTotal(): number;
  /** Reserves a slot, or returns null when there is none. */
  take(capability: string): Slot | null;
  /** Reserves a slot of one agent, for a task that was placed on it, or says why it cannot have it. */
  takeAgent(agentId: string, capability: string): Slot | Untaken;
  /** Calls `onFree` whenever a slot of that capability may have become free for a reason the worker does not cause. */
  onFree(onFree: (capability: string) => void): void;
}

/** Limits of a capability that hold across all processes of the swarm. Declared by the agent's definition. */
export interface CapabilityLimits {
  /** The most attempts that run at the same time in the whole swarm. */
  concurrency?: number | undefined;
  /** Attempts started per window, with a burst on top; overshoot at most one block of permits per process. */
  rate?: { count: number; windowMs: number; burst?: number | undefined } | undefined;
  /** The same two limits for each key; `of` reads the key out of a task (undefined: not limited). */
  perKey?:
    | {
        of: (task: Task & { id: string }) => string | undefined;
        concurrency?: number | undefined;
        rate?: { count: number; windowMs: number; burst?: number | undefined } | undefined;
      }
    | undefined;
}
