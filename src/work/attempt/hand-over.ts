// Hand-over: a task that runs elsewhere leaves this host. The host asks the office where a routed task should run and
// publishes it to the chosen agent; it passes a task with a ballot to the office itself, which asks the seats. The office
// never touches the body of a routed task: the placed message is the whole of its decision.
// I1: the caller acks the task only after its placed message is stored, now or earlier, or after the office has the ballot
//     in its log.
// I2: a task is handed over once. The hand-over of a repeated delivery first checks whether the task waits on an agent or
//     in the later stream, in the order of a task's moves; a publish whose fate is unknown is repeated with the same
//     message id. The old placed message of a returned task does not count: it is about to be deleted. A task that an
//     agent handed off is handed over from each of its older messages, until one finds it elsewhere. Each class has a
//     stream of its own, so a placement names the last hand-off before it: sequences do not tell which message is newer.
// I3: no attempt is counted or journaled here: attempts begin where the task is placed.
import { backoffDelayMs, type Chance, type Clock, toIsoTime } from "../../base/index.ts";
import {
  type BallotSpec,
  ballotOpenReplySchema,
  classField,
  classOf,
  encodePlacement,
  HEADERS,
  type PlaceReply,
  placedKey,
  placeReplySchema,
  type Subjects,
  SwarmError,
  type Task,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import type { PlacedAt, TrailReader } from "../ports.ts";
import { blobsOf, renewBlobs } from "../stores/blob-refs.ts";
import { carriedHeaders } from "../stores/later.ts";
import { placedAt, placedName } from "../stores/placed-streams.ts";
import type { InFlightTask } from "./in-flight.ts";
import { askOffice, ballotOpenRequestOf, placeRequestOf } from "./office-requests.ts";

/**
 * Waits while there is no office, or while it cannot choose. An election takes about a second; after that, many waiting
 * tasks must not become load.
 */
const OFFICE_BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The wait, in ms, when the task's new place is the same place that it is just being taken away from. */
const STILL_LEAVING_MS = 100;

/** The end of a hand-over. `refused`: the task can never be placed, for the reason in `error`. */
export type HandedOver =
  | { kind: "passed" }
  | { kind: "later"; delayMs: number }
  | { kind: "refused"; error: SwarmError };

/** True for a task whose place the office decides, so that the host that receives it from the queue does not run it. */
export function isRouted(task: Task): boolean {
  return task.route !== "queue" || task.ballot !== undefined;
}

/** The parts of the hand-over. */
interface HandOverParts {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  chance: Chance;
  /** Tells where a task is that may have been handed over before. */
  trail: Pick<TrailReader, "places">;
}

/** Hands tasks over to where the office wants them. */
export class HandOver {
  readonly #parts: HandOverParts;

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  /**
   * Hands one task over. `mayBeElsewhere`: the task may have been handed over before (I2).
   * @throws SwarmError `unavailable` when the streams cannot be read.
   */
  async handOver(inFlight: InFlightTask, mayBeElsewhere: boolean): Promise<HandedOver> {
    const ballot = inFlight.tip.handed === null ? inFlight.task.ballot : undefined;
    // For a ballot there is no check: the office itself knows the ballots that it has.
    if (ballot === undefined && mayBeElsewhere && (await this.#isElsewhere(inFlight)))
      return { kind: "passed" }; // I2
    try {
      if (ballot === undefined) await this.#place(inFlight);
      else await this.#openBallot(inFlight, ballot);
      return { kind: "passed" };
    } catch (error) {
      return this.#afterRefusal(toSwarmError(error), inFlight.delivery, ballot !== undefined);
    }
  }

  #afterRefusal(refusal: SwarmError, delivery: Delivery, isBallot: boolean): HandedOver {
    if (!refusal.retryable) return { kind: "refused", error: refusal };
    // The office, not this host, enforces the ballot's timeout while the ballot waits for agents.
    if (isBallot && refusal.retryAfterMs !== undefined) {
      return { kind: "later", delayMs: refusal.retryAfterMs };
    }
    const delayMs = backoffDelayMs(OFFICE_BACKOFF, delivery.deliveryCount, this.#parts.chance);
    return { kind: "later", delayMs: Math.max(delayMs, refusal.retryAfterMs ?? 0) };
  }

  /** True when an earlier hand-over has moved the task already, so that another place holds it (I2). */
  async #isElsewhere(inFlight: InFlightTask): Promise<boolean> {
    const { at, delivery } = inFlight;
    const isPlaced = this.#parts.subjects.readPlaced(delivery.subject) !== null;
    const { placed, isLater, isQueued } = await this.#parts.trail.places(at);
    if (placed.some((message) => isNext(message, inFlight)) || isLater) return true;
    return isPlaced && isQueued; // without a placement, the task's queue holds this very message
  }

  /** Lets the office choose an agent and publishes the task to that agent (I1). */
  async #place(inFlight: InFlightTask): Promise<void> {
    const { at, delivery, tip } = inFlight;
    const place = await this.#askForPlace(inFlight);
    const { host, agent } = place;
    const address = { class: classOf(place), host, agent, scope: at.scope, taskId: at.taskId };
    const subject = this.#parts.subjects.placed(address);
    const handOff = tip.handed === null ? "" : `-${tip.handed.seq}`;
    const isPlaced = this.#parts.subjects.readPlaced(delivery.subject) !== null;
    const source = isPlaced ? placedName(this.#parts.subjects, delivery) : delivery.seq;
    const messageId = `placed-${at.taskId}-${source}${handOff}`;
    const placed = this.#parts.transport.log(placedKey(address.class));
    await renewBlobs(blobsOf(delivery), this.#parts.transport.blobs);
    try {
      await placed.append(subject, delivery.data, {
        headers: this.#placedHeaders(inFlight, place),
        messageId,
      });
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      // The subject holds its one message. Either the task is there already, or it is just being taken away from there.
      const holder = await placed.last(subject);
      if (holder !== null && isNext(placedAt(this.#parts.subjects, holder), inFlight)) return;
      throw new SwarmError("unavailable", `task ${at.taskId} is about to leave agent ${agent}`, {
        retryAfterMs: STILL_LEAVING_MS,
      });
    }
  }

  #placedHeaders(inFlight: InFlightTask, place: PlaceReply): Record<string, string> {
    const { at, delivery, tip } = inFlight;
    const placement = {
      ...classField(place),
      host: place.host,
      agent: place.agent,
      score: place.score,
      reasons: place.reasons,
      capability: at.capability,
      priority: at.priority,
      placedAt: toIsoTime(this.#parts.clock.now()),
      queuedAt: tip.handed?.record.at ?? toIsoTime(delivery.storedAtMs),
      ...(tip.handed === null ? {} : { handOff: tip.handed.seq }),
    };
    return {
      ...carriedHeaders(delivery),
      [HEADERS.placement]: encodePlacement(placement),
      // The task is due here. If it returns to its queue, no host may find it early again.
      ...(inFlight.task.notBefore === undefined ? {} : { [HEADERS.due]: "1" }),
      ...(tip.record === null ? {} : { [HEADERS.attempt]: String(inFlight.nextAttempt().number) }),
    };
  }

  async #askForPlace(inFlight: InFlightTask): Promise<PlaceReply> {
    const request = placeRequestOf(inFlight);
    const place = await askOffice(this.#parts, "place", request, placeReplySchema);
    if (request.route === "best" && request.exclude?.includes(place.agent)) {
      // An office of an older version does not know hand-offs; the next office may.
      throw new SwarmError("unavailable", `the office chose ${place.agent}, which handed the task off`);
    }
    return place;
  }

  async #openBallot(inFlight: InFlightTask, ballot: BallotSpec): Promise<void> {
    const request = await ballotOpenRequestOf(inFlight, ballot, this.#parts.transport.blobs);
    await askOffice(this.#parts, "ballot-open", request, ballotOpenReplySchema);
  }
}

/**
 * True for a placed message of the task that was stored after its last hand-off, and that is not the message that the task was
 * returned from (I2).
 */
function isNext({ name, handOff }: PlacedAt, { delivery, tip }: InFlightTask): boolean {
  return handOff >= (tip.handed?.seq ?? 0) && delivery.header(HEADERS.returned) !== name;
}
