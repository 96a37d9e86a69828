// What an agent's code can do while it performs a task, and while it hears a broadcast. What stands behind it is
// `run.ts` for a task and the host for the rest.
import type { Logger } from "../../base/index.ts";
import type {
  ExecRequest,
  ExecResult,
  HandedOff,
  HandOffRequest,
  Task,
  WaitingReason,
} from "../../protocol/index.ts";

/** A task as its agent sees it: defaults filled in, `input` parsed by the agent's schema. */
export type AgentTask<Input = unknown> = Omit<Task, "id" | "input"> & { id: string; input: Input };

/** How long `ask` waits for the answer. */
export interface AskOptions {
  /** The longest wait, in ms, at most one day; default {@link DEFAULT_ASK_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
}

/** 30 s: someone waits for the answer; what takes longer should be a task. */
export const DEFAULT_ASK_TIMEOUT_MS = 30_000;

/** How `lock` waits for a lock and keeps it. */
export interface LockOptions {
  /**
   * The lease, in ms, 1,000 to one day; default {@link DEFAULT_LOCK_TTL_MS}. It is renewed while the attempt runs; when
   * the process dies, others wait this long. Below 5,000 a change of the coordinator in office may cost the lock.
   */
  ttlMs?: number | undefined;
  /** How long to wait in line, in ms, at most one day; default {@link DEFAULT_LOCK_PATIENCE_MS}. */
  patienceMs?: number | undefined;
}

/** 30 s: outlasts an election many times, and is what others wait at most for a holder that died. */
export const DEFAULT_LOCK_TTL_MS = 30_000;
/** 30 s: as long as a dead holder keeps others waiting by default. */
export const DEFAULT_LOCK_PATIENCE_MS = 30_000;

/** A lock that this attempt holds. */
export interface AgentLock {
  /** Rises with every grant of any lock. Send it with each write to what the lock protects, which refuses lower ones. */
  readonly token: number;
  /** Aborts when the lock is lost (its reason is a SwarmError): touch nothing of what it protects any more. */
  readonly signal: AbortSignal;
  /** Gives it back; at the end of the attempt this happens by itself. Never throws, safe to repeat. */
  release(): Promise<void>;
}

/** What any code of an agent can do, in or outside a task. */
export interface AgentAccess {
  readonly agentId: string;
  /** Lines carry the agent's id, and the task's where there is one. Secrets in known keys are redacted. */
  readonly log: Logger;
  /** Aborts when the work should end; the reason is a SwarmError. */
  readonly signal: AbortSignal;
  /**
   * Asks any one agent of a capability and waits for its answer. Not durable: when either side dies, ask again.
   * @throws SwarmError what the asked agent threw; `rate_limited` when it is full; `unavailable` when nobody offers
   *   the capability or nobody answered in time; `invalid_input` for a bad capability.
   */
  ask<Output = unknown>(capability: string, input: unknown, options?: AskOptions): Promise<Output>;
  /**
   * Tells every agent that listens on the topic now; best effort. `topic` is one or more tokens joined by dots.
   * @throws SwarmError `invalid_input` for a bad topic; `payload_too_large` over the server's limit.
   */
  broadcast(topic: string, value: unknown): void;
}

/** What an agent's code can do while it performs a task. Nothing of it should be used after the task ended. */
export interface AgentContext extends AgentAccess {
  /** 1 for the first attempt. An ask is always attempt 1. */
  readonly attempt: number;
  /** When this attempt must have ended. */
  readonly deadline: Date;
  /** Of a task that another agent handed off: by whom, what it passed on, and who had it before. Else undefined. */
  readonly handedOff: HandedOff | undefined;
  /**
   * Does one named part of the work. The name must be unique within the attempt: it is how a step is told apart
   * when a task is tried again.
   * @throws SwarmError `internal`, not retryable, for a name used twice; whatever `work` throws.
   */
  step<T>(name: string, work: () => Promise<T> | T): Promise<T>;
  /**
   * Runs a command and waits for its end. Needs `exec` in the agent's definition and a host that allows it.
   * @throws SwarmError `not_permitted` for a command or directory that is not allowed; `timeout`; `tool_failed` when
   *   it cannot be started, or goes over its output or memory limit; the signal's reason when the task is cancelled.
   */
  exec(command: ExecRequest): Promise<ExecResult>;
  /**
   * Waits for a lock of the swarm and holds it until it is released or the attempt ends. Renews it meanwhile; when
   * that is refused, or not confirmed before the lease is over by this machine's clocks, the lock's signal aborts and
   * the attempt fails (`conflict` or `unavailable`, retryable). A process that stood still learns it only when it goes
   * on: what the lock protects must check the token.
   * @throws SwarmError `conflict` (retryable) when others hold it all the time; `unavailable` when no coordinator
   *   decided it in time; `internal`, not retryable, for a lock that this attempt holds already; `invalid_input`; the
   *   signal's reason when the task is cancelled.
   */
  lock(name: string, options?: LockOptions): Promise<AgentLock>;
  /**
   * Ends this agent's part of the task: another agent of the same capability goes on with it, under the same id, with the
   * next attempt. It ends the attempt by throwing, so write `return ctx.handOff(…)`; once asked for, it holds, whatever the
   * code does after it. It counts as no failure, and needs a coordinator in office: until there is one, the task waits.
   * @throws SwarmError never retryable, and then nothing has happened: `invalid_input` naming the field; `payload_too_large`
   *   for a context over 64 KiB; `not_permitted` in an ask or a seat of a ballot, and after 8 hand-offs of the task.
   */
  handOff(request?: HandOffRequest): never;
  /** Reports progress, 0–100, with a short note; publishers who watch the task see it. */
  progress(percent: number, note?: string): void;
  /** Waits `delayMs`. @throws the signal's reason when the task is cancelled meanwhile. */
  sleep(delayMs: number): Promise<void>;
  /**
   * Waits for `promise` and shows the agent as waiting for `reason` meanwhile. `ask`, `exec`, `lock` and `sleep` do this by
   * themselves. @throws the signal's reason when the task is cancelled meanwhile; what `promise` rejects with.
   */
  waitFor<T>(reason: WaitingReason, promise: Promise<T>): Promise<T>;
}
