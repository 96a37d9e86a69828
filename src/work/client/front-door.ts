// `<p>.submit`: the validated front door for programs that want an answer instead of a bare acknowledgement.
import { createService, type Logger, type Service } from "../../base/index.ts";
import {
  CONTENT_TYPES,
  createSubjects,
  type Encoding,
  encode,
  HEADERS,
  replyEncodingOf,
  SwarmError,
  type TaskInput,
  toSwarmError,
} from "../../protocol/index.ts";
import type { IncomingRequest, Subscription, Transport } from "../../transport/index.ts";
import { packLarge, unpackStored } from "../stores/bodies.ts";
import type { TaskClient } from "./client.ts";
import { errorReply } from "./replies.ts";

/** How many submits one process works on at once, waits for results included; more are told to come back. */
const MAX_IN_FLIGHT = 4_096;
/** The longest `Murmur-Wait`, in ms: an hour. */
const MAX_WAIT_MS = 3_600_000;

/** Answers submits; every api process does, sharing one queue group. */
export function createFrontDoor(parts: { transport: Transport; client: TaskClient; log: Logger }): Service {
  const { transport, client, log } = parts;
  const subjects = createSubjects(transport.prefix);
  let subscription: Subscription | undefined;
  let inFlight = 0;

  async function answer(request: IncomingRequest): Promise<void> {
    let encoding: Encoding = replyEncodingOf(request.data, request.header(HEADERS.contentType));
    try {
      if (inFlight >= MAX_IN_FLIGHT) {
        throw new SwarmError("rate_limited", `this process works on ${MAX_IN_FLIGHT} submits already`, {
          retryAfterMs: 1_000,
        });
      }
      inFlight++;
      try {
        const body = await unpackStored(request, transport.blobs);
        encoding = body.encoding;
        const options = {
          encoding,
          traceparent: request.header(HEADERS.traceparent),
          tracestate: request.header(HEADERS.tracestate),
        };
        const waitMs = readWait(request.header(HEADERS.wait));
        const task = body.value as TaskInput;
        const reply =
          waitMs === null
            ? await client.submit(task, options)
            : await client.run(task, { ...options, timeoutMs: waitMs });
        const data = await packLarge(encode(reply, encoding), encoding, transport.blobs);
        request.respond(data, { [HEADERS.contentType]: CONTENT_TYPES[encoding] });
      } finally {
        inFlight--;
      }
    } catch (error) {
      const told = toSwarmError(error);
      if (told.code === "internal") log.error({ err: error }, "a submit failed for a reason of our own");
      const { body, headers } = errorReply(told, encoding);
      request.respond(body, headers);
    }
  }

  return createService({
    name: "front door",
    async start() {
      subscription = transport.bus.subscribe(subjects.submit, (request) => void answer(request), {
        queue: "submit",
      });
      await transport.bus.flush();
    },
    stop: () => subscription?.close(),
  });
}

function readWait(header: string | undefined): number | null {
  if (header === undefined) return null;
  const waitMs = Number(header);
  if (Number.isFinite(waitMs) && waitMs > 0 && waitMs <= MAX_WAIT_MS) return waitMs;
  throw new SwarmError(
    "invalid_input",
    `${HEADERS.wait} must be 1–${MAX_WAIT_MS} ms, got ${JSON.stringify(header.slice(0, 40))}`,
    {
      field: HEADERS.wait,
    },
  );
}
