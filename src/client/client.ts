// The client for programs over one transport: each call repeats while NATS does not answer, obeys its signal, and ends when the
// client closes. Leaves tasks themselves to the task client of the work room.
import { createSilentMeter, type Meter, newId, type Tracer } from "../base/index.ts";
import { parse, type SubmitReply, SwarmError, tokenSchema, toSwarmError } from "../protocol/index.ts";
import type { Transport } from "../transport/index.ts";
import { createTaskClient, type ListOptions, type ProgramTasks } from "../work/index.ts";
import { mapBounded } from "./bounded-map.ts";
import { insist, PATIENCE_MS } from "./patience.ts";
import type {
  BatchEntry,
  BatchOptions,
  CallOptions,
  Client,
  RunOptions,
  SubmitOptions,
  TaskInput,
  TaskOf,
  TaskResult,
  TaskStatus,
  WaitOptions,
} from "./types.ts";
import { watchTask } from "./watch.ts";

/** The tasks of a batch that are in flight by default: as many as the benchmark keeps in flight to fill a server. */
const BATCH_IN_FLIGHT = 256;
/** The most tasks that a batch may keep in flight: each waits with its result in memory. */
const MAX_BATCH_IN_FLIGHT = 10_000;

/** See {@link Client}. */
export class SwarmClient implements Client {
  readonly prefix: string;
  readonly #transport: Transport;
  readonly #tasks: ProgramTasks;
  readonly #onClose: () => Promise<void>;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(parts: {
    transport: Transport;
    /** Default: a task client of its own, which `close` closes. */
    tasks?: ProgramTasks | undefined;
    meter?: Meter | undefined;
    /** The tracer of the default task client. */
    tracer?: Tracer | undefined;
    onClose?: (() => Promise<void>) | undefined;
  }) {
    const { transport, tasks, tracer, meter = createSilentMeter(), onClose = async () => undefined } = parts;
    this.prefix = transport.prefix;
    this.#transport = transport;
    this.#tasks = tasks ?? createTaskClient({ transport, meter, tracer });
    this.#onClose = async () => {
      if (tasks === undefined) this.#tasks.close();
      await onClose();
    };
  }

  submit<Input = unknown>(task: TaskOf<Input>, options: SubmitOptions = {}): Promise<SubmitReply> {
    return this.#submit(task, options);
  }

  run<Output = unknown, Input = unknown>(
    task: TaskOf<Input>,
    options: RunOptions = {},
  ): Promise<TaskResult<Output>> {
    return this.#run<Output>(task, options);
  }

  async wait<Output = unknown>(taskId: string, options: WaitOptions = {}): Promise<TaskResult<Output>> {
    const { timeoutMs } = options;
    const { patienceMs, signal } = this.#calling(options);
    const endMs = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
    const leftMs = () => (timeoutMs === undefined ? undefined : Math.max(1, endMs - performance.now()));
    const wait = () => this.#tasks.result(checkId(taskId), { timeoutMs: leftMs(), signal });
    const result = await insist(wait, { patienceMs: Math.min(patienceMs, leftMs() ?? patienceMs), signal });
    return result as TaskResult<Output>;
  }

  async *watch(taskId: string, options: CallOptions = {}): AsyncGenerator<TaskStatus, void> {
    const { patienceMs, signal } = this.#calling(options);
    if (this.#tasks.watch !== undefined) {
      yield* this.#tasks.watch(checkId(taskId), { signal, patienceMs });
      return;
    }
    const read = () => insist(() => this.#tasks.status(checkId(taskId)), { patienceMs, signal });
    yield* watchTask(this.#transport, taskId, read, signal);
  }

  async status(taskId: string, options: CallOptions = {}): Promise<TaskStatus> {
    return insist(() => this.#tasks.status(checkId(taskId)), this.#calling(options));
  }

  async list(filter: ListOptions = {}, options: CallOptions = {}): Promise<TaskStatus[]> {
    return insist(() => this.#tasks.list(filter), this.#calling(options));
  }

  async cancel(taskId: string, options: CallOptions = {}): Promise<void> {
    const calling = this.#calling(options);
    const { patienceMs } = calling;
    const cancel = async (tries: number) => {
      try {
        await this.#tasks.cancel(checkId(taskId), { timeoutMs: patienceMs });
      } catch (error) {
        const isEnded = toSwarmError(error).code === "conflict";
        // An earlier try may have cancelled the task before its answer was lost.
        if (!isEnded || tries === 1) throw error;
        const { state } = await this.#tasks.status(taskId);
        if (state !== "cancelled") throw error;
      }
    };
    await insist(cancel, calling);
  }

  async cancelScope(scope: string, options: CallOptions = {}): Promise<void> {
    await insist(() => this.#tasks.cancelScope(scope), this.#calling(options));
  }

  submitAll<Input = unknown>(
    tasks: Iterable<TaskOf<Input>> | AsyncIterable<TaskOf<Input>>,
    options: BatchOptions = {},
  ): AsyncGenerator<BatchEntry<SubmitReply>, void> {
    return this.#batch(tasks, options, (...task) => this.#submit(...task));
  }

  runAll<Output = unknown, Input = unknown>(
    tasks: Iterable<TaskOf<Input>> | AsyncIterable<TaskOf<Input>>,
    options: BatchOptions = {},
  ): AsyncGenerator<BatchEntry<TaskResult<Output>>, void> {
    return this.#batch(tasks, options, (...task) => this.#run<Output>(...task));
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#closed.abort(new SwarmError("cancelled", "the client was closed; connect again"));
      await this.#onClose();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#batch<Input, Value>(
    tasks: Iterable<TaskOf<Input>> | AsyncIterable<TaskOf<Input>>,
    options: BatchOptions,
    perform: (task: TaskOf<Input>, options: RunOptions, newTaskId: string) => Promise<Value>,
  ): AsyncGenerator<BatchEntry<Value>, void> {
    const { inFlight = BATCH_IN_FLIGHT, ordered = false, ...each } = options;
    if (!Number.isInteger(inFlight) || inFlight < 1 || inFlight > MAX_BATCH_IN_FLIGHT) {
      const message = `inFlight must be a whole number from 1 to ${MAX_BATCH_IN_FLIGHT}, got ${inFlight}`;
      throw new SwarmError("invalid_input", message, { field: "inFlight" });
    }
    const { patienceMs, signal } = this.#calling(options);
    yield* mapBounded(tasks, { inFlight, ordered, signal }, async (task, index, stopping) => {
      const taskId = task.id ?? newId();
      const options = { ...each, signal: stopping };
      try {
        // `perform` repeats by itself while NATS does not answer.
        const work = () => perform(task, options, taskId);
        const value = await insist(work, { patienceMs, signal: stopping, codes: ["rate_limited"] });
        return { index, taskId, value };
      } catch (error) {
        stopping.throwIfAborted();
        return { index, taskId, error: toSwarmError(error) };
      }
    });
  }

  /** The limits of a call: its own, and the end of the client. */
  #calling({ signal, patienceMs = PATIENCE_MS }: CallOptions): { patienceMs: number; signal: AbortSignal } {
    const closed = this.#closed.signal;
    return { patienceMs, signal: signal === undefined ? closed : AbortSignal.any([signal, closed]) };
  }

  #submitting(options: SubmitOptions, newTaskId: string | undefined) {
    const { encoding, traceparent, tracestate } = options;
    return { encoding, traceparent, tracestate, newTaskId, ...this.#calling(options) };
  }

  async #submit(task: TaskOf, options: SubmitOptions, newTaskId?: string): Promise<SubmitReply> {
    return this.#tasks.submit(task as TaskInput, this.#submitting(options, newTaskId));
  }

  async #run<Output>(task: TaskOf, options: RunOptions, newTaskId?: string): Promise<TaskResult<Output>> {
    const { timeoutMs } = options;
    const submitting = this.#submitting(options, newTaskId);
    return (await this.#tasks.run(task as TaskInput, { ...submitting, timeoutMs })) as TaskResult<Output>;
  }
}

/** @throws SwarmError `invalid_input`. */
function checkId(taskId: string): string {
  return parse(tokenSchema, taskId, "task id");
}
