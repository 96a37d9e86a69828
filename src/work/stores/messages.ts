// Facts of a task that its stored message tells by subject and headers, without decoding the body.
import {
  HEADERS,
  type Placement,
  readPlacement,
  type Subjects,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Incoming } from "../../transport/index.ts";

/** A placed task as its message tells it. */
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

/** The address of a task in its queue, scheduled, or due; null for every other message. */
export function readTaskAddress(subjects: Subjects, message: Incoming): TaskAddress | null {
  return (
    subjects.readTask(message.subject) ?? subjects.readTask(message.header(HEADERS.scheduleTarget) ?? "")
  );
}

/** The ballot whose question the message asks one seat; undefined for every other task. */
export function ballotIdOf(message: Incoming): string | undefined {
  return message.header(HEADERS.ballot);
}

/** When a stored task began to wait, Unix ms. A placed task began before it was placed; its placement tells when. */
export function queuedAtMs(stored: { storedAtMs: number }, placement: Placement | undefined): number {
  return placement?.queuedAt === undefined ? stored.storedAtMs : Date.parse(placement.queuedAt);
}
