// The names of JetStream's headers, and the conversion of append options to headers. Both transports read and write the
// same headers, because programs in other languages set these headers themselves.
import { HEADERS } from "../protocol/index.ts";
import type { AppendOptions, Headers } from "./ports.ts";

/** The header names of JetStream appends, and of messages that JetStream republishes or fires from a schedule (ADR-31, ADR-28, ADR-43, ADR-51). */
export const STREAM_HEADERS = {
  expectedLastSeq: "Nats-Expected-Last-Sequence",
  expectedLastSubjectSeq: "Nats-Expected-Last-Subject-Sequence",
  ttl: "Nats-TTL",
  rollup: "Nats-Rollup",
  stream: "Nats-Stream",
  subject: "Nats-Subject",
  sequence: "Nats-Sequence",
  lastSequence: "Nats-Last-Sequence",
  timestamp: "Nats-Time-Stamp",
  /** On a fired message: the subject of the schedule that fired. */
  scheduler: "Nats-Scheduler",
  /** On a fired message: the time of the next firing, or `purge` after the last one. */
  scheduleNext: "Nats-Schedule-Next",
} as const;

/** True when the options add no header. Then the caller's own headers object is sent as it is. */
function isPlain(options: AppendOptions): boolean {
  return (
    options.messageId === undefined &&
    options.expectedLastSeq === undefined &&
    options.expectedLastSubjectSeq === undefined &&
    options.ttlMs === undefined &&
    options.rollup !== true
  );
}

/** Returns the headers of an append: the caller's own, then one for each option that is set. */
export function appendHeaders(options: AppendOptions): Headers | undefined {
  if (isPlain(options)) return options.headers;
  const headers: Record<string, string> = { ...options.headers };
  if (options.messageId !== undefined) headers[HEADERS.messageId] = options.messageId;
  if (options.expectedLastSeq !== undefined)
    headers[STREAM_HEADERS.expectedLastSeq] = String(options.expectedLastSeq);
  if (options.expectedLastSubjectSeq !== undefined)
    headers[STREAM_HEADERS.expectedLastSubjectSeq] = String(options.expectedLastSubjectSeq);
  if (options.ttlMs !== undefined)
    headers[STREAM_HEADERS.ttl] = `${Math.max(1, Math.ceil(options.ttlMs / 1_000))}s`;
  if (options.rollup === true) headers[STREAM_HEADERS.rollup] = "sub";
  return headers;
}
