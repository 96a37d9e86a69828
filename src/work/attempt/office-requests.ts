// The requests of a hand-over to the office: their content, and one ask with a parsed answer. hand-over.ts decides when to
// ask and what follows from the answer.
import type { z } from "zod";
import { utf8Bytes } from "../../base/index.ts";
import {
  BALLOT_INPUT_LIMIT,
  type BallotOpenRequest,
  type BallotSpec,
  decode,
  encode,
  errorReplySchema,
  fromWire,
  HEADERS,
  PLACE_TEXT_LIMIT,
  type PlaceRequest,
  parse,
  type Subjects,
  SwarmError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Incoming, Transport } from "../../transport/index.ts";
import type { KnownHandOff } from "../stores/journal.ts";
import type { InFlightTask } from "./in-flight.ts";

/** How long the office has to answer, in ms. The task holds a slot for this time; a live office answers within a few ms. */
const PLACE_TIMEOUT_MS = 1_000;
/** How many values of an input are searched for text: bounds the work for an input of many small values. */
const MAX_TEXT_VALUES = 4_096;

type Blobs = Transport["blobs"];
type BlobRef = Awaited<ReturnType<Blobs["put"]>>;

/**
 * Asks the office once.
 * @throws SwarmError the office's refusal; `unavailable` without an answer; `internal` for an answer of another shape.
 */
export async function askOffice<S extends z.ZodType>(
  { transport, subjects }: { transport: Transport; subjects: Subjects },
  command: string,
  request: object,
  answer: S,
): Promise<z.output<S>> {
  const options = { timeoutMs: PLACE_TIMEOUT_MS };
  const reply = await transport.bus.request(subjects.office(command), encode(request), options);
  if (reply.header(HEADERS.serviceErrorCode) === undefined) return parseReply(answer, reply, command);
  throw fromWire(parseReply(errorReplySchema, reply, command).error);
}

function parseReply<S extends z.ZodType>(schema: S, reply: Incoming, command: string): z.output<S> {
  try {
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    return parse(schema, value, `the office's answer to ${command}`);
  } catch (error) {
    // The task is not at fault and must not fail by it: perhaps the next office speaks this version.
    throw new SwarmError("internal", toSwarmError(error).message, { cause: error });
  }
}

/** The request that lets the office choose an agent. A hand-off decides the route, the labels and the text in part. */
export function placeRequestOf({ at, task, tip }: InFlightTask): PlaceRequest {
  const handed = tip.handed?.record;
  const route = handed?.to ?? task.route;
  if (route === "queue") throw new SwarmError("internal", "a task without a route needs no place");
  const labels = handed?.labels === undefined ? task.labels : { ...task.labels, ...handed.labels };
  // The context of a hand-off comes first: it says more about the remaining work than the input does.
  const shown = handed === undefined ? task.input : [handed.context, task.input];
  return {
    ...at,
    route,
    ...(labels === undefined ? {} : { labels }),
    ...(handed === undefined ? {} : { exclude: senders(handed) }),
    ...(route === "best" ? { text: textOf(shown, PLACE_TEXT_LIMIT) } : {}),
  };
}

/** All agents that handed the task off. */
function senders({ hops }: KnownHandOff["record"]): string[] {
  return [...new Set(hops.map(({ agent }) => agent))];
}

/** The request that opens a ballot. Stores a large input as a blob. @throws SwarmError `unavailable`. */
export async function ballotOpenRequestOf(
  { at, task, delivery, encoding }: InFlightTask,
  ballot: BallotSpec,
  blobs: Blobs,
): Promise<BallotOpenRequest> {
  const { labels, deadline, timeoutMs, retry } = task;
  const traceparent = delivery.header(HEADERS.traceparent);
  return {
    ...at,
    encoding,
    storedAtMs: delivery.storedAtMs,
    ballot,
    task: {
      ...(await packInput(task.input, blobs)),
      ...(labels === undefined ? {} : { labels }),
      ...(deadline === undefined ? {} : { deadline }),
      timeoutMs,
      ...(retry === undefined ? {} : { retry }),
    },
    ...(traceparent === undefined || traceparent.length > 256 ? {} : { traceparent }),
  };
}

/** The input in the form that the control log takes: inline up to the log's limit, else by blob reference. */
async function packInput(input: unknown, blobs: Blobs): Promise<{ input?: unknown; inputRef?: BlobRef }> {
  if (input === undefined) return {};
  const text = JSON.stringify(input);
  if (text.length <= BALLOT_INPUT_LIMIT) return { input };
  return { inputRef: await blobs.put(utf8Bytes(text)) };
}

/** The texts inside a value, one a line, up to `limit` UTF-16 code units. Strings are plain, without JSON's escapes. */
function textOf(value: unknown, limit: number): string {
  const open: unknown[] = [value];
  let text = "";
  for (let seen = 0; open.length > 0 && text.length < limit && seen < MAX_TEXT_VALUES; seen++) {
    const next = open.pop();
    if (typeof next === "string") text += text === "" ? next.slice(0, limit) : `\n${next.slice(0, limit)}`;
    else if (typeof next === "object" && next !== null && !ArrayBuffer.isView(next)) {
      const values = Array.isArray(next) ? next : Object.values(next);
      open.push(...values.slice(0, Math.max(0, MAX_TEXT_VALUES - seen - open.length)).reverse());
    }
  }
  return text.slice(0, limit);
}
