// The messages between agents: sends an ask, reads a request, and encodes replies, errors and broadcasts. The request's
// body is the input, the reply's body the output; a reply with the header `Nats-Service-Error-Code` carries an error.
// Leaves the choice of an agent, and the waiting asks, to host/ask-desk.ts.
import { z } from "zod";
import { inSpan, NO_TRACER, type Span, sleep, type Tracer } from "../../base/index.ts";
import {
  CONTENT_TYPES,
  checkName,
  checkPlainData,
  DEFAULT_CLASS,
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
import {
  type Bus,
  type Headers,
  type Incoming,
  type IncomingRequest,
  NoSubscriberError,
} from "../../transport/index.ts";
import { codeOfThrown, errorReply } from "../../work/index.ts";
import { type AskOptions, DEFAULT_ASK_TIMEOUT_MS } from "../define/context.ts";

/**
 * Finds the class of an agent, which is a part of its mailbox's subject; undefined when it is not known. `isAgain`: no agent
 * of the class that was found before answers.
 */
export type FindClass = (agentId: string, options: { isAgain: boolean }) => Promise<string | undefined>;

/** The connection for asks and broadcasts. */
export interface AskLink {
  readonly bus: Bus;
  readonly subjects: Subjects;
  /** The class of this host, default `default`. An agent whose class is not known is looked for in it. */
  readonly agentClass?: string | undefined;
  readonly findClass?: FindClass | undefined;
  /** Lists the capabilities that the swarm knows, for the error about an ask that no agent takes. */
  /** Makes the spans of asks; without it, asks have none. */
  readonly tracer?: Tracer | undefined;
  readonly knownCapabilities?: (() => Promise<readonly string[]>) | undefined;
}

/** How long the error of an ask waits for the list of capabilities, in ms: the ask has failed already. */
const LIST_LIMIT_MS = 1_000;

/**
 * Asks any one agent of a capability.
 * @throws SwarmError the agent's error; `rate_limited` when its queue of asks is full; `unavailable` when no agent takes
 *   asks for the capability, or no reply came in time; `payload_too_large` over 512 KiB; the signal's reason.
 */
export function askCapability(
  link: AskLink,
  capability: string,
  input: unknown,
  options: AskOptions & { signal?: AbortSignal | undefined } = {},
): Promise<unknown> {
  return sendAsk(link, link.subjects.ask(capability), input, { ...options, to: capability }).catch(
    async (error: unknown) => {
      throw error instanceof NoSubscriberError ? await explainSilence(link, capability, error) : error;
    },
  );
}

/** The error for an ask that no agent takes: a capability that no agent has ever offered is probably misspelt. */
async function explainSilence(link: AskLink, capability: string, cause: unknown): Promise<SwarmError> {
  const ended = new AbortController();
  const known = await Promise.race([
    link.knownCapabilities?.().catch(() => undefined),
    sleep(LIST_LIMIT_MS, { signal: ended.signal }).then(
      () => undefined,
      () => undefined,
    ),
  ]);
  ended.abort();
  const why =
    known === undefined || known.includes(capability)
      ? "no agent takes asks for this capability now; start one, or wait until it resumes"
      : `no agent has offered this capability yet; known: ${known.join(", ") || "none"}`;
  return new SwarmError("unavailable", `ask ${capability}: ${why}`, { field: "capability", cause });
}

/** Asks one named agent, which performs its first capability. @throws as {@link askCapability}. */
export async function askAgent(
  link: AskLink,
  agentId: string,
  input: unknown,
  options: AskOptions & { signal?: AbortSignal | undefined } = {},
): Promise<unknown> {
  const { subjects, agentClass = DEFAULT_CLASS, findClass } = link;
  const ask = (of: string) =>
    sendAsk(link, subjects.agent({ class: of, agent: agentId }, "ask"), input, { ...options, to: "agent" });
  checkName(agentId, "agentId");
  const known = (await findClass?.(agentId, { isAgain: false })) ?? agentClass;
  try {
    return await ask(known);
  } catch (error) {
    if (!(error instanceof NoSubscriberError)) throw error;
    const other = await findClass?.(agentId, { isAgain: true });
    if (other === undefined || other === known) throw error;
    return ask(other);
  }
}

/** `to`: the capability, or `agent` for one named agent; it names the span. */
async function sendAsk(
  { bus, tracer = NO_TRACER }: Pick<AskLink, "bus" | "tracer">,
  subject: string,
  input: unknown,
  options: AskOptions & { signal?: AbortSignal | undefined; to: string },
): Promise<unknown> {
  const { timeoutMs = DEFAULT_ASK_TIMEOUT_MS, signal, to } = options;
  if (!isWaitMs(timeoutMs)) {
    throw new SwarmError(
      "invalid_input",
      `timeoutMs must be above 0 and at most ${MAX_TIMEOUT_MS}, got ${timeoutMs}`,
      { field: "timeoutMs" },
    );
  }
  const body = encodeBounded(input, "json", "input");
  let headers = contentHeaders(body, "json");
  if (timeoutMs !== DEFAULT_ASK_TIMEOUT_MS) headers = { ...headers, [HEADERS.wait]: String(timeoutMs) };
  const attributes = { "messaging.system": "nats", "murmur.ask.to": to };
  return inSpan(
    tracer,
    { name: `ask ${to}`, kind: "client", attributes },
    async (span) => {
      if (span !== null) headers = { ...headers, ...traceHeadersOf(span) };
      return readReply(await bus.request(subject, body, { timeoutMs, signal, headers }));
    },
    codeOfThrown,
  );
}

function traceHeadersOf({ headers: { traceparent, tracestate } }: Span): Headers {
  return {
    ...(traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent }),
    ...(tracestate === undefined ? {} : { [HEADERS.tracestate]: tracestate }),
  };
}

/** The body of an error reply. Unknown codes are accepted, because a newer agent may have more codes. */
const errorBodySchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    field: z.string().optional(),
    retryAfterMs: z.number().optional(),
    retryable: z.boolean().optional(),
  }),
});

/** Returns the output in a reply. @throws SwarmError the error of an error reply. */
function readReply(reply: Incoming): unknown {
  const { value } = decode(reply.data, reply.header(HEADERS.contentType));
  if (reply.header(HEADERS.serviceErrorCode) === undefined) return value;
  throw fromWire(parse(errorBodySchema, value, "the error reply").error);
}

/** Decodes the body of a request or broadcast. An empty body is null. @throws SwarmError `invalid_input`. */
export function readBody(message: Incoming): { value: unknown; encoding: Encoding } {
  if (message.data.length === 0) return { value: null, encoding: "json" };
  return decode(message.data, message.header(HEADERS.contentType));
}

/** Reads how long the sender waits, in ms; the default when the header is missing or out of range. */
export function readWaitMs(request: Incoming): number {
  const header = request.header(HEADERS.wait);
  if (header === undefined) return DEFAULT_ASK_TIMEOUT_MS;
  const waitMs = Number(header);
  return isWaitMs(waitMs) ? waitMs : DEFAULT_ASK_TIMEOUT_MS;
}

const isWaitMs = (waitMs: number) => waitMs > 0 && waitMs <= MAX_TIMEOUT_MS;

/** Replies with a value. @throws SwarmError `payload_too_large`; `invalid_input` for a value that would not arrive as it is. */
export function respond(request: IncomingRequest, value: unknown, encoding: Encoding): void {
  const body = encodeBounded(value, encoding, "output");
  request.respond(body, contentHeaders(body, encoding));
}

/** Replies with an error, in the format of NATS services. */
export function respondError(request: IncomingRequest, error: SwarmError, encoding: Encoding = "json"): void {
  const { body, headers } = errorReply(error, encoding);
  request.respond(body, headers);
}

/** Publishes a value to all subscribers of a topic. @throws SwarmError `invalid_input`, `payload_too_large`. */
export function broadcast(link: AskLink, topic: string, value: unknown): void {
  const body = encodeBounded(value, "json", "value");
  link.bus.publish(link.subjects.topic(topic), body, { headers: contentHeaders(body, "json") });
}

/**
 * Encodes a value of limited size. Larger values belong in a task, whose bodies travel by blob reference.
 * @throws SwarmError `payload_too_large`; `invalid_input` for a value that would not arrive as it is.
 */
function encodeBounded(value: unknown, encoding: Encoding, what: string): Uint8Array {
  checkPlainData(value, what, encoding);
  const body = encode(value ?? null, encoding);
  if (body.length <= INLINE_LIMIT_BYTES) return body;
  throw new SwarmError(
    "payload_too_large",
    `a message between agents must be at most ${INLINE_LIMIT_BYTES} bytes, got ${body.length}; submit a task instead`,
  );
}

const CONTENT_HEADERS: Record<Encoding, Headers> = {
  json: { [HEADERS.contentType]: CONTENT_TYPES.json },
  msgpack: { [HEADERS.contentType]: CONTENT_TYPES.msgpack },
};

/** The `Content-Type` header. Omitted when the first byte shows the encoding: headers cost more than small bodies. */
function contentHeaders(body: Uint8Array, encoding: Encoding): Headers | undefined {
  return encodingOf(body) === encoding ? undefined : CONTENT_HEADERS[encoding];
}
