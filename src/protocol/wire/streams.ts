// The streams and buckets of a swarm, as data. Only the transport room turns them into JetStream's options; it creates and
// verifies them. Comments mark the settings that correctness depends on, and give the reason.
import { CLASS_PATTERN, checkClass, DEFAULT_CLASS, PREFIX_PATTERN, PRIORITIES } from "./subjects.ts";

/** The largest inline body. A larger body is stored as a blob, and the message contains a reference to it. */
export const INLINE_LIMIT_BYTES = 512 * 1024;
/** The largest blob. */
export const BLOB_LIMIT_BYTES = 64 * 1024 * 1024;
/** The largest message of the task stream: an inline body plus 16 KiB for subject and headers. */
export const TASK_MESSAGE_LIMIT_BYTES = 528 * 1024;
/** The changes of a shared value of a workflow that are kept. */
const SHARED_CHANGES = 16;
/** The largest change of a shared value: 64 KiB of JSON, and 4 KiB for subject, headers, author and key. */
const SHARED_MESSAGE_LIMIT_BYTES = 68 * 1024;
/** The largest message of the audit log: an entry (`AUDIT_ENTRY_LIMIT_BYTES`) and 1 KiB for subject and headers. */
export const AUDIT_MESSAGE_LIMIT_BYTES = 17 * 1024;
/** The ack-wait: JetStream redelivers a message without an ack after this time. Hosts renew it every {@link ACK_RENEW_MS}. */
export const ACK_WAIT_MS = 10_000;
/**
 * The end of the pause of a queue, in ms since 1970: 2200-01-01. NATS wants an end for each pause. This one is far enough
 * that no pause needs to be renewed, and near enough for Go's 292 years of nanoseconds. It is also the mark of our own
 * pauses: a pause with another end was made by another program, and Murmur does not end it.
 */
export const PAUSED_UNTIL_MS = Date.UTC(2200, 0, 1);
/** The interval at which a host renews the delivery of a running attempt. A third of the ack-wait: two renewals may be lost. */
export const ACK_RENEW_MS = 3_000;
/** The deduplication window of message ids in JetStream. It is only a cache; no promise depends on it. */
export const DEDUP_WINDOW_MS = 120_000;

const DAY_MS = 86_400_000;
/** The longest age that an operator can set, in days: ten years. It fits into the nanoseconds of NATS with room to spare. */
export const MAX_KEPT_DAYS = 3_650;
/** How long results are kept by default. */
const RESULT_AGE_MS = 7 * DAY_MS;
/** How long dead letters are kept by default. */
const DEAD_AGE_MS = 30 * DAY_MS;
/** How long blobs are kept, unless the results or the dead letters that name them are kept for longer than half of it. */
const BLOB_AGE_MS = 30 * DAY_MS;
/** The longest age of an entry of the audit log. */
const AUDIT_AGE_MS = 90 * DAY_MS;
/** The largest audit log: room for over half a million rejected votes. An endless series of rejections must not fill the disk. */
const AUDIT_BYTES = 1024 ** 3;

/** The short name of a stream in the code. */
export type StreamKey =
  | "tasks"
  | "later"
  | "results"
  | "journal"
  | "dead"
  | "office"
  | "audit"
  | "workflows"
  | "flow"
  | "shared"
  | PlacedKey;
/** The short name of the stream of the tasks that were placed on the hosts of one class. */
export type PlacedKey = `placed-${string}`;

/** The key of the stream of the tasks placed on a class. @throws SwarmError `invalid_input` for a bad class. */
export function placedKey(agentClass: string): PlacedKey {
  return `placed-${checkClass(agentClass)}`;
}

/** One stream. Sizes are in bytes, ages in ms. An absent size or age means no limit. */
export interface StreamSpec {
  key: StreamKey;
  /** One line for people: the content of the stream. */
  about: string;
  name: string;
  /**
   * The stream takes exactly the forms that its readers know. A mistyped subject gets no acknowledgement ("no responders"):
   * no process would ever read the message.
   */
  subjects: string[];
  /**
   * The wider subjects of streams that earlier versions created, a list for each version. They work; `init` with `update`
   * replaces them.
   */
  olderSubjects?: string[][];
  retention: "workqueue" | "limits";
  /** The behaviour at a limit: `new` rejects the new message, `old` drops the oldest messages. */
  discard: "new" | "old";
  /**
   * 1 with `discard: new` makes the first writer of a subject win (JetStream error 10077 for the second). More than 1 drops the oldest message of
   * the subject, also with `discard: new`.
   */
  maxPerSubject?: number;
  maxBytes?: number;
  maxMessageBytes?: number;
  maxAgeMs?: number;
  /**
   * True: the age is a promise, or a setting of the operator. A stream with another age works, with advice; `init` with
   * `update` gives it this age. Otherwise the age is only a default of new streams.
   */
  hasFixedAge?: boolean;
  allowSchedules?: boolean;
  allowTtl?: boolean;
  allowRollup?: boolean;
  /** True: an existing stream may allow roll-ups or refuse them. Both work, and only `init` with permissions decides it. */
  anyRollup?: boolean;
  denyDelete?: boolean;
  denyPurge?: boolean;
  /** The server republishes each stored message from one subject to another. */
  republish?: { from: string; to: string };
  dedupWindowMs?: number;
}

/** The limits that an operator can set. An absent limit has its default for new streams, and existing streams keep theirs. */
export interface StreamLimits {
  /** The most bytes of waiting and running tasks; default 4 GiB. */
  taskBytes?: number | undefined;
  /** How long results are kept, in ms; default 7 days. The id of a task is taken for as long. */
  resultAgeMs?: number | undefined;
  /** How long dead letters are kept, in ms; default 30 days. */
  deadAgeMs?: number | undefined;
  /** How long a blob is kept after it was last stored, in ms; default 30 days, and at least twice the age of results and dead letters. */
  blobAgeMs?: number | undefined;
  /** How long the journals of *ended* tasks are kept, in ms. It is no limit of the stream: see `stores/journal.ts`. */
  journalAgeMs?: number | undefined;
}

/** The most bytes of waiting and running tasks, without the setting. */
const TASK_BYTES = 4 * 1024 ** 3;
/**
 * The bytes of each stream of placed tasks, as a share of those of the task stream: placed tasks are few, because an agent gets at
 * most twice as many as it has slots, and a server reserves the bytes of every stream. A full stream lets tasks wait in their queues.
 */
const PLACED_SHARE = 1 / 4;
/**
 * The bytes of the stream of shared values, as a share of those of the task stream: 512 MiB by default. One run can have 106 MiB of them (100
 * names with 16 changes of 68 KiB), so four runs at their bounds fit. Without a limit they could fill the disk, and tasks and results need it.
 */
const SHARED_SHARE = 1 / 8;

/** The stream of the tasks that were placed on the hosts of one class. Its consumers belong to these hosts. */
export function placedSpec(prefix: string, agentClass: string, limits: StreamLimits = {}): StreamSpec {
  return {
    key: placedKey(agentClass),
    about: "tasks placed on the hosts of one class; each host has one consumer",
    name: placedStream(prefix, agentClass),
    subjects: [`${prefix}.placed.${agentClass}.*.*.*.*`],
    retention: "workqueue",
    discard: "new",
    maxPerSubject: 1,
    maxBytes: Math.ceil((limits.taskBytes ?? TASK_BYTES) * PLACED_SHARE),
    maxMessageBytes: TASK_MESSAGE_LIMIT_BYTES,
  };
}

/** The name of a class's stream of placed tasks: `MURMUR_PLACED-GPU`. */
export function placedStream(prefix: string, agentClass: string): string {
  return streamName(prefix, `PLACED-${checkClass(agentClass).toUpperCase()}`);
}

/** The class of a stream of placed tasks, from its name; null for every other name. */
export function classOfStream(prefix: string, name: string): string | null {
  const start = streamName(prefix, "PLACED-");
  const agentClass = name.startsWith(start) ? name.slice(start.length).toLowerCase() : "";
  return CLASS_PATTERN.test(agentClass) && placedStream(prefix, agentClass) === name ? agentClass : null;
}

/**
 * The streams of the swarm named `prefix`, with their limits, and with a stream of placed tasks for each class. `hasPermissions`: NATS has a
 * user for each role, so no stream that agents write to allows roll-ups.
 */
export function streamSpecs(
  prefix: string,
  limits: StreamLimits = {},
  classes: readonly string[] = [DEFAULT_CLASS],
  { hasPermissions = false }: { hasPermissions?: boolean | undefined } = {},
): StreamSpec[] {
  const name = (suffix: string) => streamName(prefix, suffix);
  /** The task addresses under `kind`: one subject for each priority. */
  const addresses = (kind: "task" | "due") =>
    PRIORITIES.map((priority) => `${prefix}.${kind}.*.${priority}.*.*`);
  return [
    {
      key: "tasks",
      about: "tasks that wait or run, as far as they are not placed on a host",
      name: name("TASKS"),
      subjects: addresses("task"),
      // Earlier versions held the placed tasks too. The coordinator in office returns the remaining ones to their queues.
      olderSubjects: [
        [`${prefix}.task.>`, `${prefix}.placed.>`],
        [...addresses("task"), `${prefix}.placed.*.*.*.*`],
        [...addresses("task"), `${prefix}.placed.*.*.*.*.*`],
      ],
      retention: "workqueue",
      discard: "new",
      maxPerSubject: 1,
      maxBytes: limits.taskBytes ?? TASK_BYTES,
      maxMessageBytes: TASK_MESSAGE_LIMIT_BYTES,
    },
    ...classes.map((agentClass) => placedSpec(prefix, agentClass, limits)),
    {
      // No limit of any kind: a limit on a stream with schedules drops schedules silently (measured on 2.14.5).
      key: "later",
      about: "schedules of delayed tasks and long retries; `due.>` holds the tasks that came due",
      name: name("LATER"),
      // The server also checks the target of each schedule against these subjects.
      subjects: [`${prefix}.later.*.*`, ...addresses("due")],
      olderSubjects: [[`${prefix}.later.>`, `${prefix}.due.>`]],
      retention: "workqueue",
      discard: "old",
      allowSchedules: true,
      allowTtl: true,
    },
    {
      key: "results",
      about: "the one result of each task; the server republishes each stored result on `done.>`",
      name: name("RESULTS"),
      subjects: [`${prefix}.result.*.*.*`],
      olderSubjects: [[`${prefix}.result.>`]],
      retention: "limits",
      discard: "new",
      maxPerSubject: 1,
      maxAgeMs: limits.resultAgeMs ?? RESULT_AGE_MS,
      hasFixedAge: limits.resultAgeMs !== undefined,
      republish: { from: `${prefix}.result.>`, to: `${prefix}.done.>` },
    },
    {
      key: "journal",
      about:
        "records about the attempts, steps and hand-offs of tasks; one record with the history of an ended task",
      name: name("JOURNAL"),
      subjects: [`${prefix}.journal.*.*`],
      olderSubjects: [[`${prefix}.journal.>`]],
      retention: "limits",
      discard: "old",
      // No age: the journal of a task that has not ended must not expire. Closing records have a TTL of their own.
      hasFixedAge: true,
      allowTtl: true,
      // One message with `Nats-Rollup: all` would remove the journals of all tasks.
      allowRollup: !hasPermissions,
      anyRollup: !hasPermissions,
    },
    {
      key: "dead",
      about: "dead letters: tasks that failed for good, with the reason",
      name: name("DEAD"),
      subjects: [`${prefix}.dead.*.*`],
      olderSubjects: [[`${prefix}.dead.>`]],
      retention: "limits",
      discard: "old",
      maxAgeMs: limits.deadAgeMs ?? DEAD_AGE_MS,
      hasFixedAge: limits.deadAgeMs !== undefined,
      maxPerSubject: 1,
    },
    {
      // Exactly one subject, always: appends are fenced with the last sequence of the stream.
      key: "office",
      about: "the control log of the coordinators",
      name: name("OFFICE_LOG"),
      subjects: [`${prefix}.log.office`],
      retention: "limits",
      discard: "new",
      denyDelete: true,
    },
    {
      // The server rejects deletes and purges, and no update of the stream can allow them again. Only age and size remove
      // the oldest entries.
      key: "audit",
      about: "the audit log: one chain of signed entries for each process",
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
    {
      // No age: a run may sleep for months. The last message of an ended run has a TTL, and replaces the ones before it.
      key: "workflows",
      about: "the logs of workflows: one hash-chained entry for each decision",
      name: name("WORKFLOWS"),
      subjects: [`${prefix}.workflow.*.*`],
      retention: "limits",
      discard: "new",
      hasFixedAge: true,
      allowTtl: true,
      allowRollup: true,
      denyDelete: true,
    },
    {
      // No limit of any kind, as for `later`: a limit on a stream with schedules drops schedules silently.
      key: "flow",
      about: "commands to workflows, and schedules of their wake-ups",
      name: name("FLOW"),
      subjects: [`${prefix}.flow.*.*.*`, `${prefix}.wake.*.*.*`],
      retention: "workqueue",
      discard: "old",
      allowSchedules: true,
      allowTtl: true,
    },
    {
      // No age: the engines remove the values of a run when its log is gone. A full stream refuses changes: dropping the oldest ones
      // would take the values of other runs.
      key: "shared",
      about: "the shared values of workflows, the last 16 changes of each",
      name: name("SHARED"),
      subjects: [`${prefix}.shared.*.*.*`],
      retention: "limits",
      discard: "new",
      maxPerSubject: SHARED_CHANGES,
      maxBytes: Math.ceil((limits.taskBytes ?? TASK_BYTES) * SHARED_SHARE),
      maxMessageBytes: SHARED_MESSAGE_LIMIT_BYTES,
      hasFixedAge: true,
    },
  ];
}

/** The short name of a bucket in the code. */
export type BucketKey = "limits" | "cancelled" | "blobs" | "snapshots" | "entries";

/** One key-value bucket or object store. `ttlMs` 0 keeps entries for ever. */
export interface BucketSpec {
  key: BucketKey;
  /** One line for people: the content of the bucket. */
  about: string;
  name: string;
  kind: "kv" | "object";
  ttlMs: number;
  /**
   * True: readers name the key or the chunk in the subject of a direct get, so that a permission of NATS can bind what they read.
   * A replica may answer. False: only the stream's leader answers, so that reads see every finished write.
   */
  allowsDirect: boolean;
  /** Of an object store: its writers may replace a description by a roll-up. */
  allowRollup?: boolean;
  /** As {@link StreamSpec.anyRollup}. */
  anyRollup?: boolean;
  /** As {@link StreamSpec.hasFixedAge}. */
  hasFixedAge?: boolean;
}

/**
 * The buckets of the swarm named `prefix`, with their limits. `hasPermissions`: NATS has a user for each role, so that other clients store
 * blobs through the front door, and the store can refuse roll-ups.
 */
export function bucketSpecs(
  prefix: string,
  limits: StreamLimits = {},
  { hasPermissions = false }: { hasPermissions?: boolean | undefined } = {},
): BucketSpec[] {
  // A put stores a blob again in the second half of its time, so half of the time is certain.
  const blobAgeMs =
    limits.blobAgeMs ?? Math.max(BLOB_AGE_MS, 2 * (limits.resultAgeMs ?? 0), 2 * (limits.deadAgeMs ?? 0));
  return [
    {
      key: "limits",
      about: "the permits of limits that hold across processes",
      name: streamName(prefix, "LIMITS"),
      kind: "kv",
      allowsDirect: true,
      ttlMs: 0,
    },
    {
      key: "cancelled",
      about:
        "scopes that were cancelled, and steps that were cancelled while a host had them (`task.<taskId>`)",
      name: streamName(prefix, "CANCELLED"),
      kind: "kv",
      allowsDirect: true,
      ttlMs: 7 * DAY_MS,
    },
    {
      key: "blobs",
      about: "bodies over 512 KiB, named by their SHA-256",
      name: streamName(prefix, "BLOBS"),
      kind: "object",
      allowsDirect: true,
      // Other clients write object stores with roll-ups. One message with `Nats-Rollup: all` would remove all blobs.
      allowRollup: !hasPermissions,
      anyRollup: !hasPermissions,
      ttlMs: blobAgeMs,
      hasFixedAge: blobAgeMs > BLOB_AGE_MS,
    },
    {
      // No age: the control log is trimmed behind the snapshots, so only the coordinators may remove them.
      key: "snapshots",
      about: "snapshots of the coordinators' state",
      name: streamName(prefix, "SNAPSHOTS"),
      kind: "object",
      allowsDirect: false,
      allowRollup: true,
      ttlMs: 0,
    },
    {
      // No age: they live as long as the log that names them.
      key: "entries",
      about: "entries over 256 KiB of the logs of workflows",
      name: streamName(prefix, "ENTRIES"),
      kind: "object",
      allowsDirect: false,
      allowRollup: true,
      ttlMs: 0,
    },
  ];
}

/** Returns a stream's name: `MURMUR_TASKS` for prefix `murmur` and suffix `TASKS`. Throws RangeError on a bad prefix. */
export function streamName(prefix: string, suffix: string): string {
  if (!PREFIX_PATTERN.test(prefix)) throw new RangeError(`bad prefix: ${prefix}`);
  return `${prefix.toUpperCase()}_${suffix}`;
}
