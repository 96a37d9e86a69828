// The types of the client for programs. Leaves the work to client.ts.
import type {
  Encoding,
  ErrorCode,
  Result,
  SubmitReply,
  SwarmError,
  TaskInput,
  TaskStatus,
} from "../protocol/index.ts";
import type { NatsCredentials, NatsTarget } from "../transport/index.ts";
import type { ListOptions } from "../work/index.ts";

export type { Encoding, ErrorCode, ListOptions, Result, SubmitReply, SwarmError, TaskInput, TaskStatus };

/** The options of {@link connect}. */
export interface ConnectOptions {
  /**
   * URLs of NATS servers: `nats://host:4222`, `tls://host:4222`, with or without `user:password@`. Default: the variable
   * `NATS_URL`, where commas separate several URLs; without it `nats://127.0.0.1:4222`.
   */
  readonly servers?: string | string[] | undefined;
  /** The swarm's prefix. Default: the variable `MURMUR_PREFIX`, without it `murmur`. */
  readonly prefix?: string | undefined;
  /** Default: none, or those of the URL. */
  readonly credentials?: NatsCredentials | undefined;
  /** Options of Node's TLS, for servers that need a client certificate or have one of their own authority. */
  readonly tls?: NatsTarget["tls"];
  /** The start of inbox subjects, for users whose permissions require one, below `_INBOX.`: `_INBOX.shop`. Default `_INBOX`. */
  readonly inboxPrefix?: string | undefined;
  /**
   * How long the journal of a task that this client cancels is kept, in days, 1 to 3,650. Give the value of the setting
   * `journalDays` of the swarm's processes. Default 7.
   */
  readonly journalDays?: number | undefined;
  /**
   * The NATS user of this program in a swarm with permissions: every call goes through the front door, as this user. Default: the
   * variable `MURMUR_OPERATE_AS`; without it the client uses the streams itself.
   */
  readonly operateAs?: string | undefined;
  /** The name of the program on the server's monitoring pages. Default `murmur-client`. */
  readonly name?: string | undefined;
  /** True: wait for the first connection without limit, until `signal` aborts. Default false: fail when no server answers. */
  readonly waitForServer?: boolean | undefined;
  /** Ends the wait for the first connection. */
  readonly signal?: AbortSignal | undefined;
}

/** A task with an input of type `Input`. Only `capability` is required; docs/contract.md lists the fields. */
export type TaskOf<Input = unknown> = Omit<TaskInput, "input"> & { input?: Input };

/** The result of a task whose output has the type `Output`. */
export type TaskResult<Output = unknown> = Omit<Result, "output"> & { output?: Output };

/** The options of every call. */
export interface CallOptions {
  /**
   * Ends the call: it rejects with the signal's reason. It does not undo the call: a task may be stored, and a submitted
   * task continues.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the call is repeated while NATS, or for an open ballot the office, does not answer, in ms. Default 30,000,
   * which is longer than a restart of a server. 0: the call fails at once with `unavailable`. `Infinity`: without limit.
   */
  readonly patienceMs?: number | undefined;
}

/** The options of a submit. */
export interface SubmitOptions extends CallOptions {
  /**
   * The encoding of the task, and so of its result. Default `json`. `msgpack` also carries `Uint8Array` in inputs and
   * outputs.
   */
  readonly encoding?: Encoding | undefined;
  /** W3C trace context that the task carries. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** The options of a wait. */
export interface WaitOptions extends CallOptions {
  /** The longest wait for the result, in ms. Default: no limit. The task continues after the wait. */
  readonly timeoutMs?: number | undefined;
}

/** The options of {@link Client.run}. */
export interface RunOptions extends SubmitOptions, WaitOptions {}

/** The options of a batch. */
export interface BatchOptions extends RunOptions {
  /**
   * The most tasks in flight: taken from the source, and not yet read by the consumer. Default 256; 1 to 10,000. The batch
   * takes the next task from the source only below this number.
   */
  readonly inFlight?: number | undefined;
  /**
   * True: entries come in the order of the source, and a slow task holds back the entries after it. Default false: entries
   * come as they end.
   */
  readonly ordered?: boolean | undefined;
}

/** The end of one task of a batch: a value, or the error of this task alone. */
export type BatchEntry<Value> =
  /** `index` is the place of the task in the source, from 0. */
  | { readonly index: number; readonly taskId: string; readonly value: Value; readonly error?: undefined }
  | {
      readonly index: number;
      readonly taskId: string;
      readonly value?: undefined;
      readonly error: SwarmError;
    };

/**
 * A connection of a program to a swarm. Every call may run beside others. A call rejects with a SwarmError, whose `code`
 * says the reason; see {@link isSwarmError}. The client reconnects by itself for ever.
 */
export interface Client extends AsyncDisposable {
  /** The swarm's prefix. */
  readonly prefix: string;
  /**
   * Submits a task and resolves when a stream has stored it. A large input travels as a blob. A task with an id of your own
   * is one task, however often it is submitted while its result is kept: the reply then has `duplicate: true`.
   * @throws SwarmError `invalid_input` (with the field), `payload_too_large`, `unknown_capability`, `conflict` (the id
   *   belongs to another capability or scope), `cancelled` (the scope was cancelled), `rate_limited` (the queue is full),
   *   `unavailable`.
   */
  submit<Input = unknown>(task: TaskOf<Input>, options?: SubmitOptions): Promise<SubmitReply>;
  /**
   * Submits a task and waits for its result: completed, failed or cancelled. A failed task is a result and no error.
   * Survives restarts of the server.
   * @throws SwarmError as {@link submit}; `timeout`, with `taskId`, when no result came within `timeoutMs`.
   */
  run<Output = unknown, Input = unknown>(
    task: TaskOf<Input>,
    options?: RunOptions,
  ): Promise<TaskResult<Output>>;
  /**
   * Waits for the result of a task that any program submitted. Survives restarts of the server: after each reconnect it
   * reads the result.
   * @throws SwarmError `not_found`; `timeout`; `unavailable` when NATS does not answer at the start of the wait.
   */
  wait<Output = unknown>(taskId: string, options?: WaitOptions): Promise<TaskResult<Output>>;
  /**
   * Follows a task: yields its status at once, then after each change of its state, attempt, progress or agent, and ends
   * after the status that has the `result`. A consumer that is slower than the changes gets the newest status. Events are
   * best effort, so the watch also reads the status every 500 ms. Survives restarts of the server within `patienceMs`.
   * @throws SwarmError `not_found`; `unavailable` when NATS does not answer for `patienceMs`.
   */
  watch(taskId: string, options?: CallOptions): AsyncGenerator<TaskStatus, void>;
  /** The state of a task. @throws SwarmError `not_found`; `unavailable`. */
  status(taskId: string, options?: CallOptions): Promise<TaskStatus>;
  /**
   * Lists live tasks first (newest first), then ended tasks (newest first). A filter that few tasks match makes it read all that is
   * stored. Ended tasks have no labels stored, and often no scope: a filter by these finds only failed ones with a dead letter.
   * @throws SwarmError `unavailable`.
   */
  list(filter?: ListOptions, options?: CallOptions): Promise<TaskStatus[]>;
  /**
   * Cancels a task: its result becomes `cancelled`, unless it has one. A running attempt is aborted.
   * @throws SwarmError `not_found`; `conflict` when the task had ended already; `unavailable`: nothing may be cancelled.
   */
  cancel(taskId: string, options?: CallOptions): Promise<void>;
  /**
   * Cancels all tasks of a scope, including tasks that are submitted under it later.
   * @throws SwarmError `invalid_input` for the scope `-`; `unavailable`.
   */
  cancelScope(scope: string, options?: CallOptions): Promise<void>;
  /**
   * Submits tasks from a source, with a bounded number in flight, and yields one entry for each.
   * - An error of one task is in its entry; the others continue. A full queue (`rate_limited`) is waited for within
   *   `patienceMs`.
   * - When the source throws, the batch yields the entries of the tasks in flight and then throws the source's error.
   * - When the consumer leaves the loop, or the signal aborts, the batch ends its source. Submitted tasks continue.
   * @throws SwarmError `invalid_input` for a bad `inFlight`; the source's error; the signal's reason.
   */
  submitAll<Input = unknown>(
    tasks: Iterable<TaskOf<Input>> | AsyncIterable<TaskOf<Input>>,
    options?: BatchOptions,
  ): AsyncGenerator<BatchEntry<SubmitReply>, void>;
  /**
   * Runs tasks from a source, as {@link submitAll}, and yields one entry with the result of each. `timeoutMs` holds for
   * each task.
   */
  runAll<Output = unknown, Input = unknown>(
    tasks: Iterable<TaskOf<Input>> | AsyncIterable<TaskOf<Input>>,
    options?: BatchOptions,
  ): AsyncGenerator<BatchEntry<TaskResult<Output>>, void>;
  /**
   * Ends every call in progress with `cancelled`, and closes the connection. Safe to repeat. `await using` calls it.
   */
  close(): Promise<void>;
}
