// The front door of the operations on NATS: answers `<p>.operate.<user>.<operation>` for users whose names NATS proved, by the rights
// of permissions.yaml. Owns the requests in flight; authorise.ts decides, replies.ts talks, body.ts reads the input.
// D1: every request that wants a reply gets exactly one last reply, also when the process stops.
// D2: an operation starts only after its caller's rights are checked; each refusal is counted, and noted in the audit log.
// D3: the number of running operations is bounded, for each process and for each user.
// D4: an operation of a caller that is gone, or that stopped it, is told to end; its place is free when it has ended.
import { createService, type Logger, type Meter, nearest, type Service } from "../../base/index.ts";
import { createOfficeClient } from "../../coordinator/index.ts";
import {
  CONTENT_TYPES,
  createSubjects,
  decode,
  type Encoding,
  HEADERS,
  isToken,
  OPERATE_ALIVE_MS,
  operateReceiptSchema,
  parse,
  replyEncodingOf,
  SwarmError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { IncomingRequest, RequestSubscription, Transport } from "../../transport/index.ts";
import type { TaskClient } from "../../work/index.ts";
import {
  type Auditor,
  type Operation,
  type OperationContext,
  perform,
  type RefusedOperation,
} from "../operations/operation.ts";
import { withinTimeout } from "../operations/time-limit.ts";
import type { UserRights } from "../permissions/index.ts";
import { authorise, checkTask } from "./authorise.ts";
import { Bodies } from "./body.ts";
import { NumberedReplies, OneReply, type Replies } from "./replies.ts";

/** The most operations that run in one process: each waits on NATS, and holds a few KiB. */
export const MAX_RUNNING = 2_048;
/** The most operations of one user in one process: a batch of a client has 256 in flight, and a second one may run beside it. */
export const MAX_RUNNING_OF_USER = 512;
/** How long the one reply of a request without `Murmur-Timeout` may take, in ms: as long as the command line waits for a read. */
const ONE_REPLY_MS = 5_000;
/** The longest `Murmur-Timeout`, and the longest life of an operation, in ms: a day, as long as one attempt may run. */
const MAX_TIMEOUT_MS = 86_400_000;

/** The parts of the front door. */
export interface DoorParts {
  readonly transport: Transport;
  readonly tasks: TaskClient;
  readonly operations: readonly Operation[];
  /** The rights of a user now; null for a name that is no user. */
  readonly rightsOf: (user: string) => UserRights | null;
  /** The groups of agents: see {@link OperationContext}. */
  readonly scaling?: OperationContext["scaling"];
  readonly problems?: OperationContext["problems"];
  readonly traceUrl?: OperationContext["traceUrl"];
  readonly advise?: OperationContext["advise"];
  readonly auditor: Auditor;
  readonly onRefused: (refused: RefusedOperation) => void;
  readonly meter: Pick<Meter, "operateRequests">;
  readonly log: Logger;
}

/** Makes the front door of one api process. All api processes share one queue group. */
export function createOperateDoor(parts: DoorParts): Service {
  const door = new OperateDoor(parts);
  return createService({ name: "operate door", start: () => door.start(), stop: () => door.stop() });
}

/** A request that runs. */
interface Running {
  readonly user: string;
  readonly controller: AbortController;
  /** Rejects when the caller gets its answer although the operation has not ended. */
  readonly givenUp: PromiseWithResolvers<never>;
  /** Undefined for a request without an id. */
  readonly replies: NumberedReplies | undefined;
}

class OperateDoor {
  readonly #parts: DoorParts;
  readonly #byName: ReadonlyMap<string, Operation>;
  readonly #bodies: Bodies;
  readonly #running = new Set<Running>();
  readonly #ofUser = new Map<string, number>();
  /** The running requests with an id, by `<user>.<requestId>`. */
  readonly #named = new Map<string, Running>();
  readonly #answering = new Set<Promise<void>>();
  #subscriptions: RequestSubscription[] = [];
  #isStopping = false;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#byName = new Map(parts.operations.map((operation) => [operation.name, operation]));
    this.#bodies = new Bodies(parts.transport.blobs);
  }

  async start(): Promise<void> {
    const { bus, prefix } = this.#parts.transport;
    const { filters } = createSubjects(prefix);
    this.#subscriptions = [
      bus.subscribe(filters.allOperateReceipts, (receipt) => this.#take(receipt)),
      bus.subscribe(filters.allOperations, (request) => this.#accept(request), { queue: "operate" }),
    ];
    await bus.flush();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#subscriptions.map((subscription) => subscription.drain())); // D1
    const reason = new SwarmError("unavailable", "this api process stops; call again, another one answers");
    for (const running of this.#running) this.#end(running, reason);
    await Promise.all(this.#answering); // D1
  }

  #accept(request: IncomingRequest): void {
    if (!request.wantsReply) return; // a reply elsewhere than below _INBOX is counted by the transport
    const answering = this.#answer(request).finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
  }

  async #answer(request: IncomingRequest): Promise<void> {
    const { log, meter, transport } = this.#parts;
    const encoding = encodingOfReply(request);
    let replies: Replies = new OneReply(request, { encoding, maxPayloadBytes: transport.maxPayloadBytes });
    let outcome = "done";
    try {
      const requestId = readRequestId(request);
      if (requestId !== undefined) replies = new NumberedReplies(request, { requestId, encoding });
      await this.#serve(request, { requestId, replies });
    } catch (error) {
      const failure = toSwarmError(error);
      outcome = failure.code;
      if (failure.code === "internal") {
        log.error({ err: error, subject: request.subject }, "operation failed; answered internal");
      }
      try {
        replies.error(failure);
      } catch (cause) {
        log.error(
          { err: cause, subject: request.subject },
          "error reply cannot be sent; its caller times out",
        );
      }
    }
    meter.operateRequests.inc({ outcome });
  }

  /** Checks the request, performs its operation, and sends the output. */
  async #serve(
    request: IncomingRequest,
    { requestId, replies }: { requestId: string | undefined; replies: Replies },
  ): Promise<void> {
    const { rightsOf } = this.#parts;
    const at = createSubjects(this.#parts.transport.prefix).readOperate(request.subject);
    if (at === null) throw new SwarmError("invalid_input", "the subject must be operate.<user>.<operation>");
    const { user } = at;
    const rights = rightsOf(user);
    if (rights === null) {
      const message = `${user} is no publisher, agent class or operator in permissions.yaml; ask for an entry there`;
      throw this.#refuse(user, at.operation, new SwarmError("not_permitted", message));
    }
    const operation = this.#byName.get(at.operation);
    if (operation === undefined) throw unknownOperation(at.operation, [...this.#byName.keys()]);
    const timeoutMs = readTimeout(request.header(HEADERS.timeout));
    const numbered = replies instanceof NumberedReplies ? replies : undefined;
    const givenUp = Promise.withResolvers<never>();
    givenUp.promise.catch(() => undefined);
    const running: Running = { user, controller: new AbortController(), givenUp, replies: numbered };
    this.#enter(running, requestId);
    const leave = () => this.#leave(running, requestId);
    const performed = this.#bodies
      .read(request, (value, encoding) =>
        this.#perform({ request, running, rights, operation, timeoutMs, encoding, replies }, value),
      )
      .then((output) => replies.output(output))
      .finally(leave);
    performed.catch(() => undefined); // D4: it may end after its caller was answered
    const limitMs = numbered === undefined ? (timeoutMs ?? ONE_REPLY_MS) : MAX_TIMEOUT_MS;
    const answered = withinTimeout(
      Promise.race([performed, givenUp.promise]),
      limitMs + OWN_LIMIT_MS,
      "the swarm did not answer",
    );
    return answered.catch((error: unknown) => {
      this.#end(running, toSwarmError(error));
      throw error;
    });
  }

  async #perform(
    call: {
      request: IncomingRequest;
      running: Running;
      rights: UserRights;
      operation: Operation;
      timeoutMs: number | undefined;
      encoding: Encoding;
      replies: Replies;
    },
    value: unknown,
  ): Promise<unknown> {
    const { request, running, rights, operation, timeoutMs, encoding, replies } = call;
    const { transport, tasks, scaling, problems, traceUrl, advise, auditor } = this.#parts;
    const given = parse(operation.input, value, operation.name);
    const input = await this.#authorise(rights, operation, given);
    running.controller.signal.throwIfAborted();
    return perform(
      operation,
      {
        transport,
        tasks,
        scaling,
        problems,
        traceUrl,
        advise,
        office: createOfficeClient({ transport }),
        signal: running.controller.signal,
        caller: { name: rights.user, role: "api", isProven: true, groups: rights.groups },
        timeoutMs: timeoutMs ?? (replies.takesEvents ? undefined : ONE_REPLY_MS),
        request: {
          encoding,
          traceparent: request.header(HEADERS.traceparent),
          tracestate: request.header(HEADERS.tracestate),
        },
        auditor,
      },
      input,
      replies.takesEvents ? (event) => replies.event(event) : undefined,
    );
  }

  /** The input that may run (D2). */
  async #authorise(rights: UserRights, operation: Operation, given: unknown): Promise<unknown> {
    try {
      const { input, task } = authorise(rights, operation, given);
      if (task !== null) checkTask(rights, task, (await this.#parts.tasks.status(task)).capability);
      return input;
    } catch (error) {
      throw this.#refuse(rights.user, operation.name, error);
    }
  }

  #refuse(user: string, command: string, error: unknown): unknown {
    const { code, message } = toSwarmError(error);
    if (code === "not_permitted") {
      this.#parts.onRefused({ by: user, isProven: true, command, reason: message });
    }
    return error;
  }

  /** @throws SwarmError `rate_limited` (D3); `conflict` for an id that is in use; `unavailable` while the process stops. */
  #enter(running: Running, requestId: string | undefined): void {
    const { user } = running;
    if (this.#isStopping) throw new SwarmError("unavailable", "this api process stops; call again");
    const own = this.#ofUser.get(user) ?? 0;
    if (this.#running.size >= MAX_RUNNING) throw tooMany(`${MAX_RUNNING} operations run in this api process`);
    if (own >= MAX_RUNNING_OF_USER)
      throw tooMany(`${MAX_RUNNING_OF_USER} operations of ${user} run in this api process`);
    if (requestId !== undefined) {
      const key = `${user}.${requestId}`;
      if (this.#named.has(key)) {
        throw new SwarmError(
          "conflict",
          `a request ${requestId} runs already; give each request an id of its own`,
          {
            field: HEADERS.request,
          },
        );
      }
      this.#named.set(key, running);
      this.#keepAlive(running);
    }
    this.#running.add(running);
    this.#ofUser.set(user, own + 1);
  }

  #leave(running: Running, requestId: string | undefined): void {
    const { user } = running;
    this.#running.delete(running);
    if (requestId !== undefined) this.#named.delete(`${user}.${requestId}`);
    const own = (this.#ofUser.get(user) ?? 1) - 1;
    if (own === 0) this.#ofUser.delete(user);
    else this.#ofUser.set(user, own);
  }

  /** Tells the caller at intervals that the operation runs, and ends it when the caller is gone (D4). */
  #keepAlive(running: Running): void {
    const timer = setInterval(() => {
      if (!this.#running.has(running)) return clearInterval(timer);
      running.replies?.alive(() => this.#end(running, GONE));
    }, OPERATE_ALIVE_MS);
    timer.unref();
  }

  #take(receipt: IncomingRequest): void {
    const at = createSubjects(this.#parts.transport.prefix).readOperateReceipt(receipt.subject);
    const running = at === null ? undefined : this.#named.get(`${at.user}.${at.requestId}`);
    if (running === undefined) return; // of another api process, or of a request that has ended
    try {
      const { value } = decode(receipt.data, receipt.header(HEADERS.contentType));
      const { read, stop } = parse(operateReceiptSchema, value, "receipt");
      running.replies?.confirm(read);
      if (stop === "soon") this.#stop(running);
      else if (stop === "now") this.#end(running, STOPPED);
    } catch (error) {
      this.#parts.log.warn({ err: error, subject: receipt.subject }, "receipt is not readable; ignored");
    }
  }

  /** Tells the operation to end, and gives it a moment to do so with its output: a bulk change reports how far it came. */
  #stop(running: Running): void {
    if (running.controller.signal.aborted) return;
    running.controller.abort(STOPPED);
    setTimeout(() => this.#end(running, STOPPED), STOP_GRACE_MS).unref();
  }

  #end(running: Running, reason: SwarmError): void {
    running.controller.abort(reason);
    running.replies?.cut(reason);
    running.givenUp.reject(reason);
  }
}

/** The time after the timeout that an operation has to report its own limit, in ms: its message says more. */
const OWN_LIMIT_MS = 250;
/** How long a stopped operation may take to end by itself, in ms: less than the command line waits for it. */
const STOP_GRACE_MS = 4_000;
const GONE = new SwarmError("cancelled", "the caller is gone; its operation ends");
const STOPPED = new SwarmError("cancelled", "the caller stopped the operation");

/** The encoding that `Accept` names, else that of the request. */
function encodingOfReply(request: IncomingRequest): Encoding {
  const accepted = request.header(HEADERS.accept);
  if (accepted === CONTENT_TYPES.json) return "json";
  if (accepted === CONTENT_TYPES.msgpack) return "msgpack";
  if (request.data.length === 0) return "json";
  return replyEncodingOf(request.data, request.header(HEADERS.contentType));
}

/** @throws SwarmError `invalid_input`. */
function readRequestId(request: IncomingRequest): string | undefined {
  const id = request.header(HEADERS.request);
  if (id === undefined || isToken(id)) return id;
  throw new SwarmError("invalid_input", `${HEADERS.request} must be 1–64 of A–Z a–z 0–9 _ -`, {
    field: HEADERS.request,
  });
}

/** @throws SwarmError `invalid_input`. */
function readTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const timeoutMs = Number(header);
  if (Number.isFinite(timeoutMs) && timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw new SwarmError(
    "invalid_input",
    `${HEADERS.timeout} must be 1–${MAX_TIMEOUT_MS} ms, got ${JSON.stringify(header.slice(0, 40))}`,
    { field: HEADERS.timeout },
  );
}

function unknownOperation(name: string, known: readonly string[]): SwarmError {
  const meant = nearest(name, known);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  return new SwarmError("not_found", `there is no operation ${name}${hint} (docs/contract.md lists all)`);
}

function tooMany(problem: string): SwarmError {
  return new SwarmError("rate_limited", `${problem}; retry later`, { retryAfterMs: 1_000 });
}
