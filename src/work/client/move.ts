// Moves a waiting task to another capability or priority, or brings a delayed task forward, for client.ts. Every change is one
// write that is fenced by the message that this file has read; stores/moves.ts carries out the moves of queued tasks.
// I1: a change that is asked for twice is made once: the second call finds the task where it should be. A task that came due and waits for
//     a mover is where a promotion should bring it.
import { type Clock, type Logger, sleep } from "../../base/index.ts";
import {
  HEADERS,
  NO_SCOPE,
  type Priority,
  type Subjects,
  SwarmError,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { rewriteBody } from "../stores/bodies.ts";
import { closeQuietly } from "../stores/close-journal.ts";
import type { Journal } from "../stores/journal.ts";
import { carriedHeaders } from "../stores/later.ts";
import { readStray, readTaskAddress, UNREADABLE } from "../stores/messages.ts";
import { addressFields, isDelivered, showMovedFrom } from "../stores/moves.ts";
import type { KnownCapabilities } from "./capabilities.ts";
import type { TaskLocation } from "./locate.ts";
import type { TaskReader } from "./reader.ts";
import { findAttempt } from "./where.ts";

/** How long a move waits, by default, until an api process has carried it out, in ms. */
export const MOVE_TIMEOUT_MS = 5_000;
/** The pause before the next look, in ms. */
const MOVE_PAUSE_MS = 50;

/** A change of a waiting task. An absent field stays as it is. */
export interface TaskChange {
  capability?: string | undefined;
  priority?: Priority | undefined;
  /** Makes a delayed task due at once. */
  dueNow?: boolean | undefined;
}

/** The message that the last write was about. */
type Asked = Pick<TaskLocation, "place"> & { seq: number };

/** The place of a task after a change; `changed` is false when it was there before. */
export interface ChangedTask {
  taskId: string;
  capability: string;
  priority: Priority;
  changed: boolean;
}

interface MoveParts {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  known: Pick<KnownCapabilities, "check">;
  reader: Pick<TaskReader, "locate" | "findBallot">;
  journal: Pick<Journal, "tip" | "close">;
  log: Logger;
}

/**
 * Changes a task that waits.
 * @throws SwarmError `not_found`; `conflict` when the task has ended, when a host has received it, or when it was placed on
 *   an agent; `unknown_capability`; `unavailable` when no api process carried the move out in time: it stays asked for; or when no api
 *   process moved a due task out of the way in time: nothing was changed.
 */
export async function changeTask(
  parts: MoveParts,
  taskId: string,
  change: TaskChange,
  { timeoutMs = MOVE_TIMEOUT_MS }: { timeoutMs?: number | undefined } = {},
): Promise<ChangedTask> {
  const { clock, subjects } = parts;
  if (change.capability !== undefined) await parts.known.check(change.capability);
  const endMs = clock.now() + timeoutMs;
  let asked = null as Asked | null; // the message that the last write was about
  let isDue = false; // at the last look
  for (;;) {
    const found = await parts.reader.locate(taskId);
    isDue = found?.place === "later" && !isSchedule(subjects, found);
    // Without a location, the task is between two streams, or it never was here.
    if (found === null && asked === null) await refuseUnlocated(parts, taskId);
    if (found !== null && !(await isLeavingQueue(parts, taskId, found))) {
      const { from, to } = addressesOf(subjects, taskId, found, change);
      if (isPlaceOf(subjects, { found, from, to }, change, asked !== null)) {
        return { taskId, capability: to.capability, priority: to.priority, changed: asked !== null };
      }
      const { place, stored } = found;
      if (asked?.place !== place || asked.seq !== stored.seq) {
        // A host that received the queued task after all has delayed its retry, or the mover has stored a copy for it.
        if (asked?.place === "queue" && isSchedule(subjects, found)) throw received(taskId);
        if (await ask(parts, { found, to }, change)) asked = { place, seq: stored.seq };
      } else if (place === "queue") await refuseDropped(parts, taskId, found);
    }
    if (clock.now() >= endMs) {
      if (asked !== null) throw notCarriedOut(taskId, timeoutMs);
      throw isDue ? stillDue(taskId, timeoutMs) : stillLeaving(taskId, timeoutMs);
    }
    await sleep(MOVE_PAUSE_MS, { clock });
  }
}

/** The present address of a task, as far as it has one, and the wanted address. @throws SwarmError `conflict`. */
function addressesOf(
  subjects: Subjects,
  taskId: string,
  { stored, capability, placement, stray }: TaskLocation,
  change: TaskChange,
): { from: TaskAddress | null; to: TaskAddress } {
  const from = readStray(subjects, stored)?.at ?? readTaskAddress(subjects, stored);
  const to: TaskAddress = {
    capability: change.capability ?? capability,
    priority: change.priority ?? placement?.priority ?? from?.priority ?? "normal",
    scope: from?.scope ?? NO_SCOPE,
    taskId,
  };
  if (stray === undefined || to.capability !== UNREADABLE)
    return { from: stray === undefined ? from : null, to };
  throw new SwarmError(
    "conflict",
    `no process can take task ${taskId}: ${stray}; name its capability: murmur task move ${taskId} --capability NAME`,
  );
}

/**
 * True when the task is where it should be (I1). `isAsked`: this call asked for the change, and the task may have gone on from
 * there. @throws SwarmError `conflict` when it has ended or was placed.
 */
function isPlaceOf(
  subjects: Subjects,
  { found, from, to }: { found: TaskLocation; from: TaskAddress | null; to: TaskAddress },
  { dueNow }: TaskChange,
  isAsked: boolean,
): boolean {
  const { placement } = found;
  if (found.place === "result") {
    if (isAsked && found.capability === to.capability) return true;
    throw new SwarmError(
      "conflict",
      `task ${to.taskId} had ended already; see murmur task show ${to.taskId}`,
    );
  }
  if (placement !== undefined) {
    if (isAsked || dueNow === true) return true;
    throw new SwarmError(
      "conflict",
      `task ${to.taskId} was placed on agent ${placement.agent}; only a task that waits in its queue can be moved`,
    );
  }
  const isDueAlready = found.place === "later" && !isAsked && !isSchedule(subjects, found);
  const isInTime = found.place === "queue" || isDueAlready || dueNow !== true;
  return isInTime && from !== null && subjects.task(from) === subjects.task(to);
}

/**
 * True while a host moves the task to the later stream, for its retry or because it is early: the host stores the copy first and acks
 * the earlier message then. A request to move, and the copy for the case that a host dies, are no such copies.
 */
async function isLeavingQueue(
  { transport, subjects }: MoveParts,
  taskId: string,
  { place, stored }: TaskLocation,
): Promise<boolean> {
  if (place !== "queue") return false;
  const copy = await transport.log("later").last(subjects.filters.laterById(taskId), { fresh: true });
  if (copy === null || copy.header(HEADERS.moved) !== undefined || copy.header(HEADERS.attempt) === "1")
    return false;
  return copy.storedAtMs >= stored.storedAtMs;
}

/** Writes the change; false when there is nothing to write now. */
async function ask(
  parts: MoveParts,
  { found, to }: { found: TaskLocation; to: TaskAddress },
  { dueNow }: TaskChange,
): Promise<boolean> {
  if (found.place === "queue") {
    await askForMove(parts, found, to);
    return true;
  }
  if (!isSchedule(parts.subjects, found)) return false; // it comes due now
  await reschedule(parts, found, to, dueNow === true || found.stray !== undefined);
  return true;
}

async function refuseUnlocated({ reader }: MoveParts, taskId: string): Promise<void> {
  if ((await reader.findBallot(taskId)) !== null) {
    throw new SwarmError(
      "conflict",
      `task ${taskId} is an open ballot, which cannot be moved; cancel it instead`,
    );
  }
  if ((await reader.locate(taskId)) !== null) return;
  throw new SwarmError("not_found", `no task ${taskId} is stored here`);
}

/** True for a task in the later stream that is not due yet. */
function isSchedule({ prefix }: Subjects, { place, stored }: TaskLocation): boolean {
  return place === "later" && stored.subject.startsWith(`${prefix}.later.`);
}

/** Replaces a schedule with one for another address or time, unless it came due in between. */
async function reschedule(
  parts: MoveParts,
  { stored, capability }: TaskLocation,
  to: TaskAddress,
  isDueNow: boolean,
): Promise<void> {
  const { transport, subjects, clock } = parts;
  // A host may run the task: then the schedule is the copy for the case that the host dies.
  if ((await findAttempt(parts, to.taskId)) !== null) throw received(to.taskId);
  const leave = await prepareToLeave(parts, capability, to);
  const now = new Date(clock.now()).toISOString();
  const data = await rewriteBody(
    stored,
    ({ notBefore, ...fields }) => ({
      ...fields,
      ...addressFields(to),
      ...(notBefore === undefined ? {} : { notBefore: isDueNow ? now : notBefore }),
    }),
    transport.blobs,
  );
  const schedule = isDueNow ? undefined : stored.header(HEADERS.schedule);
  const headers = {
    ...carriedHeaders(stored),
    [HEADERS.schedule]: schedule ?? `@at ${now}`,
    [HEADERS.scheduleTarget]: subjects.due(to),
  };
  await appendUnlessStale(transport, subjects, { to, data, headers, expectedLastSubjectSeq: stored.seq });
  await leave();
}

/**
 * The attempts of a task belong to its capability, so a task that leaves its capability starts with attempt 1 there. Returns
 * the function that closes the journal of the capability that it left; a failure only leaves records to the sweep (sweep.ts), and is logged.
 * @throws SwarmError `conflict` for a task that was handed off: its context is in that journal.
 */
async function prepareToLeave(
  parts: MoveParts,
  capability: string,
  to: TaskAddress,
): Promise<() => Promise<void>> {
  const { journal, clock } = parts;
  const nothing = async () => undefined;
  if (to.capability === capability) return nothing;
  const { seq, record, handed } = await journal.tip(capability, to.taskId);
  if (handed !== null) {
    throw new SwarmError(
      "conflict",
      `an agent handed task ${to.taskId} off to ${capability}; it cannot be moved to another capability`,
    );
  }
  if (record?.type === "waiting" || record?.type === "settled") {
    throw new SwarmError(
      "conflict",
      `a step of task ${to.taskId} that runs once belongs to ${capability}; settle it (murmur task settle), or cancel the task`,
    );
  }
  if (seq === 0 || record?.type !== "failed") return nothing;
  const { attempt, agent, at, error } = record;
  const last = { attempt, agent, outcome: "failed" as const, endedAt: at, error };
  return () => closeQuietly(parts, { capability, taskId: to.taskId }, last, clock.now());
}

/** Stores the request to move a queued task. @throws SwarmError `conflict` when a host has received the task. */
async function askForMove(
  parts: MoveParts,
  { stored, capability }: TaskLocation,
  to: TaskAddress,
): Promise<void> {
  const { transport, subjects, clock } = parts;
  const { seq, subject } = stored;
  if (await isDelivered(transport.queue("tasks"), { seq, subject })) throw received(to.taskId);
  await prepareToLeave(parts, capability, to);
  const data = await rewriteBody(stored, (fields) => ({ ...fields, ...addressFields(to) }), transport.blobs);
  const headers = {
    // The host looks for a result and earlier attempts before it starts the task.
    [HEADERS.attempt]: "1",
    ...carriedHeaders(stored),
    [HEADERS.moved]: showMovedFrom({ seq, subject }),
    [HEADERS.schedule]: `@at ${new Date(clock.now()).toISOString()}`,
    [HEADERS.scheduleTarget]: subjects.due(to),
  };
  await appendUnlessStale(transport, subjects, { to, data, headers, expectedLastSubjectSeq: 0 });
}

/** A stale append does nothing: the task came due, or another call asked for a move first. */
async function appendUnlessStale(
  transport: Transport,
  subjects: Subjects,
  message: {
    to: TaskAddress;
    data: Uint8Array;
    headers: Record<string, string>;
    expectedLastSubjectSeq: number;
  },
): Promise<void> {
  const { to, data, headers, expectedLastSubjectSeq } = message;
  try {
    await transport
      .log("later")
      .append(subjects.later(to.scope, to.taskId), data, { headers, expectedLastSubjectSeq });
  } catch (error) {
    if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
  }
}

/** @throws SwarmError `conflict` when the request is gone and the task still is where it was. */
async function refuseDropped(
  { transport, subjects: { filters } }: MoveParts,
  taskId: string,
  { stored }: TaskLocation,
): Promise<void> {
  const fresh = { fresh: true };
  const later = transport.log("later");
  if ((await later.last(filters.laterById(taskId), fresh)) !== null) return;
  if ((await later.last(filters.dueById(taskId), fresh)) !== null) return;
  const still = await transport.log("tasks").last(stored.subject, fresh);
  if (still?.seq === stored.seq) throw received(taskId);
}

function received(taskId: string): SwarmError {
  return new SwarmError(
    "conflict",
    `a host has received task ${taskId}, which runs or waits for its retry; only a task that waits in its queue can be moved`,
  );
}

function stillLeaving(taskId: string, timeoutMs: number): SwarmError {
  return new SwarmError(
    "unavailable",
    `a host delays task ${taskId} and has not acknowledged its earlier message within ${timeoutMs} ms; nothing was changed, ask again`,
    { taskId },
  );
}

function stillDue(taskId: string, timeoutMs: number): SwarmError {
  return new SwarmError(
    "unavailable",
    `task ${taskId} is due, and no api process has moved it to its queue within ${timeoutMs} ms; nothing was changed: start one (murmur api), and ask again`,
    { taskId },
  );
}

function notCarriedOut(taskId: string, timeoutMs: number): SwarmError {
  return new SwarmError(
    "unavailable",
    `the change of task ${taskId} is stored, and no api process carried it out within ${timeoutMs} ms: start one (murmur api); murmur task show ${taskId} tells the outcome`,
    { taskId },
  );
}
