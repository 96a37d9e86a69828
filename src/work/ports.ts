// The ports between the work room and the host of agents (agent/host). The host implements `Workforce` and `Slot`, and the
// worker calls them; attempt.ts implements `Attempt`, which an agent receives.
import type {
  HandedOff,
  HandOffRequest,
  JournalRecord,
  SeatQuestion,
  SignedVote,
  StepFacts,
  Task,
  TaskAddress,
} from "../protocol/index.ts";

/** One running attempt, as the agent that performs it sees it. */
export interface Attempt {
  /** The task with its defaults filled in; `input` is decoded, blobs are fetched. */
  readonly task: Task & { id: string };
  /** 1 for the first attempt. */
  readonly number: number;
  /** The task's effect key: the same in every attempt. The header `Murmur-Effect-Key`, or the task's id. */
  readonly key: string;
  /** The hand-off, when another agent handed the task off: that agent, and the context that it passed on. */
  readonly handedOff?: HandedOff | undefined;
  /** The time at which this attempt times out, in Unix ms: its own limit or the task's deadline, whichever comes first. */
  readonly deadlineMs: number;
  /**
   * Aborts when the task is cancelled (reason {@link CancelledError}), when its time is over (`timeout`, `deadline`), or
   * when the process gives the task back at the end of a drain (`unavailable`; this counts as no failed attempt).
   */
  readonly signal: AbortSignal;
  /** Reports progress, 0–100; other values are clamped. The host publishes at most every 100 ms; a newer report replaces an unpublished one. */
  progress(percent: number, note?: string): void;
  /**
   * Performs a step and records its end in the task's journal, or returns the recorded end of an earlier attempt. The name must be
   * new in this attempt. `once`: never performed again after it began, see `StepWait`.
   * @throws SwarmError the step's own error, `StepWait`, `stale_attempt`, `unavailable`, `payload_too_large`.
   */
  step(name: string, options: { once: boolean }, work: (step: StepFacts) => unknown): Promise<unknown>;
  /**
   * Ends the attempt, by throwing, and passes the task to another agent. The hand-off holds even when the agent's code
   * catches the error.
   * @throws the SwarmError of `makeHandOff` when the request is invalid or not permitted: then the attempt continues.
   */
  handOff(request: HandOffRequest): never;
}

/** A reserved slot of one agent. */
export interface Slot {
  readonly agentId: string;
  /** Performs the task and resolves to its output; a thrown error decides about the retry (`SwarmError.retryable`). */
  perform(attempt: Attempt): Promise<unknown>;
  /** Signs the output as the agent's vote in a ballot that asks for signed votes, where the agent has a key. */
  sign?(question: SeatQuestion, output: unknown): SignedVote | undefined;
  /** Frees the slot. The worker calls it once the result is stored or the task was given back. */
  release(): void;
}

/**
 * The reason why an agent gives no slot to a task that was placed on it. `busy`: not now (its slots are in use, it is paused
 * or starting); `gone`: it takes no more work, or this process never had it; `unable`: it does not offer the capability.
 */
export type SlotRefusal = "busy" | "gone" | "unable";

/** The agents that perform tasks in this process. */
export interface Workforce {
  /** The number of further tasks of this capability that could start now. */
  free(capability: string): number;
  /** The number of further tasks of any capability that could start now; an agent's capabilities share its slots. */
  freeTotal(): number;
  /** Reserves a slot, or returns null when there is none. */
  take(capability: string): Slot | null;
  /** Reserves a slot of one agent for a task that was placed on it, or returns the reason why there is none. */
  takeAgent(agentId: string, capability: string): Slot | SlotRefusal;
  /** Registers `onFree`; the host calls it when a slot of a capability may be free for another reason than `release`. */
  onFree(onFree: (capability: string) => void): void;
}

/** Limits of a capability that hold across all processes of the swarm. Declared by the agent's definition. */
export interface CapabilityLimits {
  /** The most attempts that may run at the same time in the whole swarm. */
  concurrency?: number | undefined;
  /** Attempts started per window, with a burst on top; each process may exceed it by one block of permits. */
  rate?: { count: number; windowMs: number; burst?: number | undefined } | undefined;
  /** The same two limits for each key. `of` returns the key of a task; a task without a key (undefined) is not limited. */
  perKey?:
    | {
        of: (task: Task & { id: string }) => string | undefined;
        concurrency?: number | undefined;
        rate?: { count: number; windowMs: number; burst?: number | undefined } | undefined;
      }
    | undefined;
}

/** One record of a journal, and its sequence in the journal stream. */
export interface TrailRecord {
  readonly seq: number;
  readonly record: JournalRecord;
}

/** A placed message of a task. */
export interface PlacedAt {
  /** Its class and sequence, such as `default.17`: the sequences of two streams cannot be compared. */
  readonly name: string;
  /** The sequence in the journal of the last hand-off before it was stored; 0 before the first one. */
  readonly handOff: number;
}

/** The places that hold a task now. */
export interface TaskPlaces {
  /** The messages that place the task on an agent; the newest one of each class. */
  readonly placed: readonly PlacedAt[];
  /** The task waits for its time, or has just come due. */
  readonly isLater: boolean;
  /** The task is stored in its queue. */
  readonly isQueued: boolean;
}

/** Reads the trails of tasks. */
export interface TrailReader {
  /** All records of a task's journal, in their order. @throws SwarmError `unavailable`. */
  records(at: Pick<TaskAddress, "capability" | "taskId">): Promise<readonly TrailRecord[]>;
  /** The places of a task, read in the order of a task's moves. @throws SwarmError `unavailable`. */
  places(at: TaskAddress): Promise<TaskPlaces>;
}

/** Removes the records of an ended task that its closing record replaces, for a process that may not remove messages. */
export interface JournalTrimmer {
  /** @throws SwarmError `unavailable`: then the records stay until the sweep. */
  trim(at: Pick<TaskAddress, "capability" | "taskId">): Promise<void>;
}

/** Stores tasks that are not due. */
export interface LaterStore {
  /**
   * Stores a task that comes due at `dueMs`, Unix ms. False: the task waits already, and its time stays as it is.
   * @param options.attempt for a retry: the number of the next attempt.
   * @throws SwarmError `unavailable`.
   */
  store(
    at: TaskAddress,
    message: { readonly data: Uint8Array; header(name: string): string | undefined },
    dueMs: number,
    options?: { attempt?: number },
  ): Promise<boolean>;
}

/** The front door's work for a host whose user may touch its own subjects only. */
export interface HostDoor {
  /** Reads the trails of redelivered and handed-off tasks. */
  readonly trail: TrailReader;
  /** Delays tasks. */
  readonly later: LaterStore;
  /** Trims the journals of ended tasks. */
  readonly trimmer: JournalTrimmer;
}
