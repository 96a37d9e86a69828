// Answers a request with a stream, as server-sent events or on a WebSocket: the events of an operation, and its output or its error at
// the end.
// I1: the first event is known before the answer begins, so that an error before it still has its status.
// I2: a reader that names its last event gets every later state, and is told when states between may be missing.
import type { ServerResponse } from "node:http";
import type { Context } from "hono";
import {
  type SwarmError as Failure,
  SwarmError,
  type TaskStatus,
  toSwarmError,
} from "../../../protocol/index.ts";
import { perform } from "../../operations/operation.ts";
import { type Call, contextOf, type Prepared } from "../routes/perform.ts";
import { type Route, SOCKET_PATH } from "../routes/table.ts";
import type { SocketOffer } from "../sockets/offer.ts";
import { EVENT_STREAM, EventStream, type StreamedEvent, type StreamTimes } from "./event-stream.ts";
import type { OpenStreams } from "./open-streams.ts";
import { SocketStream } from "./socket-stream.ts";
import { eventIdOf, isLastEvent, readLastEventId } from "./task-events.ts";

/** How long a stream waits for NATS, in ms: a reader waits longer than a request, because it would only connect again. */
const STREAM_PATIENCE_MS = 60_000;
/** How long a reader may take for the rest of a stream that has ended, in ms; then its socket is closed. */
const LAST_READ_MS = 10_000;

/** True when the answer is a stream. */
export function wantsStream({ stream }: Pick<Route, "stream">, context: Context): boolean {
  if (stream === undefined) return false;
  return stream.isAlways || (context.req.header("accept") ?? "").includes(EVENT_STREAM);
}

/** Answers with a stream. @throws SwarmError of the operation before its first event; `rate_limited` for too many streams. */
export async function answerStream(
  call: Call,
  prepared: Prepared,
  { streams, times }: { streams: OpenStreams; times?: StreamTimes | undefined },
): Promise<Response> {
  const { context, caller, route } = call;
  const names = route.stream!;
  streams.requireRoom();
  const lastId = names.hasIds ? readLastEventId(context.req.header("last-event-id")) : undefined;
  if (lastId !== undefined && isLastEvent(lastId)) return context.body(null, 204); // nothing comes after it
  if (context.req.method === "HEAD") return context.body(null, 200, EVENT_STREAM_HEADERS);
  const stream = new EventStream(() => (caller.isValid() ? null : noLongerValid()), times);
  const opened = new Opening({ stream, lastId, hasIds: names.hasIds });
  const signal = AbortSignal.any([stream.left, context.req.raw.signal]);
  const { operation, input, encoding } = prepared;
  const { event, output: last } = names;
  const operationContext = contextOf(call, { encoding, timeoutMs: STREAM_PATIENCE_MS, signal });
  perform(operation, operationContext, input, (value) => opened.send(event, value)).then(
    (output) => opened.finish(last, output),
    (error) => opened.fail(toSwarmError(error)),
  );
  try {
    await opened.begun; // I1
  } catch (error) {
    stream.end();
    throw error;
  }
  streams.add(stream, "sse");
  context.req.raw.signal.addEventListener("abort", () => stream.end(), { once: true });
  void stream.over.then(() => closeLater(context));
  return context.body(stream.body, 200, EVENT_STREAM_HEADERS);
}

/**
 * Answers with a WebSocket that carries the same events. An error of the operation is an event, because the socket is open by then.
 * @throws SwarmError `invalid_input` for a route whose stream takes no WebSocket; `rate_limited` for too many streams.
 */
export function answerSocket(
  call: Call,
  prepared: Prepared,
  { streams, offer, times }: { streams: OpenStreams; offer: SocketOffer; times?: StreamTimes | undefined },
): Response {
  const { caller, route } = call;
  const names = route.stream;
  if (names?.takesSocket !== true) {
    throw new SwarmError(
      "invalid_input",
      `${route.path} is no WebSocket; leave out the header Upgrade, or connect to ${SOCKET_PATH}`,
      { field: "Upgrade" },
    );
  }
  streams.requireRoom();
  return offer.accept((socket) => {
    const stream = new SocketStream(socket, () => (caller.isValid() ? null : noLongerValid()), times);
    streams.add(stream, "websocket");
    const { operation, input, encoding } = prepared;
    const { event, output: last } = names;
    const operationContext = contextOf(call, {
      ...{ encoding, timeoutMs: STREAM_PATIENCE_MS, signal: stream.left },
    });
    perform(operation, operationContext, input, (value) => stream.send({ event, data: value })).then(
      (output) => stream.send({ event: last, data: output }).then(() => stream.end()),
      (error) => stream.end({ event: "error", data: { error: toSwarmError(error).toWire() } }),
    );
  });
}

const EVENT_STREAM_HEADERS = {
  "Content-Type": EVENT_STREAM,
  "Cache-Control": "no-cache, no-transform",
  // nginx would hold the events back.
  "X-Accel-Buffering": "no",
};

const noLongerValid = (): Failure =>
  new SwarmError(
    "not_permitted",
    "the token of this stream was revoked or has expired; connect with another",
  );

/** The beginning of a stream: until its first event, an error is an answer of its own (I1). */
class Opening {
  readonly #stream: EventStream;
  readonly #lastId: string | undefined;
  readonly #hasIds: boolean;
  readonly #begun = Promise.withResolvers<void>();
  #isFirst = true;

  constructor({
    stream,
    lastId,
    hasIds,
  }: { stream: EventStream; lastId: string | undefined; hasIds: boolean }) {
    this.#stream = stream;
    this.#lastId = lastId;
    this.#hasIds = hasIds;
    this.#begun.promise.catch(() => undefined);
  }

  /** Settles with the first event, or with the error before it. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  async send(event: string, data: unknown): Promise<void> {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    this.#begun.resolve();
    const id = this.#hasIds ? eventIdOf(data as TaskStatus) : undefined;
    if (isFirst && this.#lastId !== undefined) {
      if (id === this.#lastId) return; // the reader has this state
      await this.#stream.send(gapAfter(this.#lastId)); // I2
    }
    await this.#stream.send({ event, data, id });
  }

  async finish(event: string, output: unknown): Promise<void> {
    await this.send(event, output);
    this.#stream.end();
  }

  fail(error: SwarmError): void {
    this.#begun.reject(error);
    this.#stream.end({ event: "error", data: { error: error.toWire() } });
  }
}

function gapAfter(lastId: string): StreamedEvent {
  const reason = "states between this event and the next one may be missing; only the newest is stored";
  return { event: "gap", data: { after: lastId, reason } };
}

/** Closes the socket of a reader that does not take the rest of its stream. Only a real server has one. */
function closeLater(context: Context): void {
  const { outgoing } = (context.env ?? {}) as { outgoing?: ServerResponse };
  if (outgoing === undefined) return;
  const timer = setTimeout(() => outgoing.destroy(), LAST_READ_MS);
  timer.unref();
  outgoing.once("close", () => clearTimeout(timer));
}
