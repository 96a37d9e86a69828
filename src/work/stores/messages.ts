// Reads a task's address, placement, ballot and queue time from the subject and the headers of a message, without
// decoding the body. The worker, the client and the coordinator's reclaimer use it.
import {
  HEADERS,
  type Placement,
  readPlacement,
  type Subjects,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Incoming } from "../../transport/index.ts";

/** The address and the placement of a placed task. */
export interface PlacedMessage {
  readonly at: TaskAddress;
  readonly placement: Placement;
}

/** Reads a placed message; null when this version cannot read its subject or its placement header. */
export function readPlacedTask(subjects: Subjects, message: Incoming): PlacedMessage | null {
  const place = subjects.readPlaced(message.subject);
  if (place === null) return null;
  try {
    const placement = readPlacement(message.header(HEADERS.placement));
    if (placement.agent !== place.agent || placement.host !== place.host) return null;
    const { capability, priority } = placement;
    return { placement, at: { capability, priority, scope: place.scope, taskId: place.taskId } };
  } catch {
    return null;
  }
}

/** The address of a queued, scheduled or due task; null for every other message. */
export function readTaskAddress(subjects: Subjects, message: Incoming): TaskAddress | null {
  return (
    subjects.readTask(message.subject) ?? subjects.readTask(message.header(HEADERS.scheduleTarget) ?? "")
  );
}

/** The id of the ballot, when the task is a ballot's question to one seat; undefined for every other task. */
export function ballotIdOf(message: Incoming): string | undefined {
  return message.header(HEADERS.ballot);
}

/**
 * The time at which a stored task began to wait, Unix ms. A placed task waited in its queue first, so its placement has
 * the time.
 */
export function queuedAtMs(stored: { storedAtMs: number }, placement: Placement | undefined): number {
  return placement?.queuedAt === undefined ? stored.storedAtMs : Date.parse(placement.queuedAt);
}
