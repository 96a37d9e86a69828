// The streams and buckets of a swarm as data. `transport` creates and verifies them; nothing else knows JetStream's
// option names. Settings that correctness rests on are marked and their reason is given.
import { PREFIX_PATTERN } from "./subjects.ts";

/** A body over this travels as a blob reference. */
export const INLINE_LIMIT_BYTES = 512 * 1024;
/** The largest blob. */
export const BLOB_LIMIT_BYTES = 64 * 1024 * 1024;
/** The largest message of the task stream: an inline body plus 16 KiB for subject and headers. */
export const TASK_MESSAGE_LIMIT_BYTES = 528 * 1024;
/** The largest message of the audit log: an entry (`AUDIT_ENTRY_LIMIT_BYTES`) and 1 KiB for subject and headers. */
export const AUDIT_MESSAGE_LIMIT_BYTES = 17 * 1024;
/** How long JetStream waits for an ack before it delivers again; renewed every {@link ACK_RENEW_MS} while work goes on. */
export const ACK_WAIT_MS = 10_000;
/** How often a running attempt renews its delivery. A third of the ack-wait: two renewals may be lost. */
export const ACK_RENEW_MS = 3_000;
/** How long JetStream remembers message ids. A cache, never the promise. */
export const DEDUP_WINDOW_MS = 120_000;

const DAY_MS = 86_400_000;
/** How long an entry of the audit log is kept. */
const AUDIT_AGE_MS = 90 * DAY_MS;
/** The most of the audit log: half a million refused votes and more. Who is refused without end must not fill the disk. */
const AUDIT_BYTES = 1024 ** 3;

/** The stream's role in the house. */
export type StreamKey = "tasks" | "later" | "results" | "journal" | "dead" | "office" | "audit";

/** One stream, in our words. Sizes in bytes, ages in ms; 0 means no limit. */
export interface StreamSpec {
  key: StreamKey;
  name: string;
  subjects: string[];
  retention: "workqueue" | "limits";
  /** What happens when a limit is hit: refuse the new message or drop the oldest. */
  discard: "new" | "old";
  /** 1 with `discard: new` makes the first writer of a subject win (JetStream error 10077 for the second). */
  maxPerSubject?: number;
  maxBytes?: number;
  maxMessageBytes?: number;
  maxAgeMs?: number;
  allowSchedules?: boolean;
  allowTtl?: boolean;
  allowRollup?: boolean;
  denyDelete?: boolean;
  denyPurge?: boolean;
  /** Server-side republish of stored messages. */
  republish?: { from: string; to: string };
  dedupWindowMs?: number;
}

/** The streams of the swarm named `prefix`, with their limits. */
export function streamSpecs(
  prefix: string,
  limits: { taskBytes?: number; resultAgeMs?: number } = {},
): StreamSpec[] {
  const name = (suffix: string) => streamName(prefix, suffix);
  return [
    {
      key: "tasks",
      name: name("TASKS"),
      subjects: [`${prefix}.task.>`, `${prefix}.placed.>`],
      retention: "workqueue",
      discard: "new",
      maxPerSubject: 1,
      maxBytes: limits.taskBytes ?? 4 * 1024 ** 3,
      maxMessageBytes: TASK_MESSAGE_LIMIT_BYTES,
    },
    {
      // No limit of any kind: a limit on a stream with schedules drops schedules silently (measured on 2.14.5).
      key: "later",
      name: name("LATER"),
      subjects: [`${prefix}.later.>`, `${prefix}.due.>`],
      retention: "workqueue",
      discard: "old",
      allowSchedules: true,
      allowTtl: true,
    },
    {
      key: "results",
      name: name("RESULTS"),
      subjects: [`${prefix}.result.>`],
      retention: "limits",
      discard: "new",
      maxPerSubject: 1,
      maxAgeMs: limits.resultAgeMs ?? 7 * DAY_MS,
      republish: { from: `${prefix}.result.>`, to: `${prefix}.done.>` },
    },
    {
      key: "journal",
      name: name("JOURNAL"),
      subjects: [`${prefix}.journal.>`],
      retention: "limits",
      discard: "old",
      maxAgeMs: 30 * DAY_MS,
      allowTtl: true,
      allowRollup: true,
    },
    {
      key: "dead",
      name: name("DEAD"),
      subjects: [`${prefix}.dead.>`],
      retention: "limits",
      discard: "old",
      maxAgeMs: 30 * DAY_MS,
      maxPerSubject: 1,
    },
    {
      // One subject and no other, ever: the stream's last sequence is what appends are fenced with.
      key: "office",
      name: name("OFFICE_LOG"),
      subjects: [`${prefix}.log.office`],
      retention: "limits",
      discard: "new",
      denyDelete: true,
    },
    {
      // Nobody removes anything, and no update of the stream can allow it again: only the oldest entries go, by themselves.
      key: "audit",
      name: name("AUDIT"),
      subjects: [`${prefix}.audit.*.*`],
      retention: "limits",
      discard: "old",
      maxAgeMs: AUDIT_AGE_MS,
      maxBytes: AUDIT_BYTES,
      maxMessageBytes: AUDIT_MESSAGE_LIMIT_BYTES,
      denyDelete: true,
      denyPurge: true,
    },
  ];
}

/** A bucket's role in the house. */
export type BucketKey = "limits" | "cancelled" | "blobs" | "snapshots";

/** One key-value bucket or object store. `ttlMs` 0 keeps entries for ever. */
export interface BucketSpec {
  key: BucketKey;
  name: string;
  kind: "kv" | "object";
  ttlMs: number;
}

/** The buckets of the swarm named `prefix`. */
export function bucketSpecs(prefix: string): BucketSpec[] {
  return [
    { key: "limits", name: streamName(prefix, "LIMITS"), kind: "kv", ttlMs: 0 },
    { key: "cancelled", name: streamName(prefix, "CANCELLED"), kind: "kv", ttlMs: 7 * DAY_MS },
    { key: "blobs", name: streamName(prefix, "BLOBS"), kind: "object", ttlMs: 30 * DAY_MS },
    // No age: the control log is trimmed behind them, so whoever made them is the only one that may remove them.
    { key: "snapshots", name: streamName(prefix, "SNAPSHOTS"), kind: "object", ttlMs: 0 },
  ];
}

/** `MURMUR_TASKS` for prefix `murmur` and suffix `TASKS`. */
export function streamName(prefix: string, suffix: string): string {
  if (!PREFIX_PATTERN.test(prefix)) throw new RangeError(`bad prefix: ${prefix}`);
  return `${prefix.toUpperCase()}_${suffix}`;
}
