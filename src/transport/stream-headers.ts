// The headers that a JetStream append understands, and how append options become headers. Both transports read and
// write the same ones, because programs in other languages publish with them directly.
import { HEADERS } from "../protocol/index.ts";
import type { AppendOptions, Headers } from "./ports.ts";

/** Header names of JetStream appends and of the messages it republishes or fires (ADR-31, ADR-28, ADR-43, ADR-51). */
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
  /** On a fired message: when it fires next, or `purge` when that was the last time. */
  scheduleNext: "Nats-Schedule-Next",
} as const;

/** True when nothing but the caller's own headers is to be sent; those stay the object they are. */
function isPlain(options: AppendOptions): boolean {
  return (
    options.messageId === undefined &&
    options.expectedLastSeq === undefined &&
    options.expectedLastSubjectSeq === undefined &&
    options.ttlMs === undefined &&
    options.rollup !== true
  );
}

/** The headers of an append: the caller's, then what its options say. */
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
