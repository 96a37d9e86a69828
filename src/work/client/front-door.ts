// The front door `<p>.submit`: takes tasks from programs that want an answer instead of a bare acknowledgement.
import { createService, type Logger, type Service } from "../../base/index.ts";
import {
  CONTENT_TYPES,
  createSubjects,
  type Encoding,
  encode,
  HEADERS,
  type Result,
  replyEncodingOf,
  type SubmitReply,
  SwarmError,
  type TaskInput,
  toSwarmError,
} from "../../protocol/index.ts";
import type { IncomingRequest, RequestSubscription, Transport } from "../../transport/index.ts";
import { packLarge, unpackStored } from "../stores/bodies.ts";
import type { TaskClient } from "./client.ts";
import { errorReply } from "./replies.ts";

/** The most submits in flight in one process, including waits for a result; further callers must retry. */
const MAX_SUBMITS_IN_FLIGHT = 4_096;
/** The longest `Murmur-Wait`, in ms: an hour. */
const MAX_WAIT_MS = 3_600_000;

/** The parts of a front door. */
interface FrontDoorParts {
  transport: Transport;
  client: TaskClient;
  log: Logger;
}

/** Makes the front door of one api process. All api processes share one queue group. */
export function createFrontDoor(parts: FrontDoorParts): Service {
  const door = new FrontDoor(parts);
  return createService({ name: "front door", start: () => door.start(), stop: () => door.stop() });
}

class FrontDoor {
  readonly #transport: Transport;
  readonly #client: TaskClient;
  readonly #log: Logger;
  #subscription: RequestSubscription | undefined;
  #inFlight = 0;

  constructor({ transport, client, log }: FrontDoorParts) {
    this.#transport = transport;
    this.#client = client;
    this.#log = log;
  }

  async start(): Promise<void> {
    const { bus, prefix } = this.#transport;
    const answer = (request: IncomingRequest) => void this.#answer(request);
    this.#subscription = bus.subscribe(createSubjects(prefix).submit, answer, { queue: "submit" });
    await bus.flush();
  }

  async stop(): Promise<void> {
    await this.#subscription?.drain();
  }

  async #answer(request: IncomingRequest): Promise<void> {
    let encoding: Encoding = replyEncodingOf(request.data, request.header(HEADERS.contentType));
    try {
      if (this.#inFlight >= MAX_SUBMITS_IN_FLIGHT) throw tooManySubmits();
      this.#inFlight++;
      try {
        const body = await unpackStored(request, this.#transport.blobs);
        encoding = body.encoding;
        const reply = await this.#submit(request, body.value as TaskInput, encoding);
        const data = await packLarge(encode(reply, encoding), encoding, this.#transport.blobs);
        request.respond(data, { [HEADERS.contentType]: CONTENT_TYPES[encoding] });
      } finally {
        this.#inFlight--;
      }
    } catch (error) {
      const refusal = toSwarmError(error);
      if (refusal.code === "internal") this.#log.error({ err: error }, "submit failed by an internal error");
      const { body, headers } = errorReply(refusal, encoding);
      request.respond(body, headers);
    }
  }

  /** Submits the task. With the header `Murmur-Wait`, waits for its result. */
  #submit(request: IncomingRequest, task: TaskInput, encoding: Encoding): Promise<SubmitReply | Result> {
    const options = {
      encoding,
      traceparent: request.header(HEADERS.traceparent),
      tracestate: request.header(HEADERS.tracestate),
    };
    const waitMs = readWait(request.header(HEADERS.wait));
    if (waitMs === null) return this.#client.submit(task, options);
    return this.#client.run(task, { ...options, timeoutMs: waitMs });
  }
}

function tooManySubmits(): SwarmError {
  const message = `${MAX_SUBMITS_IN_FLIGHT} submits are in flight in this process; retry later`;
  return new SwarmError("rate_limited", message, { retryAfterMs: 1_000 });
}

function readWait(header: string | undefined): number | null {
  if (header === undefined) return null;
  const waitMs = Number(header);
  if (Number.isFinite(waitMs) && waitMs > 0 && waitMs <= MAX_WAIT_MS) return waitMs;
  const got = JSON.stringify(header.slice(0, 40));
  throw new SwarmError("invalid_input", `${HEADERS.wait} must be 1–${MAX_WAIT_MS} ms, got ${got}`, {
    field: HEADERS.wait,
  });
}
