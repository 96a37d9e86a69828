// The interfaces for an agent's own code: AgentContext while it performs a task, AgentAccess in hooks and broadcast
// handlers. run-context.ts implements the first, agent.ts the second.
import type { Logger } from "../../base/index.ts";
import type {
  ExecRequest,
  ExecResult,
  HandedOff,
  HandOffRequest,
  StepFacts,
  Task,
  WaitingReason,
} from "../../protocol/index.ts";

/** A task as the agent's code gets it: with defaults, and with `input` parsed by the agent's schema. */
export type AgentTask<Input = unknown> = Omit<Task, "id" | "input"> & { id: string; input: Input };

/** Options of `ask`. */
export interface AskOptions {
  /** The longest wait for the answer, in ms, at most one day; default {@link DEFAULT_ASK_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
}

/** Records the call as a step of the task. */
export interface RecordOptions {
  /** The name of the step, unique in the attempt: a later attempt gets the recorded answer. Without it, nothing is recorded. */
  step?: string | undefined;
}

/** Options of `step`. */
export interface StepOptions {
  /** Tells the passes of a loop apart: the step is recorded as `name:key`. */
  key?: string | number | undefined;
  /**
   * True: the step is never run again after it began. When the process dies during it, the task waits for a person, who settles it
   * with `murmur task settle`. Costs one more record. Default false.
   */
  once?: boolean | undefined;
}

/** The code of a step. */
export type StepWork<T> = (step: StepFacts) => Promise<T> | T;

/** 30 s: the asker waits for the answer, and longer work should be a task. */
export const DEFAULT_ASK_TIMEOUT_MS = 30_000;

/** Options of `lock`. */
export interface LockOptions {
  /**
   * The lease, in ms, 1,000 to one day; default {@link DEFAULT_LOCK_TTL_MS}. It is renewed while the attempt runs. When
   * the process dies, the next holder waits until the lease ends. With less than 5,000, the lock may be lost when the
   * coordinator in office changes.
   */
  ttlMs?: number | undefined;
  /** The longest wait in line, in ms, at most one day; default {@link DEFAULT_LOCK_PATIENCE_MS}. */
  patienceMs?: number | undefined;
}

/** 30 s: many times longer than an election, and the longest wait for the lock of a dead holder. */
export const DEFAULT_LOCK_TTL_MS = 30_000;
/** 30 s: the default lease, so a waiting attempt gets the lock even when its holder died. */
export const DEFAULT_LOCK_PATIENCE_MS = 30_000;

/** A lock that this attempt holds. */
export interface AgentLock {
  /**
   * The fencing token. It rises with every grant of any lock. Send it with each write to the protected store, which must
   * reject a token lower than one it has seen.
   */
  readonly token: number;
  /** Aborts when the lock is lost; its reason is a SwarmError. Stop using the protected store then. */
  readonly signal: AbortSignal;
  /** Releases the lock. The end of the attempt releases it too. Never throws; safe to repeat. */
  release(): Promise<void>;
}

/** A shared value of a workflow. */
export interface SharedRead<T> {
  value: T;
  /** It rises with every change; give it to `set` to change only this value. */
  revision: number;
}

/** The shared values of the workflow that a task is a step of. */
export interface AgentShared {
  /** The value; null when it was never set. Reads see every finished change. @throws SwarmError `unavailable`. */
  get<T = unknown>(name: string): Promise<SharedRead<T> | null>;
  /**
   * Sets a value: plain data, at most 64 KiB of JSON. `revision`: only if the value still has this revision; 0: only if it was never set.
   * @throws SwarmError `conflict` (retryable) when it has another one; `payload_too_large`; `rate_limited` over 100 names;
   *   `not_found` for a run that is gone; `unavailable`: the value may be set or not.
   */
  set(
    name: string,
    value: unknown,
    options?: { revision?: number | undefined },
  ): Promise<{ revision: number }>;
  /**
   * Reads the value, changes it, and sets it unless another writer was first; then it does so again, at most 16 times. `change` gets
   * undefined for a value that was never set. An attempt that dies may have changed the value: put the update into a step where it
   * must not happen twice, or make it safe to repeat.
   * @throws SwarmError as `set`.
   */
  update<T>(name: string, change: (value: T | undefined) => T): Promise<SharedRead<T>>;
}

/** The functions for all code of an agent, inside and outside a task. */
export interface AgentAccess {
  readonly agentId: string;
  /** A logger. Its lines carry the agent's id, and in a task the task's id. Secrets in known keys are redacted. */
  readonly log: Logger;
  /** Aborts when the work should end; the reason is a SwarmError. */
  readonly signal: AbortSignal;
  /**
   * Asks any one agent of a capability and waits for its answer. Not durable: when either side dies, ask again.
   * @throws SwarmError the asked agent's error; `rate_limited` when the queue of asks on the agent's host is full;
   *   `unavailable` when no agent takes asks for the capability, or no answer came in time; `invalid_input` for a bad
   *   capability.
   */
  ask<Output = unknown>(capability: string, input: unknown, options?: AskOptions): Promise<Output>;
  /**
   * Publishes to every agent that has a handler for the topic now; best effort. `topic` is one or more tokens joined by
   * dots.
   * @throws SwarmError `invalid_input` for a bad topic; `payload_too_large` over the server's limit.
   */
  broadcast(topic: string, value: unknown): void;
}

/** The functions for an agent's code while it performs a task. Do not use the context after the task has ended. */
export interface AgentContext extends AgentAccess {
  /** The number of the attempt, from 1. An ask is always attempt 1. */
  readonly attempt: number;
  /**
   * The task's effect key: the same in every attempt, over redeliveries, retries and hand-offs. Give it to the systems that
   * the task touches, as their idempotency key. It is the header `Murmur-Effect-Key` of the task, or the task's id. An ask has a
   * new one each time.
   */
  readonly key: string;
  /** The time at which this attempt times out. */
  readonly deadline: Date;
  /** For a task that another agent handed off: that agent, its context, and all earlier hops. Otherwise undefined. */
  readonly handedOff: HandedOff | undefined;
  /**
   * Performs one step of the work and records its result, or its error, in the task's journal before it returns. A later attempt,
   * also after a hand-off, gets what was recorded and does not run `work` again. A step whose process died before the record runs
   * again: give `step.effectKey` to the systems that it touches. When the attempt fails with a retryable error of a step, the retry
   * runs that step again; an error that the code caught stays recorded. An ask records nothing.
   *
   * Steps are known by name, which must be unique in the attempt, so steps may run in parallel and in any order. In a loop, give
   * each pass a `key`. A task has at most 10,000 steps and 16 MiB of results. A result is plain data, as an output is; `undefined`
   * too. Await every step: a step that is still running when the attempt ends is not recorded.
   * @throws SwarmError any error of `work`; in a later attempt the recorded one, with its code, message and field. Not retryable:
   *   `internal` for a name used twice, a bad name, a step too many and a result that is no plain data; `payload_too_large`;
   *   `not_permitted` for `once` in an ask.
   */
  step<T>(name: string, work: StepWork<T>): Promise<T>;
  step<T>(name: string, options: StepOptions, work: StepWork<T>): Promise<T>;
  /**
   * Asks any one agent of a capability, as {@link AgentAccess.ask} does. With `step`, the answer is recorded.
   */
  ask<Output = unknown>(
    capability: string,
    input: unknown,
    options?: AskOptions & RecordOptions,
  ): Promise<Output>;
  /**
   * Runs a command and waits for its end. Needs `exec` in the agent's definition, and a host that allows commands. With `step`, its
   * end is recorded.
   * @throws SwarmError `not_permitted` for a command or directory that is not allowed; `timeout`; `tool_failed` when
   *   the command cannot be started or exceeds its output or memory limit; the signal's reason when the task is cancelled.
   */
  exec(command: ExecRequest, options?: RecordOptions): Promise<ExecResult>;
  /**
   * Waits for a lock of the swarm, and holds it until its release or the end of the attempt. The lease is renewed in the
   * background. When a renewal is rejected, or not confirmed before the lease is over by this machine's clocks, the lock's
   * signal aborts and the attempt fails (`conflict` or `unavailable`, retryable). A suspended process notices the loss
   * only when it runs again, so the protected store must check the token.
   * @throws SwarmError `conflict` (retryable) when others held the lock for the whole wait; `unavailable` when no
   *   coordinator decided in time; `internal`, not retryable, for a lock that this attempt already holds; `invalid_input`;
   *   the signal's reason when the task is cancelled.
   */
  lock(name: string, options?: LockOptions): Promise<AgentLock>;
  /**
   * Hands the task off: another agent of the same capability continues it, under the same id, as the next attempt. The
   * call ends this attempt by throwing, so write `return ctx.handOff(…)`; the hand-off is final even if the code catches
   * the error. A hand-off is not a failure. It needs a coordinator in office; until there is one, the task waits.
   * @throws SwarmError, never retryable, when the hand-off is rejected: `invalid_input` naming the field;
   *   `payload_too_large` for a context over 64 KiB; `not_permitted` in an ask, in a seat of a ballot, and after 8
   *   hand-offs of the task. Such a call changes nothing.
   */
  handOff(request?: HandOffRequest): never;
  /**
   * The shared values of the workflow that this task is a step of: named, with revisions. They are gone with the log of the run. Locks
   * are another thing: see {@link lock}. In a task outside a workflow every call throws `invalid_input`.
   */
  readonly shared: AgentShared;
  /** Reports progress, 0–100, with a short note, to the clients that watch the task. Other values are clamped, with a warning in the log. */
  progress(percent: number, note?: string): void;
  /**
   * Waits `delayMs`. With `step`, the end of the wait is recorded when it begins, and a later attempt waits for the rest.
   * @throws the signal's reason when the task is cancelled during the wait.
   */
  sleep(delayMs: number, options?: RecordOptions): Promise<void>;
  /**
   * Waits for `promise`; during the wait the agent's status shows `waiting` with this reason. `ask`, `exec`, `lock` and
   * `sleep` call it themselves.
   * @throws the signal's reason when the task is cancelled during the wait; the rejection of `promise`.
   */
  waitFor<T>(reason: WaitingReason, promise: Promise<T>): Promise<T>;
}
