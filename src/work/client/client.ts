// The front door for whoever hands in tasks and asks about them, in this process.
import {
  type Chance,
  type Clock,
  type Logger,
  type Meter,
  newId,
  silentLogger,
  systemChance,
  systemClock,
} from "../../base/index.ts";
import {
  createSubjects,
  type Encoding,
  encode,
  parseTask,
  type Result,
  type SubmitReply,
  SwarmError,
  type Task,
  type TaskAddress,
  type TaskInput,
  type TaskStatus,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { bodyHeaders, isLarge, packLarge } from "../stores/bodies.ts";
import { createJournal } from "../stores/journal.ts";
import { storeLater } from "../stores/later.ts";
import { createResultStore } from "../stores/outcome.ts";
import { cancelScope, cancelTask } from "./cancel.ts";
import { createKnownCapabilities, type KnownCapabilities } from "./capabilities.ts";
import { createDeadLetters, type DeadLetters } from "./dead-letters.ts";
import { createTaskReader, type TaskReader } from "./status.ts";
import { createResultWaiter } from "./waiter.ts";

/** Options of a submit. */
export interface SubmitOptions {
  /** How the body (and then the result) is encoded; default `json`. */
  encoding?: Encoding | undefined;
  /** W3C trace context to carry along. */
  traceparent?: string | undefined;
  tracestate?: string | undefined;
}

/** Hands in tasks and asks about them. */
export interface TaskClient extends TaskReader {
  /**
   * Hands in one task. With an id of the caller's own, the same id twice is one task: the second answers
   * `duplicate: true`.
   * @throws SwarmError `invalid_input` (with the field), `payload_too_large`, `unknown_capability`, `conflict` (the
   *   id belongs to another capability or scope), `cancelled` (the scope was cancelled), `rate_limited` (the queue
   *   is full), `unavailable`.
   */
  submit(task: TaskInput, options?: SubmitOptions): Promise<SubmitReply>;
  /**
   * Hands in one task and waits for its result, whatever its status.
   * @throws SwarmError as `submit`, and `timeout` when no result came within `timeoutMs` (the task goes on).
   */
  run(task: TaskInput, options?: SubmitOptions & { timeoutMs?: number | undefined }): Promise<Result>;
  /** Waits for the result of a task that was handed in before. @throws SwarmError `timeout`, `not_found`. */
  result(taskId: string, options?: { timeoutMs?: number | undefined }): Promise<Result>;
  /**
   * Cancels one task. An open ballot is known to the office alone: while that changes hands, its next holder is waited for.
   * @throws SwarmError `not_found`; `conflict` when it had ended already; `unavailable` when nobody took the office within
   *   `timeoutMs` (default 5 s) of whom the id may be an open ballot: then nothing was cancelled.
   */
  cancel(taskId: string, options?: { timeoutMs?: number | undefined }): Promise<void>;
  /** Cancels all tasks of a scope, and those that will still be handed in under it. */
  cancelScope(scope: string): Promise<void>;
  /** Hands in a failed or cancelled task anew, as a new task labelled `replayOf`. @throws SwarmError `not_found`, `conflict`. */
  retry(taskId: string): Promise<SubmitReply>;
  readonly dead: DeadLetters;
  /** The capabilities that the swarm knows. */
  capabilities(): Promise<string[]>;
  close(): void;
}

/** A task client over a transport. */
export function createTaskClient(parts: {
  transport: Transport;
  meter: Meter;
  log?: Logger;
  clock?: Clock;
  chance?: Chance;
}): TaskClient {
  const { transport, meter } = parts;
  const clock = parts.clock ?? systemClock;
  const subjects = createSubjects(transport.prefix);
  const room = {
    transport,
    subjects,
    meter,
    clock,
    chance: parts.chance ?? systemChance,
    log: parts.log ?? silentLogger,
  };
  const outcomes = createResultStore(room);
  const journal = createJournal(transport.log("journal"), subjects);
  const known: KnownCapabilities = createKnownCapabilities(transport, clock);
  const waiter = createResultWaiter(transport, subjects, (taskId) => outcomes.read(taskId));
  const reader = createTaskReader({ ...room, outcomes, journal });
  const tasks = transport.log("tasks");
  const dead = createDeadLetters({ transport, subjects, submit: (task) => submit(task) });

  function submit(input: TaskInput, options: SubmitOptions = {}): Promise<SubmitReply> {
    const task = parseTask(input);
    const ownId = task.id !== undefined;
    return hand(task, task.id ?? newId(), ownId, options);
  }

  async function hand(
    task: Task,
    taskId: string,
    ownId: boolean,
    options: SubmitOptions,
  ): Promise<SubmitReply> {
    const { capability, priority, scope } = task;
    const at: TaskAddress = { capability, priority, scope, taskId };
    const subject = subjects.task(at);
    const checking = known.check(capability);
    if (checking !== undefined) await checking;
    if (scope !== "-" && (await transport.bucket("cancelled").get(scope)) !== null) {
      throw new SwarmError(
        "cancelled",
        `the scope ${scope} was cancelled; hand the task in under another scope`,
        {
          field: "scope",
        },
      );
    }
    if (ownId && (await isKnown(at))) return { taskId, status: "accepted", duplicate: true, subject };

    const nowMs = clock.now();
    const dueMs =
      task.notBefore === undefined
        ? nowMs
        : typeof task.notBefore === "number"
          ? nowMs + task.notBefore
          : Date.parse(task.notBefore);
    const encoding = options.encoding ?? "json";
    const headers: Record<string, string> = { ...bodyHeaders(encoding) };
    if (options.traceparent !== undefined) headers.traceparent = options.traceparent;
    if (options.tracestate !== undefined) headers.tracestate = options.tracestate;
    const body =
      task.notBefore === undefined
        ? { ...task, id: taskId }
        : { ...task, id: taskId, notBefore: new Date(dueMs).toISOString() };
    let bytes = encode(body, encoding);
    if (isLarge(bytes)) bytes = await packLarge(bytes, encoding, transport.blobs);
    let duplicate: boolean;
    if (dueMs > nowMs) {
      const message = { data: bytes, header: (name: string) => headers[name] };
      duplicate = !(await storeLater({ transport, subjects }, at, message, dueMs));
    } else duplicate = await publish(subject, bytes, headers, at, ownId);
    meter.tasksSubmitted.inc({ capability, priority });
    return { taskId, status: "accepted", duplicate, subject };
  }

  /** Appends the task; true when it was there already. `duplicate` from the server is believed only after a look. */
  async function publish(
    subject: string,
    bytes: Uint8Array,
    headers: Record<string, string>,
    at: TaskAddress,
    ownId: boolean,
  ): Promise<boolean> {
    try {
      const ack = await tasks.append(subject, bytes, { headers, messageId: at.taskId });
      if (!ack.duplicate) return false;
      if (!ownId || (await isKnown(at))) return true;
      // The window remembers an id whose task was purged: the subject's one place decides instead.
      await tasks.append(subject, bytes, { headers });
      return false;
    } catch (error) {
      if (error instanceof SwarmError && error.code === "conflict") return true;
      throw error;
    }
  }

  /** True when a task with this id is stored. @throws SwarmError `conflict` when it has another capability or scope. */
  async function isKnown(at: TaskAddress): Promise<boolean> {
    const found = await reader.locate(at.taskId);
    if (found === null) return false;
    if (found.capability !== at.capability || (found.scope !== null && found.scope !== at.scope)) {
      throw new SwarmError(
        "conflict",
        `the id ${at.taskId} is taken by a task of ${found.capability}${found.scope === null ? "" : ` in scope ${found.scope}`}; choose another`,
        { field: "id" },
      );
    }
    return true;
  }

  return {
    ...reader,
    submit: async (task, options) => submit(task, options),
    async run(input, options = {}) {
      const task = parseTask(input);
      const taskId = task.id ?? newId();
      const waiting = waiter.wait(task.capability, taskId, options.timeoutMs);
      // The result may come, or the wait may end, before the submit is through.
      waiting.result.catch(() => undefined);
      try {
        const { duplicate } = await hand(task, taskId, task.id !== undefined, options);
        const stored = duplicate ? await outcomes.read(taskId) : null;
        if (stored !== null) return stored.result;
        return await waiting.result;
      } finally {
        waiting.close();
      }
    },
    async result(taskId, options = {}) {
      const status = await reader.status(taskId);
      if (status.result !== undefined) return status.result;
      const waiting = waiter.wait(status.capability ?? "", taskId, options.timeoutMs);
      waiting.result.catch(() => undefined);
      try {
        const stored = await outcomes.read(taskId);
        return stored === null ? await waiting.result : stored.result;
      } finally {
        waiting.close();
      }
    },
    cancel: (taskId, options) => cancelTask({ ...room, reader, outcomes }, taskId, options),
    cancelScope: (scope) => cancelScope({ ...room, reader, outcomes }, scope),
    async retry(taskId) {
      const status: TaskStatus = await reader.status(taskId);
      if (status.result === undefined || status.result.status === "completed") {
        const told = `task ${taskId} is ${status.state}; only a failed or cancelled task can be retried`;
        throw new SwarmError("conflict", told);
      }
      return dead.replay(taskId);
    },
    dead,
    capabilities: () => known.list(),
    close: () => waiter.close(),
  };
}
