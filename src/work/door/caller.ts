// Calls operations through the front door of a swarm, for programs that may reach nothing else: `<p>.operate.<user>.<operation>`.
// Owns the talk of one call; app/door answers.
// C1: a call ends once: with the output, with an error, when its signal aborts, when the api process falls silent, or when a reply
//     is missing. A call that ends early tells the api process to stop.
import { newId } from "../../base/index.ts";
import {
  BLOB_LIMIT_BYTES,
  CONTENT_TYPES,
  createSubjects,
  decode,
  type Encoding,
  encode,
  errorReplySchema,
  fromWire,
  HEADERS,
  OPERATE_BODY_PIECES,
  OPERATE_RECEIPT_EVERY,
  OPERATE_SILENCE_MS,
  type OperateReceipt,
  parse,
  SwarmError,
} from "../../protocol/index.ts";
import {
  type Blobs,
  type Incoming,
  NoSubscriberError,
  type Subscription,
  type Transport,
} from "../../transport/index.ts";

/** The bytes of a message that are no body. */
const HEADER_ROOM_BYTES = 4 * 1024;
/** The largest piece of an input, in bytes: with its frame it fits the payload limit of a server (1 MiB by default). */
const INPUT_PIECE_BYTES = 512 * 1024;
/** The largest output in pieces, in bytes: the largest blob, and room for the object around it. */
const OUTPUT_LIMIT_BYTES = BLOB_LIMIT_BYTES + 64 * 1024;

/** The options of a call. */
export interface DoorCallOptions {
  /** How long the caller waits for each answer of the swarm, in ms; the operation gets it. Default: its own limits. */
  readonly timeoutMs?: number | undefined;
  /** Ends the call: it rejects with the signal's reason, and the operation is told to end. */
  readonly signal?: AbortSignal | undefined;
  /** How long an aborted call waits for the operation's own end, such as a report of the work so far, in ms. Default 0. */
  readonly stopMs?: number | undefined;
  /** The encoding of the input, which a submitted task keeps. Default `json`. */
  readonly encoding?: Encoding | undefined;
  /** W3C trace context. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Gets each event. An error that it throws ends the call. */
  readonly onEvent?: ((event: unknown) => void) | undefined;
}

/** Calls operations as one user. */
export interface DoorCaller {
  readonly user: string;
  /**
   * Performs an operation and resolves to its output.
   * @throws SwarmError of the operation; `not_permitted`; `unavailable` when no api process answers, when it falls silent, or when
   *   the connection breaks: then it is not known how far the operation came.
   */
  call(operation: string, input: unknown, options?: DoorCallOptions): Promise<unknown>;
  /** The blobs of the swarm, which the user reaches only through the door. */
  readonly blobs: Pick<Blobs, "put" | "get">;
}

/** Makes the caller of one user, over the connection of that user. */
export function createDoorCaller({
  transport,
  user,
}: {
  transport: Pick<Transport, "bus" | "prefix" | "maxPayloadBytes">;
  user: string;
}): DoorCaller {
  const subjects = createSubjects(transport.prefix);
  const store = async (data: Uint8Array, options?: DoorCallOptions) => {
    const reply = await call(
      "blob-put",
      { data },
      { ...options, encoding: "msgpack", onEvent: undefined, stopMs: 0 },
    );
    return reply as { $blob: string; bytes: number };
  };
  const send = (operation: string, input: Input, options: DoorCallOptions) =>
    new Promise<unknown>((resolve, reject) => {
      new Call(transport.bus, { subjects, user, operation, options, resolve, reject }).start(input);
    });

  async function call(operation: string, input: unknown, options: DoorCallOptions = {}): Promise<unknown> {
    const { encoding = "json", signal } = options;
    signal?.throwIfAborted();
    const data = encode(input, encoding);
    if (data.length <= transport.maxPayloadBytes - HEADER_ROOM_BYTES)
      return send(operation, { data, encoding }, options);
    const pieces: { $blob: string; bytes: number }[] = [];
    for (let from = 0; from < data.length; from += INPUT_PIECE_BYTES) {
      pieces.push(await store(data.subarray(from, from + INPUT_PIECE_BYTES), options));
    }
    return send(operation, { data: encode(pieces, encoding), encoding, isPieces: true }, options);
  }

  return {
    user,
    call,
    blobs: {
      put: (data) => store(data),
      get: async (reference) => {
        const { data } = (await call("blob-get", reference)) as { data: Uint8Array };
        return data;
      },
    },
  };
}

/** The bytes of an input as they are sent. */
interface Input {
  readonly data: Uint8Array;
  readonly encoding: Encoding;
  readonly isPieces?: boolean;
}

/** One call (C1). */
class Call {
  readonly #bus: Transport["bus"];
  readonly #subject: string;
  readonly #receipts: string;
  readonly #requestId = newId();
  readonly #options: DoorCallOptions;
  readonly #settle: { resolve: (output: unknown) => void; reject: (error: unknown) => void };
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #read = 0;
  #confirmed = 0;
  #conversation: Subscription | undefined;
  #silence: NodeJS.Timeout | undefined;
  #stopping: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(
    bus: Transport["bus"],
    call: {
      subjects: ReturnType<typeof createSubjects>;
      user: string;
      operation: string;
      options: DoorCallOptions;
      resolve: (output: unknown) => void;
      reject: (error: unknown) => void;
    },
  ) {
    const { subjects, user, operation, options, resolve, reject } = call;
    this.#bus = bus;
    this.#options = options;
    this.#subject = subjects.operate(user, operation);
    this.#receipts = subjects.operateReceipt(user, this.#requestId);
    this.#settle = { resolve, reject };
  }

  start({ data, encoding, isPieces = false }: Input): void {
    const { signal, timeoutMs, traceparent, tracestate } = this.#options;
    const headers: Record<string, string> = {
      [HEADERS.contentType]: CONTENT_TYPES[encoding],
      [HEADERS.accept]: CONTENT_TYPES.msgpack, // keeps bytes, and names no encoding of a task
      [HEADERS.request]: this.#requestId,
      ...(timeoutMs === undefined ? {} : { [HEADERS.timeout]: String(Math.max(1, Math.ceil(timeoutMs))) }),
      ...(isPieces ? { [HEADERS.body]: OPERATE_BODY_PIECES } : {}),
      ...(traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent }),
      ...(tracestate === undefined ? {} : { [HEADERS.tracestate]: tracestate }),
    };
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    try {
      this.#conversation = this.#bus.converse(this.#subject, data, {
        headers,
        onReply: (reply) => this.#onReply(reply),
        onLost: (error) => this.#end(() => this.#settle.reject(this.#explain(error))),
      });
      this.#listen();
    } catch (error) {
      this.#end(() => this.#settle.reject(error));
    }
  }

  readonly #onAbort = () => {
    const { signal, stopMs = 0 } = this.#options;
    if (stopMs === 0) return this.#giveUp(signal?.reason);
    this.#tell({ read: this.#read, stop: "soon" });
    this.#stopping = setTimeout(() => this.#giveUp(signal?.reason), stopMs);
  };

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      const message = `${this.#subject}: the api process fell silent for ${OPERATE_SILENCE_MS} ms, so it is not known how far this came; look at the swarm, then try again`;
      this.#giveUp(new SwarmError("unavailable", message));
    }, OPERATE_SILENCE_MS);
  }

  #onReply(reply: Incoming): void {
    if (this.#isEnded) return;
    this.#listen();
    const kind = reply.header(HEADERS.reply);
    if (kind === "alive") return;
    try {
      this.#count(reply);
      if (kind === "event") this.#options.onEvent?.(decodeReply(reply.data, reply));
      else if (kind === "piece") this.#keep(reply.data);
      else this.#finish(reply);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Checks that no reply is missing, and confirms some of them. */
  #count(reply: Incoming): void {
    const part = Number(reply.header(HEADERS.part) ?? this.#read + 1);
    if (part !== this.#read + 1) {
      const message = `${this.#subject}: reply ${this.#read + 1} is missing, got ${part}; call again`;
      throw new SwarmError("unavailable", message);
    }
    this.#read = part;
    if (this.#read - this.#confirmed >= OPERATE_RECEIPT_EVERY && reply.header(HEADERS.reply) !== "end") {
      this.#confirmed = this.#read;
      this.#tell({ read: this.#read });
    }
  }

  #keep(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes > OUTPUT_LIMIT_BYTES) {
      throw new SwarmError("payload_too_large", `the answer is over ${OUTPUT_LIMIT_BYTES} bytes`);
    }
    this.#pieces.push(piece);
  }

  #finish(reply: Incoming): void {
    if (reply.header(HEADERS.serviceErrorCode) !== undefined) {
      const { error } = parse(errorReplySchema, decodeReply(reply.data, reply), "the error reply");
      this.#end(() => this.#settle.reject(fromWire(error)));
      return;
    }
    const output = decodeReply(joinPieces([...this.#pieces, reply.data]), reply);
    this.#end(() => this.#settle.resolve(output));
  }

  #giveUp(error: unknown): void {
    if (this.#isEnded) return;
    this.#end(() => this.#settle.reject(error));
    this.#tell({ read: this.#read, stop: "now" });
  }

  #end(settle: () => void): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#conversation?.close();
    clearTimeout(this.#silence);
    clearTimeout(this.#stopping);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    settle();
  }

  #tell(receipt: OperateReceipt): void {
    try {
      this.#bus.publish(this.#receipts, encode(receipt), {
        headers: { [HEADERS.contentType]: CONTENT_TYPES.json },
      });
    } catch {
      // The connection is closed, which ends the operation too.
    }
  }

  /** The loss of a request, with the next step. */
  #explain(error: SwarmError): SwarmError {
    if (!(error instanceof NoSubscriberError)) return error;
    const message = `no api process answers ${this.#subject}: start one (murmur api) with MURMUR_PERMISSIONS_FILE; without permissions, leave operateAs out`;
    return new SwarmError("unavailable", message, { cause: error });
  }
}

/** The bytes of all pieces. No `Buffer`, because bytes in the output would then be buffers too. */
function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

function decodeReply(data: Uint8Array, reply: Incoming): unknown {
  return decode(data, reply.header(HEADERS.contentType)).value;
}
