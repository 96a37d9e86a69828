// Admission: the checks between a delivery and its attempt. Reads the task, and decides whether it may still start here
// and whether it is due. delivery.ts calls the checks in order and acts on the answers.
import { type Clock, toIsoTime } from "../../base/index.ts";
import {
  CancelledError,
  type Encoding,
  encode,
  HEADERS,
  NO_SCOPE,
  parseTaskAt,
  placedKey,
  type ResultStatus,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { LaterStore } from "../ports.ts";
import { isBlobRef, packLarge, unpack, unpackBlob } from "../stores/bodies.ts";
import { isTaskMarked, type ScopeMarks } from "../stores/scopes.ts";
import type { InFlightTask, KnownTask } from "./in-flight.ts";

/**
 * The host checks that a placed message of this age, in ms, or older is still stored before its task starts. The check costs
 * one read of the stream.
 */
const CHECK_STORED_AFTER_MS = 1_000;

/** The reason why a task ends before its attempt starts. */
export interface StartRefusal {
  status: ResultStatus;
  error: SwarmError;
}

/** Makes the checks of one process. */
export function createAdmission(parts: {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  later: LaterStore;
  scopes: ScopeMarks;
}) {
  const { transport, subjects, clock, later, scopes } = parts;

  return { readTask, hasWaited, nakIfTakenAway, refuseBeforeStart, earlyDueMs, moveToLater };

  /**
   * Reads and parses the task of a delivery. Returns undefined when that is done, or a promise when the task has blobs: most tasks
   * have none, and then the next step needs no further turn.
   * @throws SwarmError `invalid_input` naming the field; `not_found`, `internal`, `unavailable` for its blobs.
   */
  function readTask(inFlight: InFlightTask): Promise<void> | undefined {
    if (inFlight.delivery.header(HEADERS.effectKey) !== undefined) void inFlight.effectKey; // refuses a bad key
    const { value, encoding } = unpack(inFlight.delivery);
    if (isBlobRef(value)) return readLarge(inFlight, value, encoding);
    const task = parseTaskAt(value, inFlight.at, inFlight.placement !== undefined);
    if (task.inputRef !== undefined) return readInput(inFlight, task);
    inFlight.task = task;
    return undefined;
  }

  async function readLarge(inFlight: InFlightTask, reference: unknown, encoding: Encoding): Promise<void> {
    const body = await unpackBlob(reference, encoding, transport.blobs);
    await readInput(inFlight, parseTaskAt(body, inFlight.at, inFlight.placement !== undefined));
  }

  async function readInput(inFlight: InFlightTask, task: KnownTask): Promise<void> {
    if (task.inputRef !== undefined) task.input = await unpackBlob(task.inputRef, "json", transport.blobs);
    inFlight.task = task;
  }

  /** True when the message was stored so long ago that a placed one may be gone by now. */
  function hasWaited({ delivery }: InFlightTask): boolean {
    return clock.now() - delivery.storedAtMs >= CHECK_STORED_AFTER_MS;
  }

  /**
   * Naks the delivery and returns true when a placed message that waited is no longer stored: another agent has the task. It
   * sends a nak and no ack, because a lagging replica of the stream also misses messages that are stored.
   */
  async function nakIfTakenAway(inFlight: InFlightTask): Promise<boolean> {
    const { delivery } = inFlight;
    if (!hasWaited(inFlight)) return false;
    const at = subjects.readPlaced(delivery.subject);
    if (at === null) return false;
    if ((await transport.log(placedKey(at.class)).last(delivery.subject))?.seq === delivery.seq) return false;
    delivery.nak(CHECK_STORED_AFTER_MS);
    return true;
  }

  /**
   * The reason why the task must end without an attempt (cancelled, or past its deadline), or null. A task of a scope may need
   * a promise: the host reads the mark of the scope, and of a step that may have been cancelled before, its own mark.
   * @throws SwarmError `unavailable`.
   */
  function refuseBeforeStart(inFlight: InFlightTask): StartRefusal | null | Promise<StartRefusal | null> {
    const { at, isBallotQuestion } = inFlight;
    // The scope of a ballot's question is the ballot's id; a question ends with its ballot.
    if (at.scope === NO_SCOPE || isBallotQuestion) return refuseNow(inFlight);
    const marked = scopes.isMarked(at.scope);
    if (marked === false && !inFlight.mayBeMarked) return refuseNow(inFlight);
    return refuseMarked(inFlight, marked);
  }

  async function refuseMarked(
    inFlight: InFlightTask,
    scopeMarked: boolean | Promise<boolean>,
  ): Promise<StartRefusal | null> {
    const { scope, taskId } = inFlight.at;
    if (await scopeMarked)
      return { status: "cancelled", error: new CancelledError(`the scope ${scope} was cancelled`) };
    if (inFlight.mayBeMarked && (await isTaskMarked(transport, taskId)))
      return { status: "cancelled", error: new CancelledError("the workflow no longer needs this step") };
    return refuseNow(inFlight); // after the read: the broadcast may have come meanwhile
  }

  function refuseNow({ task, cancelled }: InFlightTask): StartRefusal | null {
    if (cancelled !== undefined) return { status: "cancelled", error: cancelled };
    if (task.deadline === undefined || Date.parse(task.deadline) > clock.now()) return null;
    const message = `the deadline ${task.deadline} passed before the task was started`;
    return { status: "failed", error: new SwarmError("deadline", message, { field: "deadline" }) };
  }

  /**
   * The time at which the task is due, Unix ms, or null when it may start now. Only a task that was published directly
   * arrives early: submit stores a task with a `notBefore` in the later stream. A task that was due once is never early
   * again: the server delivered it by its own clock, and this machine's clock may be behind.
   */
  function earlyDueMs({ task: { notBefore }, delivery }: InFlightTask): number | null {
    if (notBefore === undefined || delivery.header(HEADERS.due) !== undefined) return null;
    const dueMs = typeof notBefore === "number" ? delivery.storedAtMs + notBefore : Date.parse(notBefore);
    return dueMs <= clock.now() ? null : dueMs;
  }

  /** Moves a task that is not due into the later stream, and acks its delivery. @throws SwarmError `unavailable`. */
  async function moveToLater({ task, at, delivery, encoding }: InFlightTask, dueMs: number): Promise<void> {
    // The delay becomes an absolute time: it counts from when the message was stored, and the move stores it again.
    const bytes = encode({ ...task, notBefore: toIsoTime(dueMs) }, encoding);
    const data = await packLarge(bytes, encoding, transport.blobs);
    const message = { data, header: (name: string) => delivery.header(name) };
    await later.store(at, message, dueMs);
    delivery.ack();
  }
}
