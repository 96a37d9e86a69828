// Tasks that are not due yet: NATS holds them as scheduled messages and hands them to `due.…` when the time comes;
// movers bring them to the task stream.
import { CONTENT_TYPES, HEADERS, type Subjects, SwarmError, type TaskAddress } from "../../protocol/index.ts";
import type { Headers, Transport } from "../../transport/index.ts";

/**
 * Stores a task to come due at `dueMs`. A task that waits there already stays as it is: without the expectation a
 * second schedule would silently move the time (measured on nats-server 2.14.5). Returns false in that case.
 * @param options.attempt the number of the attempt that comes next, for a retry: the journal knows earlier ones.
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
  for (const name of [HEADERS.traceparent, HEADERS.tracestate]) {
    const value = message.header(name);
    if (value !== undefined) headers[name] = value;
  }
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

const CARRIED = [
  HEADERS.contentType,
  HEADERS.version,
  HEADERS.attempt,
  HEADERS.traceparent,
  HEADERS.tracestate,
];

/** The headers of a due message without what JetStream put there: a stream without schedules refuses those. */
export function carriedHeaders(message: { header(name: string): string | undefined }): Headers {
  const headers: Record<string, string> = {};
  for (const name of CARRIED) {
    const value = message.header(name);
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}
