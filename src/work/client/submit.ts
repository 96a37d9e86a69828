// Submits tasks: checks the task against what the swarm knows, and stores it in its queue or in the later stream.
// I1: an answer of `duplicate: true` means that the task is stored. The server's deduplication alone does not prove that.
import type { Clock, Meter } from "../../base/index.ts";
import {
  type Encoding,
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
}

/** The parts of a submitter. */
interface SubmitterParts {
  transport: Transport;
  subjects: Subjects;
  meter: Meter;
  clock: Clock;
  known: KnownCapabilities;
  reader: Pick<TaskReader, "locate">;
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
    const { capability, priority, scope } = task;
    const at: TaskAddress = { capability, priority, scope, taskId };
    const subject = this.#parts.subjects.task(at);
    const hasOwnId = task.id !== undefined;
    const checking = this.#parts.known.check(capability);
    if (checking !== undefined) await checking;
    if (scope !== NO_SCOPE) await this.#checkScope(scope);
    if (hasOwnId && (await this.#isStored(at)))
      return { taskId, status: "accepted", duplicate: true, subject };
    const duplicate = await this.#store(task, at, options);
    this.#parts.meter.tasksSubmitted.inc({ capability, priority });
    return { taskId, status: "accepted", duplicate, subject };
  }

  async #checkScope(scope: string): Promise<void> {
    if (!(await isScopeMarked(this.#parts.transport, scope))) return;
    const message = `the scope ${scope} was cancelled; submit the task under another scope`;
    throw new SwarmError("cancelled", message, { field: "scope" });
  }

  /** Stores the task where it belongs by its `notBefore`; true when it was stored there already. */
  async #store(task: Task, at: TaskAddress, options: SubmitOptions): Promise<boolean> {
    // The server publishes a schedule by its own clock, so the delay must count from the server's time.
    if (task.notBefore !== undefined) await this.#parts.transport.clock.sync();
    const nowMs = this.#parts.clock.now();
    const dueMs = dueMsOf(task, nowMs);
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

/** When a submitted task is due, Unix ms; the present without a `notBefore`. */
function dueMsOf({ notBefore }: Task, nowMs: number): number {
  if (notBefore === undefined) return nowMs;
  return typeof notBefore === "number" ? nowMs + notBefore : Date.parse(notBefore);
}

function headersOf(options: SubmitOptions): Record<string, string> {
  const headers: Record<string, string> = { ...bodyHeaders(options.encoding ?? "json") };
  if (options.traceparent !== undefined) headers[HEADERS.traceparent] = options.traceparent;
  if (options.tracestate !== undefined) headers[HEADERS.tracestate] = options.tracestate;
  return headers;
}
