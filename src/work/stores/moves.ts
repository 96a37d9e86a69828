// Moves a waiting task to another queue: another capability, or another priority. The operator's tool (client/move.ts) stores
// one message, and any mover (mover.ts) carries the move out. So a tool that dies has asked for the whole move or for nothing.
//
// I1: a task moves only when no host ever received it. A consumer delivers in the order of the sequences, so a message above
//     the consumer's delivered sequence was not delivered, and after its removal it never will be.
// I2: the mover removes the earlier message before it stores the new one. Between the two, the due message that it holds is
//     the task, and JetStream delivers that message again when the mover dies.
// I3: when a host received the earlier message at the moment of its removal, the host has the task. The mover then stores a
//     copy that comes due after the longest possible attempt, for the case that the host dies: the copy only runs when the
//     task has no result by then.
// I4: the header can only name an earlier message of the same task, so that it never removes another task.
import {
  ACK_WAIT_MS,
  DEFAULT_TIMEOUT_MS,
  fitsFilter,
  HEADERS,
  MAX_TIMEOUT_MS,
  type Subjects,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Incoming, Queue, Transport } from "../../transport/index.ts";
import { rewriteBody } from "./bodies.ts";
import { storeLater } from "./later.ts";
import { readStray, readTaskAddress } from "./messages.ts";
import { lastPlaced } from "./placed-streams.ts";

/** The earlier message of a task that moves. */
export interface MovedFrom {
  readonly seq: number;
  readonly subject: string;
}

/** The value of the header `Murmur-Moved`. */
export function showMovedFrom({ seq, subject }: MovedFrom): string {
  return `${seq} ${subject}`;
}

/** Reads the header of a due message; null when it has none, or when it names no message of this task (I4). */
export function readMovedFrom(subjects: Subjects, message: Incoming, at: TaskAddress): MovedFrom | null {
  const [, seq = "", subject = ""] =
    /^([1-9]\d{0,15}) (\S+)$/.exec(message.header(HEADERS.moved) ?? "") ?? [];
  if (!subject.startsWith(`${subjects.prefix}.task.`)) return null;
  const earlier = { subject, data: new Uint8Array(), header: () => undefined };
  const from = subjects.readTask(subject) ?? readStray(subjects, earlier)?.at;
  if (from?.taskId !== at.taskId) return null;
  return { seq: Number(seq), subject };
}

/** True when a consumer has delivered this message (I1). */
export async function isDelivered(
  queue: Pick<Queue, "consumers">,
  { seq, subject }: MovedFrom,
): Promise<boolean> {
  const consumers = await queue.consumers();
  return consumers.some(({ filter, deliveredSeq }) => deliveredSeq >= seq && fitsFilter(filter, subject));
}

/**
 * Removes the earlier message of a task. Resolves to true when the caller must store the task at its new address, and to false
 * when the task stays where it is or has ended. Safe to repeat after a crash at any point.
 * @throws SwarmError `unavailable`.
 */
export async function takeForMove(
  parts: {
    transport: Transport;
    subjects: Subjects;
    isEnded(taskId: string): Promise<boolean>;
    nowMs: number;
  },
  message: Incoming,
  { at, from }: { at: TaskAddress; from: MovedFrom },
): Promise<boolean> {
  const { transport } = parts;
  const tasks = transport.log("tasks");
  const queue = transport.queue("tasks");
  if (await parts.isEnded(at.taskId)) return false;
  const earlier = await tasks.last(from.subject, { fresh: true });
  if (earlier?.seq === from.seq) {
    if (await isDelivered(queue, from)) return false;
    await tasks.delete(from.seq); // I2
  }
  if (!(await isDelivered(queue, from))) return true;
  if (!(await isElsewhere(parts, at.taskId))) await storeSafetyCopy(parts, message, from); // I3
  return false;
}

/** True when the task has ended, or when another message of it is stored. */
async function isElsewhere(
  { transport, subjects: { filters }, isEnded }: Parameters<typeof takeForMove>[0],
  taskId: string,
): Promise<boolean> {
  if (await isEnded(taskId)) return true;
  const fresh = { fresh: true };
  const others = await Promise.all([
    transport.log("tasks").last(filters.taskById(taskId), fresh),
    transport.log("later").last(filters.laterById(taskId), fresh),
  ]);
  if (others.some((other) => other !== null)) return true;
  return (await lastPlaced(transport, filters.placedById(taskId), fresh)).length > 0;
}

async function storeSafetyCopy(
  { transport, subjects, nowMs }: Parameters<typeof takeForMove>[0],
  message: Incoming,
  { subject }: MovedFrom,
): Promise<void> {
  const earlier = { subject, data: new Uint8Array(), header: () => undefined };
  const at = readTaskAddress(subjects, earlier);
  if (at === null) return; // no consumer delivers a message without an address
  let timeoutMs = DEFAULT_TIMEOUT_MS;
  const data = await rewriteBody(
    message,
    (fields) => {
      if (typeof fields.timeoutMs === "number") timeoutMs = Math.min(MAX_TIMEOUT_MS, fields.timeoutMs);
      return { ...fields, ...addressFields(at) };
    },
    transport.blobs,
  );
  const copy = { data, header: (name: string) => message.header(name) };
  await storeLater({ transport, subjects }, at, copy, nowMs + timeoutMs + 2 * ACK_WAIT_MS, { attempt: 1 });
}

/** The fields of a task's body that repeat its address, and must not contradict it. */
export function addressFields({ taskId, capability, priority, scope }: TaskAddress) {
  return { id: taskId, capability, priority, scope };
}
