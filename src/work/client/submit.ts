// Submits tasks: checks the task against what the swarm knows, and stores it in its queue or in the later stream.
// I1: an answer of `duplicate: true` means that the task is stored. The server's deduplication alone does not prove that.
import {
  backoffDelayMs,
  type Chance,
  type Clock,
  type Meter,
  sleep,
  type Tracer,
  untilAborted,
} from "../../base/index.ts";
import {
  type Encoding,
  effectKeyOf,
  encode,
  HEADERS,
  NO_SCOPE,
  type Subjects,
  type SubmitReply,
  SwarmError,
  type Task,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { codeOfThrown, startSend } from "../spans.ts";
import { bodyHeaders, isLarge, packLarge } from "../stores/bodies.ts";
import { storeLater } from "../stores/later.ts";
import { isScopeMarked } from "../stores/scopes.ts";
import type { KnownCapabilities } from "./capabilities.ts";
import type { TaskReader } from "./reader.ts";

/** Options of a submit. */
export interface SubmitOptions {
  /** The encoding of the body, and so of the result; default `json`. */
  encoding?: Encoding | undefined;
  /** W3C trace context that the task carries. */
  traceparent?: string | undefined;
  tracestate?: string | undefined;
  /** The task's effect key (`ctx.key` of its agents); default: its id. See effect-key.ts of the protocol for its form. */
  effectKey?: string | undefined;
  /** The id of a task without an id of its own; it must be new. Default: a new ULID. */
  newTaskId?: string | undefined;
  /**
   * How long the submit is repeated with the same id while NATS does not answer, in ms; default 0: it fails at once. A
   * repeat never makes a second task.
   */
  patienceMs?: number | undefined;
  /** Ends the repeats and the wait for a result. The task may be stored, and is not cancelled. */
  signal?: AbortSignal | undefined;
}

/** The waits between repeated submits: soon after a short outage, and few while a long one lasts. */
export const REPEAT_BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 2_000, jitter: 0.2 };

/** The parts of a submitter. */
interface SubmitterParts {
  transport: Transport;
  subjects: Subjects;
  meter: Meter;
  clock: Clock;
  chance: Chance;
  known: KnownCapabilities;
  reader: Pick<TaskReader, "locate">;
  tracer: Tracer;
}

/** Stores submitted tasks. */
export class Submitter {
  readonly #parts: SubmitterParts;

  constructor(parts: SubmitterParts) {
    this.#parts = parts;
  }

  /**
   * Submits a parsed task under an id: the task's own id, or a new id from the caller.
   * @throws SwarmError as {@link TaskClient.submit}.
   */
  async submit(task: Task, taskId: string, options: SubmitOptions): Promise<SubmitReply> {
    const { clock, chance } = this.#parts;
    const { patienceMs = 0, signal } = options;
    const endMs = clock.now() + patienceMs;
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted();
      try {
        // A repeat looks for the task first, because an earlier try may have stored it.
        const own = tries === 1 ? task : { ...task, id: taskId };
        const reply = await untilAborted(this.#submitOnce(own, taskId, options), signal);
        return task.id === undefined ? { ...reply, duplicate: false } : reply;
      } catch (error) {
        const delayMs = backoffDelayMs(REPEAT_BACKOFF, tries, chance);
        const isLate = clock.now() + delayMs > endMs;
        if (!(error instanceof SwarmError) || error.code !== "unavailable" || isLate) throw error;
        await sleep(delayMs, signal === undefined ? { clock } : { clock, signal });
      }
    }
  }

  async #submitOnce(task: Task, taskId: string, options: SubmitOptions): Promise<SubmitReply> {
    const { capability, priority, scope } = task;
    const at: TaskAddress = { capability, priority, scope, taskId };
    const subject = this.#parts.subjects.task(at);
    const hasOwnId = task.id !== undefined;
    const checking = this.#parts.known.check(capability);
    if (checking !== undefined) await checking;
    if (scope !== NO_SCOPE) await this.#checkScope(scope);
    if (hasOwnId && (await this.#isStored(at)))
      return { taskId, status: "accepted", duplicate: true, subject };
    const duplicate = await this.#send(task, at, options);
    this.#parts.meter.tasksSubmitted.inc({ capability, priority });
    return { taskId, status: "accepted", duplicate, subject };
  }

  async #checkScope(scope: string): Promise<void> {
    if (!(await isScopeMarked(this.#parts.transport, scope))) return;
    const message = `the scope ${scope} was cancelled; submit the task under another scope`;
    throw new SwarmError("cancelled", message, { field: "scope" });
  }

  /** Stores the task in a span, and passes its context on with the task; true when it was stored already. */
  async #send(task: Task, at: TaskAddress, options: SubmitOptions): Promise<boolean> {
    const { tracer, transport } = this.#parts;
    const span = tracer.isOn ? startSend(tracer, transport.prefix, at, options) : null;
    if (span === null) return this.#store(task, at, options);
    try {
      return await this.#store(task, at, { ...options, ...span.headers });
    } catch (error) {
      span.fail(codeOfThrown(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /** Stores the task where it belongs by its `notBefore`; true when it was stored there already. */
  async #store(task: Task, at: TaskAddress, options: SubmitOptions): Promise<boolean> {
    // The server publishes a schedule by its own clock, so the delay must count from the server's time.
    if (task.notBefore !== undefined) await this.#parts.transport.clock.sync();
    const nowMs = this.#parts.clock.now();
    const dueMs = dueMsOf(task, nowMs);
    checkDeadline(task, nowMs, dueMs);
    const headers = headersOf(options);
    const data = await this.#pack(task, at.taskId, dueMs, options.encoding ?? "json");
    if (dueMs <= nowMs) return this.#enqueue(at, data, headers, task.id !== undefined);
    const message = { data, header: (name: string) => headers[name] };
    return !(await storeLater(this.#parts, at, message, dueMs));
  }

  /** The encoded body, with a relative delay made absolute. A large body becomes a blob reference. */
  async #pack(task: Task, id: string, dueMs: number, encoding: Encoding): Promise<Uint8Array> {
    const notBefore = task.notBefore === undefined ? {} : { notBefore: new Date(dueMs).toISOString() };
    const bytes = encode({ ...task, id, ...notBefore }, encoding);
    return isLarge(bytes) ? packLarge(bytes, encoding, this.#parts.transport.blobs) : bytes;
  }

  /** Appends the task to its queue; true when it is stored already (I1). */
  async #enqueue(
    at: TaskAddress,
    data: Uint8Array,
    headers: Record<string, string>,
    hasOwnId: boolean,
  ): Promise<boolean> {
    const tasks = this.#parts.transport.log("tasks");
    const subject = this.#parts.subjects.task(at);
    try {
      const ack = await tasks.append(subject, data, { headers, messageId: at.taskId });
      if (!ack.duplicate) return false;
      if (!hasOwnId || (await this.#isStored(at))) return true;
      // The deduplication window remembers an id whose task was purged. The subject, which takes one message, decides.
      await tasks.append(subject, data, { headers });
      return false;
    } catch (error) {
      if (error instanceof SwarmError && error.code === "conflict") return true;
      throw error;
    }
  }

  /** True when a task with this id is stored. @throws SwarmError `conflict` when it has another capability or scope. */
  async #isStored({ taskId, capability, scope }: TaskAddress): Promise<boolean> {
    const found = await this.#parts.reader.locate(taskId);
    if (found === null) return false;
    if (found.capability === capability && (found.scope === null || found.scope === scope)) return true;
    const place = found.scope === null ? "" : ` in scope ${found.scope}`;
    const message = `the id ${taskId} is taken by a task of ${found.capability}${place}; choose another`;
    throw new SwarmError("conflict", message, { field: "id" });
  }
}

/** @throws SwarmError `deadline` for a task that passes its deadline before any attempt can start. */
function checkDeadline({ deadline }: Task, nowMs: number, dueMs: number): void {
  if (deadline === undefined || Date.parse(deadline) > Math.max(nowMs, dueMs)) return;
  const limit =
    dueMs > nowMs
      ? `after notBefore (${new Date(dueMs).toISOString()})`
      : `in the future (now: ${new Date(nowMs).toISOString()})`;
  throw new SwarmError(
    "deadline",
    `deadline must be ${limit}, got ${deadline}: the task would fail without an attempt; give a later deadline, or none`,
    { field: "deadline" },
  );
}

/** When a submitted task is due, Unix ms; the present without a `notBefore`. */
function dueMsOf({ notBefore }: Task, nowMs: number): number {
  if (notBefore === undefined) return nowMs;
  return typeof notBefore === "number" ? nowMs + notBefore : Date.parse(notBefore);
}

function headersOf(options: SubmitOptions): Record<string, string> {
  const headers: Record<string, string> = { ...bodyHeaders(options.encoding ?? "json") };
  if (options.traceparent !== undefined) headers[HEADERS.traceparent] = options.traceparent;
  if (options.tracestate !== undefined) headers[HEADERS.tracestate] = options.tracestate;
  if (options.effectKey !== undefined) headers[HEADERS.effectKey] = effectKeyOf(options.effectKey, "");
  return headers;
}
