// Cancels tasks and scopes. The durable part is the `cancelled` result, or the scope's mark; the purge and the broadcast
// make the cancel fast.
// I1: the stored result decides the race with the agent: the first writer wins.
import { type Clock, type Logger, sleep } from "../../base/index.ts";
import {
  encode,
  NO_SCOPE,
  type Placement,
  type Result,
  type Subjects,
  SwarmError,
  type TaskAddress,
  toSwarmError,
  type WhereReply,
} from "../../protocol/index.ts";
import type { Log, Stored, Transport } from "../../transport/index.ts";
import { closeQuietly } from "../stores/close-journal.ts";
import type { Journal } from "../stores/journal.ts";
import { ballotIdOf, queuedAtMs, readPlacedTask, readStray, readTaskAddress } from "../stores/messages.ts";
import { placedStreams, purgePlaced } from "../stores/placed-streams.ts";
import type { ResultStore } from "../stores/results.ts";
import { markScope } from "../stores/scopes.ts";
import type { TaskLocation } from "./locate.ts";
import type { OpenBallotReply } from "./open-ballots.ts";
import type { TaskReader } from "./reader.ts";

interface CancelParts {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  results: ResultStore;
  reader: TaskReader;
  journal: Journal;
  log: Logger;
}

/** The most results of a cancelled scope that are in flight at once. */
const STORES_IN_FLIGHT = 64;

/** How long a cancel waits, by default, for a holder of the office that knows the ballot, in ms. */
export const CANCEL_TIMEOUT_MS = 5_000;
/** The pause before the next look, in ms: a tenth of the shortest election. */
const CANCEL_PAUSE_MS = 50;

/**
 * Cancels one task. @throws SwarmError `not_found`; `conflict` when it ended before; `unavailable` when the id may be an open
 * ballot and no coordinator took the office within `timeoutMs`: then nothing was cancelled.
 */
export async function cancelTask(
  parts: CancelParts,
  taskId: string,
  { timeoutMs = CANCEL_TIMEOUT_MS }: { timeoutMs?: number | undefined } = {},
): Promise<void> {
  const { reader, clock } = parts;
  const endMs = clock.now() + timeoutMs;
  for (;;) {
    const found = await reader.locate(taskId);
    if (found !== null) return cancelStoredTask(parts, taskId, found);
    try {
      const open = await reader.findBallot(taskId);
      if (open !== null) return await cancelBallot(parts, taskId, open);
      if ((await reader.locate(taskId)) !== null) continue; // the task ended, or was stored, between the two looks
      throw new SwarmError("not_found", `no task ${taskId} is stored here`);
    } catch (error) {
      if (toSwarmError(error).code !== "unavailable" || clock.now() + CANCEL_PAUSE_MS >= endMs) throw error;
      await sleep(CANCEL_PAUSE_MS, { clock });
    }
  }
}

/** Cancels a stored task that does not run. False when it runs, has ended, or is not stored. @throws SwarmError `unavailable`. */
export async function cancelWaiting(parts: CancelParts, taskId: string): Promise<boolean> {
  const found = await parts.reader.locate(taskId);
  if (found === null || found.place === "result") return false;
  if ((await parts.reader.findRunning(taskId, found)) !== null) return false;
  try {
    await cancelStoredTask(parts, taskId, found);
    return true;
  } catch (error) {
    if (toSwarmError(error).code === "conflict") return false; // it ended meanwhile (I1)
    throw error;
  }
}

async function cancelStoredTask(parts: CancelParts, taskId: string, found: TaskLocation): Promise<void> {
  const { transport, subjects, reader, results } = parts;
  const { filters } = subjects;
  if (found.place === "result") throw endedBefore(taskId);
  const scope = found.scope ?? NO_SCOPE;
  const at: TaskAddress = { capability: found.capability, priority: "normal", scope, taskId };
  // Asked before the result is stored: the host drops the task after that.
  const running = await reader.findRunning(taskId, found);
  const task = { at, placement: found.placement, running };
  const result = cancelledResult(task, found.stored, parts.clock.now());
  const stored = await results.store(at, result, "json", { ballotId: ballotIdOf(found.stored) }); // I1
  transport.bus.publish(subjects.cancel(scope, taskId), encode({}));
  if (found.place === "queue" && found.stray === undefined) await removeQueued(transport, found);
  // Another message of the task, stored after the look.
  await Promise.all([
    transport.log("tasks").purge({ filter: filters.taskById(taskId) }),
    purgePlaced(transport, filters.placedById(taskId)),
    transport.log("later").purge({ filter: filters.laterById(taskId) }),
    transport.log("later").purge({ filter: filters.dueById(taskId) }),
    // The subject of a stray message may have no id that the filters could find.
    found.stray === undefined
      ? undefined
      : transport.log(found.place === "later" ? "later" : "tasks").delete(found.stored.seq),
  ]);
  await transport.bus.flush();
  if (!stored) throw endedBefore(taskId);
  await closeJournal(parts, task, result);
}

/**
 * Removes a queued or placed message by its own subject. After a purge with a filter that is wider than the filter of the consumer,
 * nats-server (2.14.5) counts one waiting message too many until the next delivery, and an empty queue would look late.
 */
async function removeQueued(transport: Transport, { stored, placement }: TaskLocation): Promise<void> {
  if (placement === undefined) await transport.log("tasks").purge({ filter: stored.subject });
  else await purgePlaced(transport, stored.subject);
}

/** Closes the journal of a cancelled task. Never rejects: see {@link closeQuietly}. */
async function closeJournal(parts: CancelParts, { at, running }: StoredTask, result: Result): Promise<void> {
  const { attempt, agent, startedAt, finishedAt, error } = result;
  const last = { attempt, agent, outcome: "cancelled" as const, endedAt: finishedAt, error };
  const ran = running === null || running === undefined ? last : { ...last, startedAt };
  await closeQuietly(parts, at, ran, Date.parse(finishedAt));
}

/** Cancels an open ballot: stores its result here; then the holder of the office frees the ballot's seats. */
async function cancelBallot(parts: CancelParts, taskId: string, open: OpenBallotReply): Promise<void> {
  const { transport, subjects, results } = parts;
  const { capability, priority, scope } = open.ballot;
  const nowMs = parts.clock.now();
  const result: Result = {
    taskId,
    status: "cancelled",
    error: { code: "cancelled", message: "the task was cancelled", retryable: false },
    attempt: open.attempt,
    agent: open.agent,
    startedAt: open.startedAt,
    finishedAt: new Date(nowMs).toISOString(),
    queuedMs: 0,
    ranMs: Math.max(0, nowMs - Date.parse(open.startedAt)),
  };
  const stored = await results.store({ capability, priority, scope, taskId }, result, "json"); // I1
  transport.bus.publish(subjects.cancel(scope, taskId), encode({}));
  await transport.bus.flush();
  if (!stored) throw endedBefore(taskId);
}

/** Cancels all present and later tasks of a scope. Resolves when each task that was stored has its result. */
export async function cancelScope(parts: CancelParts, scope: string): Promise<void> {
  const { transport, subjects } = parts;
  const { filters } = subjects;
  if (scope === NO_SCOPE) {
    const message = `the scope "-" means all tasks without a scope; they cannot be cancelled together`;
    throw new SwarmError("invalid_input", message, { field: "scope" });
  }
  const nowMs = parts.clock.now();
  await markScope(transport, scope, nowMs);
  transport.bus.publish(subjects.cancelScope(scope), encode({}));
  await transport.bus.flush();
  const placed = await placedStreams(transport);
  await Promise.all([
    cancelStored(parts, transport.log("tasks"), filters.tasksInScope(scope)),
    ...placed.map(({ log }) => cancelStored(parts, log, filters.placedInScope(scope))),
    cancelStored(parts, transport.log("later"), filters.dueInScope(scope)),
    cancelStored(parts, transport.log("later"), filters.laterInScope(scope)),
  ]);
}

/**
 * Cancels the questions of an ended ballot that no host has ended: stores `cancelled` results, removes the questions, and tells
 * hosts that began one meanwhile. A host that receives a question after the ballot's end would work for nothing.
 */
export async function cancelQuestions(parts: CancelParts, ballot: string): Promise<void> {
  const { transport, subjects } = parts;
  const placed = await placedStreams(transport);
  const filter = subjects.filters.placedInScope(ballot);
  await Promise.all(placed.map(({ log }) => cancelStored(parts, log, filter, ballot)));
  transport.bus.publish(subjects.cancelScope(ballot), encode({ ballot }));
  await transport.bus.flush();
}

/**
 * Stores a `cancelled` result for each stored task that fits the filter, then purges the messages that were read: of the questions
 * of one ballot, or without `ballot` of everything but questions.
 */
async function cancelStored(parts: CancelParts, log: Log, filter: string, ballot?: string): Promise<void> {
  const { subjects, results, clock } = parts;
  const { lastSeq } = await log.info();
  let storing: Promise<void>[] = [];
  let others = 0;
  for await (const stored of log.read({ filter })) {
    if (stored.seq > lastSeq) break;
    // The scope of a ballot's questions is the ballot's id. They end with the ballot, and not with a scope of that name.
    if (ballotIdOf(stored) !== ballot) {
      others++;
      continue;
    }
    const task = readStored(subjects, stored);
    if (task === null) continue;
    const result = cancelledResult(task, stored, clock.now());
    storing.push(
      results
        .store(task.at, result, "json", { ballotId: ballotIdOf(stored) })
        .then((isStored) => (isStored ? closeJournal(parts, task, result) : undefined)),
    );
    if (storing.length >= STORES_IN_FLIGHT) {
      await Promise.all(storing);
      storing = [];
    }
  }
  await Promise.all(storing);
  if (others === 0) return void (await log.purge({ filter, beforeSeq: lastSeq + 1 }));
  for await (const stored of log.read({ filter })) {
    if (stored.seq > lastSeq) return;
    if (ballotIdOf(stored) === ballot) await log.delete(stored.seq);
  }
}

interface StoredTask {
  at: TaskAddress;
  placement?: Placement | undefined;
  /** The running attempt that the cancel aborts. */
  running?: WhereReply | null;
}

/** A message of the streams of tasks, placed tasks or later tasks: a queued, placed, due or scheduled task; null for any other message. */
function readStored(subjects: Subjects, stored: Stored): StoredTask | null {
  const placed = readPlacedTask(subjects, stored);
  if (placed !== null) return placed;
  const at = readStray(subjects, stored)?.at ?? readTaskAddress(subjects, stored);
  return at === null ? null : { at };
}

function cancelledResult({ at, placement, running }: StoredTask, stored: Stored, nowMs: number): Result {
  const now = new Date(nowMs).toISOString();
  const startedAt = running?.startedAt ?? now;
  return {
    taskId: at.taskId,
    status: "cancelled",
    error: { code: "cancelled", message: "the task was cancelled", retryable: false },
    attempt: running?.attempt ?? 0,
    agent: running?.agent ?? "-",
    startedAt,
    finishedAt: now,
    queuedMs: Math.max(0, Date.parse(startedAt) - queuedAtMs(stored, placement)),
    ranMs: Math.max(0, nowMs - Date.parse(startedAt)),
    ...(placement === undefined ? {} : { placement }),
  };
}

function endedBefore(taskId: string): SwarmError {
  return new SwarmError("conflict", `task ${taskId} had ended already; see murmur task show ${taskId}`);
}
