// The task client: programs submit tasks with it, wait for results, cancel tasks and read their state. Combines
// submit.ts, cancel.ts, waiter.ts, reader.ts and dead-letters.ts.
import {
  type Chance,
  type Clock,
  type Logger,
  type Meter,
  NO_TRACER,
  newId,
  silentLogger,
  systemChance,
  type Tracer,
  untilAborted,
} from "../../base/index.ts";
import {
  createSubjects,
  parseTask,
  type Result,
  type SubmitReply,
  SwarmError,
  type TaskInput,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { createJournal } from "../stores/journal.ts";
import { createResultStore } from "../stores/results.ts";
import { cancelQuestions, cancelScope, cancelTask, cancelWaiting } from "./cancel.ts";
import { KnownCapabilities } from "./capabilities.ts";
import { createDeadLetters, type DeadLetters, replayIdOf } from "./dead-letters.ts";
import { type ChangedTask, changeTask, type TaskChange } from "./move.ts";
import { createTaskPurge, type TaskPurge } from "./purge.ts";
import { createTaskReader, type TaskReader } from "./reader.ts";
import { type SettledStep, type StepSettlement, settleStep } from "./settle.ts";
import { type SubmitOptions, Submitter } from "./submit.ts";
import { type ResultWait, ResultWaiter } from "./waiter.ts";

/** The options of a wait for a result. */
export interface WaitOptions {
  /** The longest wait, in ms; default: no limit. */
  timeoutMs?: number | undefined;
  /** Ends the wait with the signal's reason. The task continues. */
  signal?: AbortSignal | undefined;
}

/** Submits, cancels and retries tasks, waits for their results, and reads their state. */
export interface TaskClient extends TaskReader {
  /**
   * Submits one task. If the caller chooses the id and submits it twice, the swarm has one task, and the second reply
   * has `duplicate: true`.
   * @throws SwarmError `invalid_input` (with the field), `payload_too_large`, `unknown_capability`, `conflict` (the
   *   id belongs to another capability or scope), `cancelled` (the scope was cancelled), `rate_limited` (the queue
   *   is full), `unavailable`.
   */
  submit(task: TaskInput, options?: SubmitOptions): Promise<SubmitReply>;
  /**
   * Submits one task and waits for its result: completed, failed or cancelled. Without `timeoutMs` it waits for ever.
   * @throws SwarmError as `submit`, and `timeout` when no result came within `timeoutMs`; the task continues.
   */
  run(task: TaskInput, options?: SubmitOptions & { timeoutMs?: number | undefined }): Promise<Result>;
  /**
   * Waits for the result of a submitted task. Without `timeoutMs` it waits for ever.
   * @throws SwarmError `timeout`, `not_found`.
   */
  result(taskId: string, options?: WaitOptions): Promise<Result>;
  /**
   * Waits for the result of a task or workflow that may not be there yet; nothing is read before the first announcement or the first look
   * after some seconds. The caller closes the wait.
   */
  expect(at: { capability: string; taskId: string }): ResultWait;
  /**
   * Cancels one task. Only the office knows open ballots. So if the office has no holder, the call waits for the next
   * one.
   * @throws SwarmError `not_found`; `conflict` when the task had ended already; `unavailable` when the id may be an
   *    open
   *   ballot and no coordinator took the office within `timeoutMs` (default 5 s): then nothing was cancelled.
   */
  cancel(taskId: string, options?: { timeoutMs?: number | undefined }): Promise<void>;
  /** Cancels all tasks of a scope, including tasks that are submitted under it later. */
  cancelScope(scope: string): Promise<void>;
  /** Cancels the questions of a ballot that has ended, for the coordinator in office. */
  cancelQuestions(ballot: string): Promise<void>;
  /**
   * Moves a waiting task to another capability or priority, or makes a delayed task due now. An api process carries out the move
   * of a queued task; the call waits for it for `timeoutMs` (default 5 s). Safe to repeat.
   * @throws SwarmError `not_found`; `conflict` when the task has ended, when a host has received it, or when it was placed on
   *   an agent; `unknown_capability`; `unavailable` when no api process carried the move out in time: it stays asked for.
   */
  change(
    taskId: string,
    change: TaskChange,
    options?: { timeoutMs?: number | undefined },
  ): Promise<ChangedTask>;
  /**
   * Tells how a step with `once` ended that began and never settled, and makes its task due. Safe to repeat.
   * @throws SwarmError `not_found`: no such task or step; `conflict`: the task has ended or does not wait for a person, or the step
   *   has another record; `invalid_input`, `payload_too_large` for the result; `unavailable`.
   */
  settle(taskId: string, settlement: StepSettlement): Promise<SettledStep>;
  /**
   * Submits a failed task again from its dead letter, as a new task with a label. A second call finds the new task and answers
   * with its id and `duplicate: true`: to try again, retry that task.
   * @throws SwarmError `not_found` when no dead letter has its body; `conflict` when it has not failed.
   */
  retry(taskId: string): Promise<SubmitReply>;
  readonly dead: DeadLetters;
  /** Selects and purges many tasks. */
  readonly purge: TaskPurge;
  /** The capabilities that the swarm knows. */
  capabilities(): Promise<string[]>;
  close(): void;
}

/** Makes a task client over a transport. */
export function createTaskClient(parts: {
  transport: Transport;
  meter: Meter;
  log?: Logger;
  tracer?: Tracer | undefined;
  clock?: Clock;
  chance?: Chance;
}): TaskClient {
  const { transport, meter, clock = transport.clock, chance = systemChance, log = silentLogger } = parts;
  const { tracer = NO_TRACER } = parts;
  const subjects = createSubjects(transport.prefix);
  const shared = { transport, subjects, meter, clock, chance, log };
  const results = createResultStore(shared);
  const journal = createJournal(transport.log("journal"), subjects, { endedMs: transport.journalAgeMs });
  const known = new KnownCapabilities(transport, clock);
  const waiter = new ResultWaiter(transport, subjects, results.read, clock);
  const dead = createDeadLetters({ transport, subjects, submit: (task) => submit(task), findReplay });
  const reader = createTaskReader({
    ...shared,
    journal,
    traceOfDead: (taskId) => dead.trace(taskId),
    factsOfDead: (taskId) => dead.facts(taskId),
  });
  const submitter = new Submitter({ ...shared, tracer, known, reader });
  const cancelling = { ...shared, reader, results, journal };
  const purge = createTaskPurge({
    ...shared,
    reader,
    cancelWaiting: (taskId) => cancelWaiting(cancelling, taskId),
  });

  return {
    ...reader,
    submit,
    run,
    result,
    expect: ({ capability, taskId }) => waiter.wait(capability, taskId),
    cancel: (taskId, options) => cancelTask(cancelling, taskId, options),
    cancelScope: (scope) => cancelScope(cancelling, scope),
    cancelQuestions: (ballot) => cancelQuestions(cancelling, ballot),
    change,
    settle: (taskId, settlement) => settleStep({ ...shared, journal, reader, change }, taskId, settlement),
    retry,
    dead,
    purge,
    capabilities: () => known.list(),
    close: () => waiter.close(),
  };

  function change(taskId: string, wanted: TaskChange, options?: { timeoutMs?: number | undefined }) {
    return changeTask({ ...shared, known, reader, journal }, taskId, wanted, options);
  }

  async function submit(input: TaskInput, options: SubmitOptions = {}): Promise<SubmitReply> {
    const task = parseTask(input);
    return submitter.submit(task, task.id ?? options.newTaskId ?? newId(), options);
  }

  async function run(
    input: TaskInput,
    options: SubmitOptions & { timeoutMs?: number | undefined } = {},
  ): Promise<Result> {
    const task = parseTask(input);
    const taskId = task.id ?? options.newTaskId ?? newId();
    const wait = waiter.wait(task.capability, taskId, options.timeoutMs);
    // The wait may reject before this function awaits it. Without this handler, the process would report an unhandled
    // error.
    wait.result.catch(() => undefined);
    try {
      const submitted = submitter.submit(task, taskId, options).then(async ({ duplicate }) => {
        const stored = duplicate ? await results.read(taskId, task.capability) : null;
        return stored?.result ?? wait.result;
      });
      // The wait also ends a submit that is repeated for too long.
      return await untilAborted(Promise.race([submitted, wait.result]), options.signal);
    } catch (error) {
      throw options.signal?.aborted === true ? nameTask(error, taskId) : error;
    } finally {
      wait.close();
    }
  }

  async function result(taskId: string, options: WaitOptions = {}): Promise<Result> {
    const { signal } = options;
    const status = await untilAborted(reader.status(taskId), signal);
    if (status.result !== undefined) return status.result;
    const wait = waiter.wait(status.capability ?? "", taskId, options.timeoutMs);
    wait.result.catch(() => undefined);
    try {
      const stored = await untilAborted(results.read(taskId, status.capability ?? undefined), signal);
      return stored === null ? await untilAborted(wait.result, signal) : stored.result;
    } finally {
      wait.close();
    }
  }

  async function retry(taskId: string): Promise<SubmitReply> {
    const status = await reader.status(taskId);
    if (status.result?.status !== "failed") {
      const message = `task ${taskId} is ${status.state}; only a failed task can be retried, because its dead letter has its body`;
      throw new SwarmError("conflict", message);
    }
    return dead.replay(taskId);
  }

  /** The replay of a failed task whose letter is gone, or null. */
  async function findReplay(taskId: string): Promise<SubmitReply | null> {
    const failed = await results.read(taskId);
    if (failed === null) return null;
    const replayId = replayIdOf(taskId, failed.result.finishedAt);
    const replay = await reader.locate(replayId);
    if (replay === null) return null;
    return { taskId: replayId, status: "accepted", duplicate: true, subject: replay.stored.subject };
  }
}

/** The reason of a wait that ended early, with the id of the task: it continues, if it is stored. */
function nameTask(reason: unknown, taskId: string): unknown {
  if (!(reason instanceof SwarmError) || reason.taskId !== undefined) return reason;
  const { code, message, field, retryAfterMs, retryable, cause } = reason;
  return new SwarmError(code, message, { field, retryAfterMs, retryable, cause, taskId });
}
