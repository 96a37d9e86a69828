// Request/reply between agents on the wire: how an ask is sent, how it is answered, how an error travels back. The
// body is the input, the reply's body the output; a reply with `Nats-Service-Error-Code` is an error.
import { z } from "zod";
import {
  CONTENT_TYPES,
  decode,
  type Encoding,
  encode,
  encodingOf,
  fromWire,
  HEADERS,
  INLINE_LIMIT_BYTES,
  MAX_TIMEOUT_MS,
  parse,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Bus, Headers, Incoming, IncomingRequest } from "../../transport/index.ts";
import { errorReply } from "../../work/index.ts";
import { type AskOptions, DEFAULT_ASK_TIMEOUT_MS } from "../define/context.ts";

/** What an ask is sent over. */
export interface AskLink {
  readonly bus: Bus;
  readonly subjects: Subjects;
}

/**
 * Asks any one agent of a capability.
 * @throws SwarmError what the agent threw; `rate_limited` when it is full; `unavailable` when nobody offers the
 *   capability or nobody answered in time; `payload_too_large` over 512 KiB; the signal's reason.
 */
export function askCapability(
  link: AskLink,
  capability: string,
  input: unknown,
  options: AskOptions & { signal?: AbortSignal | undefined } = {},
): Promise<unknown> {
  return sendAsk(link.bus, link.subjects.ask(capability), input, options);
}

/** Asks one certain agent; it performs the first of its capabilities. @throws as {@link askCapability}. */
export function askAgent(
  link: AskLink,
  agentId: string,
  input: unknown,
  options: AskOptions & { signal?: AbortSignal | undefined } = {},
): Promise<unknown> {
  return sendAsk(link.bus, link.subjects.agent(agentId, "ask"), input, options);
}

async function sendAsk(
  bus: Bus,
  subject: string,
  input: unknown,
  { timeoutMs = DEFAULT_ASK_TIMEOUT_MS, signal }: AskOptions & { signal?: AbortSignal | undefined },
): Promise<unknown> {
  if (!isWaitMs(timeoutMs)) {
    throw new SwarmError(
      "invalid_input",
      `timeoutMs must be above 0 and at most ${MAX_TIMEOUT_MS}, got ${timeoutMs}`,
      { field: "timeoutMs" },
    );
  }
  const body = encodeBounded(input, "json");
  let headers = contentHeaders(body, "json");
  if (timeoutMs !== DEFAULT_ASK_TIMEOUT_MS) headers = { ...headers, [HEADERS.wait]: String(timeoutMs) };
  return readReply(await bus.request(subject, body, { timeoutMs, signal, headers }));
}

/** Unknown codes are let through here: a newer agent may know more of them. */
const errorBodySchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    field: z.string().optional(),
    retryAfterMs: z.number().optional(),
  }),
});

/** The output in a reply. @throws SwarmError the error that it carries instead. */
function readReply(reply: Incoming): unknown {
  const { value } = decode(reply.data, reply.header(HEADERS.contentType));
  if (reply.header(HEADERS.serviceErrorCode) === undefined) return value;
  throw fromWire(parse(errorBodySchema, value, "the error reply").error);
}

/** What came in with a request. An empty body is an input of null. @throws SwarmError `invalid_input`. */
export function readBody(message: Incoming): { value: unknown; encoding: Encoding } {
  if (message.data.length === 0) return { value: null, encoding: "json" };
  return decode(message.data, message.header(HEADERS.contentType));
}

/** How long the sender waits, in ms; the default when the header is missing or makes no sense. */
export function readWaitMs(request: Incoming): number {
  const header = request.header(HEADERS.wait);
  if (header === undefined) return DEFAULT_ASK_TIMEOUT_MS;
  const waitMs = Number(header);
  return isWaitMs(waitMs) ? waitMs : DEFAULT_ASK_TIMEOUT_MS;
}

const isWaitMs = (waitMs: number) => waitMs > 0 && waitMs <= MAX_TIMEOUT_MS;

/** Answers with a value. @throws SwarmError `payload_too_large`; TypeError for what cannot be encoded. */
export function respond(request: IncomingRequest, value: unknown, encoding: Encoding): void {
  const body = encodeBounded(value, encoding);
  request.respond(body, contentHeaders(body, encoding));
}

/** Answers with an error, in the way of NATS services. */
export function respondError(request: IncomingRequest, error: SwarmError, encoding: Encoding = "json"): void {
  const { body, headers } = errorReply(error, encoding);
  request.respond(body, headers);
}

/** Tells all listeners of a topic. @throws SwarmError `invalid_input`, `payload_too_large`. */
export function broadcast(link: AskLink, topic: string, value: unknown): void {
  const body = encodeBounded(value, "json");
  link.bus.publish(link.subjects.topic(topic), body, { headers: contentHeaders(body, "json") });
}

/** Messages between agents are small; what is large is a task, whose bodies go by blob reference. */
function encodeBounded(value: unknown, encoding: Encoding): Uint8Array {
  const body = encode(value ?? null, encoding);
  if (body.length <= INLINE_LIMIT_BYTES) return body;
  throw new SwarmError(
    "payload_too_large",
    `a message between agents must be at most ${INLINE_LIMIT_BYTES} bytes, got ${body.length}; hand in a task instead`,
  );
}

const CONTENT_HEADERS: Record<Encoding, Headers> = {
  json: { [HEADERS.contentType]: CONTENT_TYPES.json },
  msgpack: { [HEADERS.contentType]: CONTENT_TYPES.msgpack },
};

/** `Content-Type`, left out where the first byte already tells the encoding: headers cost more than small bodies. */
function contentHeaders(body: Uint8Array, encoding: Encoding): Headers | undefined {
  return encodingOf(body) === encoding ? undefined : CONTENT_HEADERS[encoding];
}
