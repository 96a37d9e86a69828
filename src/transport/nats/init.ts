// Creates the missing streams and buckets of the swarm from their definitions, and lists how the existing ones differ from theirs.
// connect.ts offers it as `Transport.init` and `Transport.inspect`.
// I1: this file compares every setting that correctness depends on. The operator decides the sizes (bytes, age), except
//     in a stream with schedules, and the number of copies, unless the caller asked for a number.
// I2: it changes an existing stream only when the caller asks for it (`apply`), and then only the settings of APPLIED: subjects
//     from those of an earlier version to those of this version, an age that is fixed in the definition, and permissions of the
//     stream that NATS can add. Stored messages stay, also on subjects that the stream no longer takes; only a shorter age removes
//     the messages that are older.
import { sleep } from "../../base/index.ts";
import {
  type BucketSpec,
  classOfStream,
  isServerSupported,
  OLDEST_SERVER,
  type StreamSpec,
  SwarmError,
} from "../../protocol/index.ts";
import { JETSTREAM_ERRORS, jetStreamCode } from "../jetstream-errors.ts";
import type { InitReport, Inspected, StreamDifference } from "../ports.ts";
import { objectStream } from "./blobs.ts";
import { bucketStream } from "./bucket.ts";
import type { Link } from "./link.ts";
import { isStorageShort, LASTING, tooLittleStorage } from "./storage-error.ts";

const NANOS_PER_MS = 1_000_000;
const MS_PER_DAY = 86_400_000;
/** The longest wait for the creation of a stream, in ms. It includes the first election of a replicated stream. */
const CREATE_TIMEOUT_MS = 10_000;
/** The longest wait for the configuration of a stream, in ms. */
const FIND_TIMEOUT_MS = 3_000;
/**
 * The most tries of a request. A cluster that has just started, or that elects a leader, leaves some requests without
 * an answer, and may report that servers are absent. A repeat is safe: JetStream answers a repeated creation with the
 * same settings in the same way as the first.
 */
const INIT_TRIES = 3;
/** The pause before another try, in ms. Servers know each other within a second of their start (measured). */
const INIT_RETRY_PAUSE_MS = 1_000;
/** The default number of copies of each stream in a cluster: with three, the loss of one server loses no message. */
const CLUSTER_REPLICAS = 3;
/** JetStream's value for no limit. */
const UNLIMITED = -1;

/** The part of a JetStream stream configuration that this file writes and compares. */
interface StreamConfig {
  name: string;
  subjects: string[];
  retention: "workqueue" | "limits";
  discard: "new" | "old";
  discard_new_per_subject: boolean;
  max_msgs_per_subject: number;
  max_msgs: number;
  max_bytes: number;
  max_msg_size: number;
  max_age: number;
  allow_msg_schedules: boolean;
  allow_msg_ttl: boolean;
  allow_rollup_hdrs: boolean;
  deny_delete: boolean;
  deny_purge: boolean;
  allow_direct: boolean;
  republish: { src: string; dest: string } | null;
  num_replicas: number;
}

/** The settings that correctness depends on, in every stream. */
const COMPARED = [
  "subjects",
  "retention",
  "discard",
  "discard_new_per_subject",
  "max_msgs_per_subject",
  "allow_msg_schedules",
  "allow_msg_ttl",
  "allow_rollup_hdrs",
  "deny_delete",
  "deny_purge",
  "allow_direct",
  "republish",
] as const satisfies readonly (keyof StreamConfig)[];

/**
 * The limits that make the server drop schedules silently (measured on 2.14.5): a stream with schedules must have none.
 */
const LIMITS = [
  "max_msgs",
  "max_bytes",
  "max_age",
  "max_msg_size",
] as const satisfies readonly (keyof StreamConfig)[];

/** The settings that `apply` changes, each to the value of the definition (I2). Subjects and ages have rules of their own. */
const APPLIED: ReadonlySet<keyof StreamConfig> = new Set([
  "discard",
  "discard_new_per_subject",
  "allow_msg_ttl",
  "allow_rollup_hdrs",
  "deny_delete",
  "deny_purge",
  "allow_direct",
  "republish",
  "num_replicas",
]);

/**
 * Creates the missing streams and buckets, and compares the existing ones.
 * @param options.replicas the copies of each stream. Undefined: {@link CLUSTER_REPLICAS} in a cluster, 1 on a single
 *   server; then an existing stream with fewer copies only causes a warning.
 * @throws SwarmError `unavailable`: the server is older than 2.12, has no JetStream or too little storage;
 *   `conflict`: another stream holds the subjects.
 */
export async function initStreams(
  link: Link,
  options: {
    streams: StreamSpec[];
    buckets: BucketSpec[];
    replicas: number | undefined;
    /** Makes the changes that the differences allow (I2). */
    apply?: boolean | undefined;
    prefix: string;
  },
): Promise<InitReport> {
  checkServer(link);
  const replicas = options.replicas ?? (link.nc.info?.cluster === undefined ? 1 : CLUSTER_REPLICAS);
  const report: InitReport = { created: [], applied: [], verified: [], differences: [], warnings: [] };
  const reservedBytes = options.streams.reduce((sum, { maxBytes = 0 }) => sum + maxBytes, 0);
  const ensure = async (
    shownName: string,
    config: StreamConfig,
    spec: Changeable & { dedupWindowMs?: number | undefined },
  ) => {
    const found =
      (await find(link, config.name)) ?? (await create(link, config, spec.dedupWindowMs, reservedBytes));
    if (found === "created") {
      report.created.push(shownName);
      return;
    }
    if (options.replicas === undefined) report.warnings.push(...findFewCopies(config, found));
    const differences = findDifferences(config, found, spec, options.replicas !== undefined);
    const wanted = options.apply === true ? differences.filter(({ canApply }) => canApply) : [];
    const refused = wanted.length === 0 ? [] : await apply(link, config, found, wanted);
    report.applied.push(...wanted.filter((each) => !refused.some(({ setting }) => setting === each.setting)));
    const left = [...differences.filter((each) => !wanted.includes(each)), ...refused];
    report.differences.push(...left);
    if (differences.length === 0) report.verified.push(shownName);
  };
  for (const spec of options.streams) await ensure(spec.name, configOf(spec, replicas), spec);
  for (const spec of options.buckets) await ensure(spec.name, configOfBucket(spec, replicas), spec);
  report.warnings.push(...(await findOldPlaced(link, options)));
  return report;
}

/**
 * Tells of placed tasks in the task stream, where earlier versions kept them. No host pulls them there: the coordinator in office
 * returns them to their queues.
 */
async function findOldPlaced(
  link: Link,
  { streams, prefix }: { streams: StreamSpec[]; prefix: string },
): Promise<string[]> {
  const tasks = streams.find(({ key }) => key === "tasks");
  if (tasks === undefined) return [];
  const { state } = await request<{ state: { subjects?: Record<string, number> } }>(
    link,
    `STREAM.INFO.${tasks.name}`,
    { subjects_filter: `${prefix}.placed.>` },
    { doing: `look for placed tasks in ${tasks.name}`, timeoutMs: FIND_TIMEOUT_MS },
  );
  const count = Object.values(state.subjects ?? {}).reduce((sum, each) => sum + each, 0);
  if (count === 0) return [];
  return [
    `stream ${tasks.name} still has ${count} placed ${count === 1 ? "task" : "tasks"} of an earlier version; the coordinator in office returns them to their queues within 10 s`,
  ];
}

/** The classes that have a stream of placed tasks, sorted. */
export async function listPlacedClasses(link: Link, prefix: string): Promise<string[]> {
  const classes: string[] = [];
  for (let offset = 0; ; ) {
    const page = await link.api<{ streams: string[] | null; total: number }>(
      "STREAM.NAMES",
      { subject: `${prefix}.placed.>`, offset },
      { doing: "list the streams of placed tasks" },
    );
    const names = page.streams ?? [];
    offset += names.length;
    for (const name of names) classes.push(classOfStream(prefix, name) ?? "");
    if (names.length === 0 || offset >= page.total) break;
  }
  return classes.filter((name) => name !== "").sort();
}

/** The parts of a definition that a difference depends on. */
type Changeable = Pick<StreamSpec, "olderSubjects" | "hasFixedAge" | "anyRollup">;

/** All settings that are not as wanted. Sizes and other ages belong to the operator (I1). */
function findDifferences(
  wanted: StreamConfig,
  found: Partial<StreamConfig>,
  { olderSubjects, hasFixedAge, anyRollup = false }: Changeable,
  hasFixedCopies: boolean,
): StreamDifference[] {
  const settings: (keyof StreamConfig)[] = [
    ...COMPARED.filter((setting) => !(anyRollup && setting === "allow_rollup_hdrs")),
    ...(wanted.allow_msg_schedules ? LIMITS : hasFixedAge === true ? (["max_age"] as const) : []),
    ...(hasFixedCopies ? (["num_replicas"] as const) : []),
  ];
  return settings.flatMap((setting) => {
    const [expected, actual] = [normalise(setting, wanted[setting]), normalise(setting, found[setting])];
    if (expected === actual) return [];
    const isOlder =
      setting === "subjects" &&
      (olderSubjects ?? []).some((older) => actual === normalise("subjects", older));
    const isAge = setting === "max_age" && !wanted.allow_msg_schedules;
    const canApply = isOlder || isAge || APPLIED.has(setting);
    const isBlocking = !isOlder && !isAge;
    const clause = isOlder
      ? OLDER_SUBJECTS
      : isAge
        ? `keeps messages ${showAge(actual)}, and the wanted age is ${showAge(expected)}`
        : `${setting} must be ${expected}, found ${actual}`;
    const next = canApply ? APPLY_HINT : EDIT_HINT;
    const text = `stream ${wanted.name}${isBlocking ? ": " : " "}${clause}; ${next}`;
    return [{ stream: wanted.name, setting, expected, found: actual, clause, text, canApply, isBlocking }];
  });
}

const OLDER_SUBJECTS =
  "has the subjects of an earlier version, so it also acknowledges messages that no process takes";
/** The next step for a difference that `apply` removes, and for any other. */
const APPLY_HINT = "when all processes of the swarm run this version, `murmur init --apply` changes it";
const EDIT_HINT =
  "correct it with `nats stream edit`, or remove the stream if it does not belong to this swarm";

function showAge(nanos: string): string {
  if (nanos === "unlimited") return "for ever";
  return `${Number((Number(nanos) / NANOS_PER_MS / MS_PER_DAY).toFixed(2))} days`;
}

/** Makes the changes, all of a stream at once, and returns the refused ones with the reason of NATS. */
async function apply(
  link: Link,
  config: StreamConfig,
  found: Partial<StreamConfig>,
  differences: readonly StreamDifference[],
): Promise<StreamDifference[]> {
  const changes = Object.fromEntries(
    differences.map(({ setting }) => [setting, config[setting as keyof StreamConfig] ?? undefined]),
  );
  try {
    await update(link, found, { ...changes, name: config.name });
    return [];
  } catch (error) {
    if (jetStreamCode(error) === undefined) throw error;
    const why = (error as Error).message;
    return differences.map((each) => ({
      ...each,
      canApply: false,
      text: `stream ${each.stream}: ${each.clause}; NATS refuses the change: ${why}`,
    }));
  }
}

/** Changes some settings of a stream and no others (I2). The server requires the whole configuration. */
async function update(
  link: Link,
  found: Partial<StreamConfig>,
  changes: Partial<StreamConfig> & { name: string },
): Promise<void> {
  const doing = `update ${Object.keys(changes)
    .filter((key) => key !== "name")
    .join(" and ")} of ${changes.name}`;
  const body = { ...found, ...changes };
  await request(link, `STREAM.UPDATE.${changes.name}`, body, { doing, timeoutMs: CREATE_TIMEOUT_MS });
}

/**
 * Returns a warning when a stream has fewer copies than wanted. It is not an error, because the operator may want it.
 */
function findFewCopies({ name, num_replicas: wanted }: StreamConfig, found: Partial<StreamConfig>): string[] {
  const { num_replicas: copies = 1 } = found;
  if (copies >= wanted) return [];
  return [
    `stream ${name} has ${copies} of ${wanted} copies: \`nats stream edit ${name} --replicas ${wanted}\` adds the missing ones`,
  ];
}

/**
 * Compares the existing streams and buckets with their definitions, without changing them.
 * @throws SwarmError `unavailable`: the server is older than 2.12, has no JetStream, or does not answer.
 */
export async function inspectStreams(
  link: Link,
  options: { streams: StreamSpec[]; buckets: BucketSpec[]; replicas: number | undefined },
): Promise<Inspected[]> {
  checkServer(link);
  const { replicas = 1 } = options;
  const expected: { spec: (StreamSpec | BucketSpec) & Changeable; config: StreamConfig }[] = [
    ...options.streams.map((spec) => ({ spec, config: configOf(spec, replicas) })),
    ...options.buckets.map((spec) => ({ spec, config: configOfBucket(spec, replicas) })),
  ];
  return Promise.all(
    expected.map(async ({ spec, config }) => {
      const { key, name } = spec;
      const found = await find(link, config.name);
      if (found === null)
        return { key, name, exists: false, problem: "does not exist; run `murmur init`", advice: [] };
      const differences = findDifferences(config, found, spec, options.replicas !== undefined);
      const problem = differences.find(({ isBlocking }) => isBlocking)?.text ?? null;
      const advice = differences.filter(({ isBlocking }) => !isBlocking).map(({ clause }) => clause);
      return { key, name, exists: true, problem, advice };
    }),
  );
}

/**
 * Checks the server by the facts that it sends to each connection; needs no permission.
 * @throws SwarmError `unavailable`: it is older than 2.12, or has no JetStream.
 */
export function checkServer(link: Pick<Link, "nc">): void {
  const info = link.nc.info;
  const [major = 0, minor = 0] = (info?.version ?? "").split(".").map(Number);
  if (!isServerSupported(major, minor)) {
    throw new SwarmError(
      "unavailable",
      `nats-server is ${info?.version ?? "an unknown version"}; Murmur needs ${OLDEST_SERVER} or newer (delayed messages, per-message TTL): upgrade the server`,
      LASTING,
    );
  }
  if (info?.jetstream !== true) {
    throw new SwarmError(
      "unavailable",
      "nats-server runs without JetStream: start it with -js, or with jetstream { store_dir: … } in its configuration",
      LASTING,
    );
  }
}

function configOf(spec: StreamSpec, replicas: number): StreamConfig {
  return {
    name: spec.name,
    subjects: spec.subjects,
    retention: spec.retention,
    discard: spec.discard,
    discard_new_per_subject: spec.discard === "new" && spec.maxPerSubject === 1,
    max_msgs_per_subject: spec.maxPerSubject ?? UNLIMITED,
    max_msgs: UNLIMITED,
    max_bytes: spec.maxBytes ?? UNLIMITED,
    max_msg_size: spec.maxMessageBytes ?? UNLIMITED,
    max_age: (spec.maxAgeMs ?? 0) * NANOS_PER_MS,
    allow_msg_schedules: spec.allowSchedules === true,
    allow_msg_ttl: spec.allowTtl === true,
    allow_rollup_hdrs: spec.allowRollup === true || spec.allowSchedules === true, // schedules imply it (2.14.5)
    deny_delete: spec.denyDelete === true,
    deny_purge: spec.denyPurge === true,
    allow_direct: true,
    republish: spec.republish === undefined ? null : { src: spec.republish.from, dest: spec.republish.to },
    num_replicas: replicas,
  };
}

/** The stream of a bucket, in the layout of ADR-8 (key-value) or ADR-20 (object store). */
function configOfBucket(spec: BucketSpec, replicas: number): StreamConfig {
  const isObject = spec.kind === "object";
  return {
    name: isObject ? objectStream(spec.name) : bucketStream(spec.name),
    subjects: isObject ? [`$O.${spec.name}.C.>`, `$O.${spec.name}.M.>`] : [`$KV.${spec.name}.>`],
    retention: "limits",
    discard: "new",
    discard_new_per_subject: false,
    max_msgs_per_subject: isObject ? UNLIMITED : 1,
    max_msgs: UNLIMITED,
    max_bytes: UNLIMITED,
    max_msg_size: UNLIMITED,
    max_age: spec.ttlMs * NANOS_PER_MS,
    allow_msg_schedules: false,
    allow_msg_ttl: false,
    // ADR-20 replaces a description by a roll-up; a key has one message anyway, and "all" would remove every key.
    allow_rollup_hdrs: spec.allowRollup === true,
    deny_delete: !isObject,
    deny_purge: false,
    allow_direct: spec.allowsDirect,
    republish: null,
    num_replicas: replicas,
  };
}

async function find(link: Link, name: string): Promise<Partial<StreamConfig> | null> {
  try {
    const doing = `read the configuration of ${name}`;
    const info = await request<{ config: Partial<StreamConfig> }>(link, `STREAM.INFO.${name}`, undefined, {
      doing,
      timeoutMs: FIND_TIMEOUT_MS,
    });
    return info.config;
  } catch (error) {
    if (jetStreamCode(error) === JETSTREAM_ERRORS.streamNotFound) return null;
    throw error;
  }
}

/**
 * Creates a stream and returns "created". If another process created it first, returns the configuration of that
 * stream.
 */
async function create(
  link: Link,
  config: StreamConfig,
  dedupWindowMs: number | undefined,
  reservedBytes: number,
): Promise<"created" | Partial<StreamConfig>> {
  const body = {
    ...config,
    ...(config.republish === null ? { republish: undefined } : {}),
    storage: "file",
    ...(dedupWindowMs === undefined ? {} : { duplicate_window: dedupWindowMs * NANOS_PER_MS }),
  };
  const doing = `create ${config.name}`;
  try {
    await request(link, `STREAM.CREATE.${config.name}`, body, { doing, timeoutMs: CREATE_TIMEOUT_MS });
    return "created";
  } catch (error) {
    const code = jetStreamCode(error);
    if (code === JETSTREAM_ERRORS.subjectsOverlap) {
      throw new SwarmError(
        "conflict",
        `${doing}: another stream holds one of its subjects (${config.subjects.join(", ")}): choose another prefix, or remove that stream; if it is the task stream of an earlier version, \`murmur init --apply\` corrects it`,
        { cause: error },
      );
    }
    if (isStorageShort(error)) throw await tooLittleStorage(link, { config, reservedBytes, doing, error });
    if (code === JETSTREAM_ERRORS.noPeers || code === JETSTREAM_ERRORS.notClustered) {
      throw new SwarmError(
        "unavailable",
        `${doing} with ${config.num_replicas} copies: ${(error as Error).message}: start ${config.num_replicas} servers with JetStream, or ask for fewer copies (MURMUR_REPLICAS)`,
        { cause: error, field: "replicas", retryable: code === JETSTREAM_ERRORS.noPeers },
      );
    }
    const found = code === JETSTREAM_ERRORS.streamNameInUse ? await find(link, config.name) : null;
    if (found === null) throw error;
    return found;
  }
}

/** Calls the JetStream API, at most {@link INIT_TRIES} times, until it answers with success or with a lasting error. */
async function request<T>(
  link: Link,
  path: string,
  body: unknown,
  options: { doing: string; timeoutMs: number },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await link.api<T>(path, body, options);
    } catch (error) {
      const code = jetStreamCode(error);
      const isUnanswered = error instanceof SwarmError && error.code === "unavailable" && code === undefined;
      const isWorthRetrying = isUnanswered || (code === JETSTREAM_ERRORS.noPeers && !isStorageShort(error));
      if (!isWorthRetrying || attempt === INIT_TRIES || link.state === "closed") throw error;
      await sleep(INIT_RETRY_PAUSE_MS);
    }
  }
}

/** Returns the same text for equal settings: the server omits settings that are off, and writes "no limit" as 0 or −1. */
function normalise(setting: keyof StreamConfig, value: unknown): string {
  if (setting === "subjects") return JSON.stringify([...((value as string[] | undefined) ?? [])].sort());
  if (setting === "republish") {
    const { src = "", dest = "" } = (value as { src?: string; dest?: string } | null | undefined) ?? {};
    return src === "" ? "none" : `${src} → ${dest}`;
  }
  if (typeof value === "number" || setting.startsWith("max_")) {
    return typeof value === "number" && value > 0 ? String(value) : "unlimited";
  }
  return typeof value === "string" ? value : String(value === true);
}
