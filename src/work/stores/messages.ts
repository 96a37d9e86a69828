// Reads a task's address, placement, ballot and queue time from the subject and the headers of a message, without
// decoding the body, and recognises messages that no process can take. The worker, the client and the coordinator's
// reclaimer use it.
import { createHash } from "node:crypto";
import {
  decode,
  HEADERS,
  isName,
  isSameHost,
  isToken,
  NO_SCOPE,
  type Placement,
  PRIORITIES,
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
    if (placement.agent !== place.agent || !isSameHost(placement, place)) return null;
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

/** The capability of a message whose subject has none. */
export const UNREADABLE = "unreadable";

/** The id of a message without a task id, for its dead letter, its status and the commands of operators. */
export function unreadableId(subject: string): string {
  return `${UNREADABLE}-${createHash("sha256").update(subject).digest("hex").slice(0, 32)}`;
}

/** A message that no process can take as a task. */
export interface StrayMessage {
  /** The address as far as the subject has one. Without an id in it, the id is {@link unreadableId}. */
  readonly at: TaskAddress;
  /** The reason, as a clause about "the task". */
  readonly reason: string;
}

/**
 * Reads a message of the task stream or the later stream that no process can take: its subject is no task address (streams
 * of an earlier version accept such subjects), or it is no schedule. Null for every other message.
 */
export function readStray(subjects: Subjects, message: Incoming): StrayMessage | null {
  const tokens = message.subject.split(".");
  const kind = tokens[1];
  if (kind === "later") return readUnscheduled(subjects, message, tokens);
  if ((kind !== "task" && kind !== "due") || subjects.readTask(message.subject) !== null) return null;
  const [, , capability = "", priority = "", scope = "", id = ""] = tokens;
  const known = PRIORITIES.find((name) => name === priority);
  const hasId = tokens.length === 6 && isToken(scope) && isName(id);
  const isMistyped = hasId && isName(capability) && known === undefined;
  return {
    at: {
      capability: isName(capability) ? capability : UNREADABLE,
      priority: known ?? "normal",
      scope: hasId ? scope : NO_SCOPE,
      taskId: hasId ? id : unreadableId(message.subject),
    },
    reason: isMistyped
      ? `its subject has an unknown priority (known: ${PRIORITIES.join(", ")})`
      : "its subject does not end in <capability>.<priority>.<scope>.<id>",
  };
}

function readUnscheduled(
  subjects: Subjects,
  message: Incoming,
  [, , scope = "", id = "", ...more]: string[],
): StrayMessage | null {
  const target = subjects.readTask(message.header(HEADERS.scheduleTarget) ?? "");
  const isScheduled = message.header(HEADERS.schedule) !== undefined;
  if (target !== null && isScheduled) return null;
  const hasId = more.length === 0 && isToken(scope) && isName(id);
  return {
    at: target ?? {
      capability: UNREADABLE,
      priority: "normal",
      scope: hasId ? scope : NO_SCOPE,
      taskId: hasId ? id : unreadableId(message.subject),
    },
    reason: isScheduled
      ? `its ${HEADERS.scheduleTarget} header names no address of a due task`
      : `it has no ${HEADERS.schedule} header, so it never comes due`,
  };
}

/** The ballot whose open questions a message on `cancel.<scope>.-` cancels; undefined when it cancels a scope of tasks. */
export function endingBallotOf(message: Incoming): string | undefined {
  try {
    const { value } = decode(message.data, message.header(HEADERS.contentType));
    const ballot = (value as { ballot?: unknown } | null)?.ballot;
    return typeof ballot === "string" ? ballot : undefined;
  } catch {
    return undefined; // a foreign body cancels the scope, as an empty body does
  }
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
