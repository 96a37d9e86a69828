// Tasks with a route are handed over: the host that received one asks the office where it should run and publishes it
// there. The office never touches a body, and the placed message is the whole of the decision. A task with a ballot is
// handed to the office itself, which asks the seats.
// I1: the caller acks the task only after the placed message is stored, or was found to be stored before, or the office
//     has the ballot in its log.
// I2: a task is handed over once: a repeated delivery first looks whether it waits on an agent or in the later stream,
//     in the order in which a task moves, and a publish whose fate is unknown is repeated under the same message id. The
//     placed message that a returned task was made of is about to be deleted, and is no place for it.
//     A task that was handed off from an agent goes on from each of its older messages, until it is found elsewhere.
// I3: no attempt is counted or journaled here: attempts begin where the task is placed.
import type { z } from "zod";
import { backoffDelayMs, type Chance, type Clock, toIsoTime, utf8Bytes } from "../../base/index.ts";
import {
  BALLOT_INPUT_LIMIT,
  type BallotOpenRequest,
  type BallotSpec,
  ballotOpenReplySchema,
  decode,
  type Encoding,
  encode,
  encodePlacement,
  errorReplySchema,
  fromWire,
  HEADERS,
  PLACE_TEXT_LIMIT,
  type PlaceReply,
  type PlaceRequest,
  parse,
  placeReplySchema,
  type Subjects,
  SwarmError,
  type Task,
  type TaskAddress,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Delivery, Stored, Transport } from "../../transport/index.ts";
import type { KnownHandOff } from "../stores/journal.ts";
import { carriedHeaders } from "../stores/later.ts";

/** How long the office has to answer, in ms: the task holds a slot meanwhile. A living one answers within a few. */
const OFFICE_TIMEOUT_MS = 1_000;
/**
 * Waits while there is no office, or it cannot choose. An election takes about a second; after that, many waiting tasks
 * must not become load.
 */
const OFFICE_BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The wait when the task's new place is the one that it is just being taken away from, in ms. */
const STILL_LEAVING_MS = 100;
/** Values of an input that are looked at for its text: bounds the work for inputs of many small values. */
const MAX_TEXT_VALUES = 4_096;

type BlobRef = Awaited<ReturnType<Transport["blobs"]["put"]>>;

/** What became of a hand-over. `refused`: it can never be placed, and why. */
export type HandedOver =
  | { kind: "passed" }
  | { kind: "later"; delayMs: number }
  | { kind: "refused"; error: SwarmError };

/** A task that is to be handed over. */
export interface Routed {
  readonly task: Task;
  readonly at: TaskAddress;
  readonly delivery: Delivery;
  /** True when the delivery may not be the task's first. */
  readonly repeated: boolean;
  /** How its result is to be encoded. */
  readonly encoding: Encoding;
  /** The number of the next attempt when the journal knows of earlier ones, else undefined. */
  readonly nextAttempt: number | undefined;
  /** Of a task that its last agent handed off: it decides about the route. */
  readonly handed: KnownHandOff | null;
}

/** True for a task whose place the office decides, and not whoever receives it. */
export function isRouted(task: Task): boolean {
  return task.route !== "queue" || task.ballot !== undefined;
}

/** Makes the hand-over; the function rejects with `unavailable` when the streams cannot be read. */
export function createHandOver(parts: {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  chance: Chance;
}): (routed: Routed) => Promise<HandedOver> {
  const { transport, subjects } = parts;
  const tasks = transport.log("tasks");
  const later = transport.log("later");

  return async function handOver(routed) {
    const ballot = routed.handed === null ? routed.task.ballot : undefined;
    // The office itself knows a ballot that it has.
    if (ballot === undefined && routed.repeated && (await isElsewhere(routed))) return { kind: "passed" }; // I2
    try {
      if (ballot === undefined) await place(routed);
      else await openBallot(routed, ballot);
      return { kind: "passed" };
    } catch (error) {
      const told = toSwarmError(error);
      if (!told.retryable) return { kind: "refused", error: told };
      // Of a ballot that waits for agents the office knows when its time is over.
      if (ballot !== undefined && told.retryAfterMs !== undefined) {
        return { kind: "later", delayMs: told.retryAfterMs };
      }
      const delayMs = backoffDelayMs(OFFICE_BACKOFF, routed.delivery.deliveryCount, parts.chance);
      return { kind: "later", delayMs: Math.max(delayMs, told.retryAfterMs ?? 0) };
    }
  };

  async function isElsewhere({ at, delivery, handed }: Routed): Promise<boolean> {
    const { placedById, laterById, dueById } = subjects.filters;
    const { taskId } = at;
    const fresh = { fresh: true };
    const isPlaced = subjects.readPlaced(delivery.subject) !== null;
    const sinceSeq = isPlaced ? delivery.seq : handOffSeq(handed);
    const isPlacedSince = async () =>
      isNext(await tasks.last(placedById(taskId), fresh), { delivery, sinceSeq });
    if (await isPlacedSince()) return true;
    if ((await later.last(laterById(taskId), fresh)) !== null) return true;
    if ((await later.last(dueById(taskId), fresh)) !== null) return true;
    if (!isPlaced) return false; // its queue holds this very message
    return (await tasks.last(subjects.task(at), fresh)) !== null || isPlacedSince();
  }

  /** Has an agent chosen and publishes the task to it (I1). */
  async function place({ task, at, delivery, nextAttempt, handed }: Routed): Promise<void> {
    const { host, agent, score, reasons } = await askForPlace(task, at, handed);
    const { capability, priority, scope, taskId } = at;
    const placedAt = toIsoTime(parts.clock.now());
    const queuedAt = handed?.record.at ?? toIsoTime(delivery.storedAtMs);
    const placement = { host, agent, score, reasons, capability, priority, placedAt, queuedAt };
    const headers: Record<string, string> = {
      ...carriedHeaders(delivery),
      [HEADERS.placement]: encodePlacement(placement),
    };
    if (nextAttempt !== undefined) headers[HEADERS.attempt] = String(nextAttempt);
    const subject = subjects.placed({ host, agent, scope, taskId });
    try {
      await tasks.append(subject, delivery.data, {
        headers,
        messageId: `placed-${taskId}-${delivery.seq}${handed === null ? "" : `-${handed.seq}`}`,
      });
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      // The subject holds its one message: the task is there, unless that is the one it is being taken from.
      const holder = await tasks.last(subject, { fresh: true });
      if (isNext(holder, { delivery, sinceSeq: handOffSeq(handed) })) return;
      throw new SwarmError("unavailable", `task ${taskId} is about to leave agent ${agent}`, {
        retryAfterMs: STILL_LEAVING_MS,
      });
    }
  }

  async function askForPlace(task: Task, at: TaskAddress, handed: KnownHandOff | null): Promise<PlaceReply> {
    const route = handed?.record.to ?? task.route;
    if (route === "queue") throw new SwarmError("internal", "a task without a route needs no place");
    const labels =
      handed?.record.labels === undefined ? task.labels : { ...task.labels, ...handed.record.labels };
    // What was passed on says more of what is left to do than the input does.
    const shown = handed === null ? task.input : [handed.record.context, task.input];
    const request: PlaceRequest = {
      ...at,
      route,
      ...(labels === undefined ? {} : { labels }),
      ...(handed === null ? {} : { exclude: excludedBy(handed) }),
      ...(route === "best" ? { text: textOf(shown, PLACE_TEXT_LIMIT) } : {}),
    };
    const place = await askOffice("place", request, placeReplySchema);
    if (route === "best" && request.exclude?.includes(place.agent)) {
      // An office of an older version does not know of hand-offs; the next one may.
      throw new SwarmError("unavailable", `the office chose ${place.agent}, which handed the task off`);
    }
    return place;
  }

  async function openBallot({ task, at, delivery, encoding }: Routed, ballot: BallotSpec): Promise<void> {
    const { labels, deadline, timeoutMs, retry } = task;
    const traceparent = delivery.header(HEADERS.traceparent);
    const request: BallotOpenRequest = {
      ...at,
      encoding,
      storedAtMs: delivery.storedAtMs,
      ballot,
      task: {
        ...(await packInput(task.input)),
        ...(labels === undefined ? {} : { labels }),
        ...(deadline === undefined ? {} : { deadline }),
        timeoutMs,
        ...(retry === undefined ? {} : { retry }),
      },
      ...(traceparent === undefined || traceparent.length > 256 ? {} : { traceparent }),
    };
    await askOffice("ballot-open", request, ballotOpenReplySchema);
  }

  /** The input as the control log takes it. */
  async function packInput(input: unknown): Promise<{ input?: unknown; inputRef?: BlobRef }> {
    if (input === undefined) return {};
    const text = JSON.stringify(input);
    if (text.length <= BALLOT_INPUT_LIMIT) return { input };
    return { inputRef: await transport.blobs.put(utf8Bytes(text)) };
  }

  /**
   * Asks the office once.
   * @throws SwarmError its refusal; `unavailable` when nobody answers; `internal` for an answer of another kind.
   */
  async function askOffice<S extends z.ZodType>(command: string, request: object, answer: S) {
    const reply = await transport.bus.request(subjects.office(command), encode(request), {
      timeoutMs: OFFICE_TIMEOUT_MS,
    });
    const read = <T extends z.ZodType>(schema: T): z.output<T> => {
      try {
        const { value } = decode(reply.data, reply.header(HEADERS.contentType));
        return parse(schema, value, `the office's answer to ${command}`);
      } catch (error) {
        // Not the task's fault, so the task must not fail by it: perhaps the next office speaks this version.
        throw new SwarmError("internal", toSwarmError(error).message, { cause: error });
      }
    };
    if (reply.header(HEADERS.serviceErrorCode) === undefined) return read(answer);
    throw fromWire(read(errorReplySchema).error);
  }
}

/** True for a placed message by which the task goes on: one since then, and not the one that it was returned from (I2). */
function isNext(
  placed: Stored | null,
  { delivery, sinceSeq }: { delivery: Delivery; sinceSeq: number },
): boolean {
  return placed !== null && placed.seq > sinceSeq && !isWhatReturned(delivery, placed);
}

/** Up to which message of the task what was placed is over. */
function handOffSeq(handed: KnownHandOff | null): number {
  return handed?.record.message ?? 0;
}

/** Everybody who handed the task off. */
function excludedBy({ record }: KnownHandOff): string[] {
  return [...new Set(record.hops.map(({ agent }) => agent))];
}

/** True for the placed message that a returned task was made of (I2). */
function isWhatReturned(delivery: Delivery, placed: Stored): boolean {
  return delivery.header(HEADERS.returned) === String(placed.seq);
}

/** The texts inside a value, a line each, up to `limit` UTF-16 code units. Strings as they are, not as JSON shows them. */
export function textOf(value: unknown, limit: number): string {
  const open: unknown[] = [value];
  let text = "";
  for (let looked = 0; open.length > 0 && text.length < limit && looked < MAX_TEXT_VALUES; looked++) {
    const next = open.pop();
    if (typeof next === "string") text += text === "" ? next.slice(0, limit) : `\n${next.slice(0, limit)}`;
    else if (typeof next === "object" && next !== null && !ArrayBuffer.isView(next)) {
      const values = Array.isArray(next) ? next : Object.values(next);
      open.push(...values.slice(0, Math.max(0, MAX_TEXT_VALUES - looked - open.length)).reverse());
    }
  }
  return text.slice(0, limit);
}
