// Tasks that are not due yet. The later stream holds each as a scheduled message, and JetStream publishes it to `due.…`
// at its time; mover.ts then moves it to the task stream.
import { CONTENT_TYPES, HEADERS, type Subjects, SwarmError, type TaskAddress } from "../../protocol/index.ts";
import type { Headers, Transport } from "../../transport/index.ts";
import type { LaterStore } from "../ports.ts";
import { blobsOf, renewBlobs } from "./blob-refs.ts";

/**
 * Stores a task that comes due at `dueMs`, Unix ms. Returns false when the task waits in the later stream already; then
 * its time stays as it is. (Without the expected sequence 0, a second schedule would silently move the time; measured on
 * nats-server 2.14.5.)
 * @param options.attempt for a retry: the number of the next attempt. Hosts see from it that the journal has earlier attempts.
 * @throws SwarmError `unavailable`.
 */
export async function storeLater(
  parts: { transport: Transport; subjects: Subjects },
  at: TaskAddress,
  message: { data: Uint8Array; header(name: string): string | undefined },
  dueMs: number,
  options: { attempt?: number } = {},
): Promise<boolean> {
  const { transport, subjects } = parts;
  const headers: Record<string, string> = {
    [HEADERS.contentType]: message.header(HEADERS.contentType) ?? CONTENT_TYPES.json,
    [HEADERS.version]: "1",
    [HEADERS.schedule]: `@at ${new Date(dueMs).toISOString()}`,
    [HEADERS.scheduleTarget]: subjects.due(at),
  };
  if (options.attempt !== undefined) headers[HEADERS.attempt] = String(options.attempt);
  for (const name of DELAYED_HEADERS) {
    const value = message.header(name);
    if (value !== undefined) headers[name] = value;
  }
  await renewBlobs(blobsOf(message), transport.blobs);
  try {
    await transport.log("later").append(subjects.later(at.scope, at.taskId), message.data, {
      headers,
      expectedLastSubjectSeq: 0,
    });
    return true;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "conflict") return false;
    throw error;
  }
}

/** The headers of a message that a delayed task keeps, beside its content type. */
export const DELAYED_HEADERS = [HEADERS.effectKey, HEADERS.traceparent, HEADERS.tracestate] as const;

/** The store of a process that may write to the later stream. */
export function createLaterStore(parts: { transport: Transport; subjects: Subjects }): LaterStore {
  return { store: (at, message, dueMs, options) => storeLater(parts, at, message, dueMs, options) };
}

/** The headers of a task that every move between streams keeps. */
const CARRIED = [
  HEADERS.contentType,
  HEADERS.version,
  HEADERS.attempt,
  HEADERS.due,
  HEADERS.effectKey,
  HEADERS.traceparent,
  HEADERS.tracestate,
];

/** The headers to keep when a task moves. Leaves out the headers of the schedule: a stream without schedules rejects them. */
export function carriedHeaders(message: { header(name: string): string | undefined }): Headers {
  const headers: Record<string, string> = {};
  for (const name of CARRIED) {
    const value = message.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}
