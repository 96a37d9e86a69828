// Creates the missing streams and buckets of the swarm from their definitions, and verifies the existing ones. A difference
// is an error that the operator must correct. connect.ts offers it as `Transport.init` and `Transport.inspect`.
// I1: this file compares every setting that correctness depends on. The operator decides the sizes (bytes, age), except
//     in a stream with schedules, and the number of copies, unless the caller asked for a number.
// I2: it changes an existing stream only when the caller asks for it (`update`), and then only its subjects, from those of
//     an earlier version to those of this version, and an age that is fixed in the definition. Stored messages stay, also
//     on subjects that the stream no longer takes; only a shorter age removes the messages that are older.
import { sleep } from "../../base/index.ts";
import {
  type BucketSpec,
  isServerSupported,
  OLDEST_SERVER,
  type StreamSpec,
  SwarmError,
} from "../../protocol/index.ts";
import { JETSTREAM_ERRORS, jetStreamCode } from "../jetstream-errors.ts";
import type { InitReport } from "../ports.ts";
import { objectStream } from "./blobs.ts";
import { bucketStream } from "./bucket.ts";
import type { Link } from "./link.ts";

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

/**
 * Creates the missing streams and buckets, and verifies the existing ones.
 * @param options.replicas the copies of each stream. Undefined: {@link CLUSTER_REPLICAS} in a cluster, 1 on a single
 *   server; then an existing stream with fewer copies only causes a warning.
 * @throws SwarmError `unavailable`: the server is older than 2.12, has no JetStream or too little storage;
 *   `conflict`: a stream exists with another setting, or another stream holds the subjects.
 */
export async function initStreams(
  link: Link,
  options: {
    streams: StreamSpec[];
    buckets: BucketSpec[];
    replicas: number | undefined;
    /** Makes the changes that {@link findChanges} proposes (I2). */
    update?: boolean | undefined;
  },
): Promise<InitReport> {
  checkServer(link);
  const replicas = options.replicas ?? (link.nc.info?.cluster === undefined ? 1 : CLUSTER_REPLICAS);
  const report: InitReport = { created: [], updated: [], verified: [], warnings: [] };
  const ensure = async (
    shownName: string,
    config: StreamConfig,
    spec: Changeable & { dedupWindowMs?: number | undefined },
  ) => {
    const found = (await find(link, config.name)) ?? (await create(link, config, spec.dedupWindowMs));
    if (found === "created") {
      report.created.push(shownName);
      return;
    }
    const changes = findChanges(config, found, spec);
    verify(config, { ...found, ...changes.config });
    if (options.replicas !== undefined) compare(config, found, "num_replicas");
    else report.warnings.push(...findFewCopies(config, found));
    if (changes.advice.length > 0 && options.update === true) {
      await update(link, found, { ...changes.config, name: config.name });
      report.updated.push(shownName);
      return;
    }
    report.warnings.push(
      ...changes.advice.map((advice) => `stream ${config.name} ${advice}; ${UPDATE_HINT}`),
    );
    report.verified.push(shownName);
  };
  for (const spec of options.streams) await ensure(spec.name, configOf(spec, replicas), spec);
  for (const spec of options.buckets) await ensure(spec.name, configOfBucket(spec, replicas), spec);
  return report;
}

/** The next step for a stream with changes that wait. */
const UPDATE_HINT = "when all processes of the swarm run this version, `murmur init --update` corrects it";

/** The parts of a definition that `update` may bring to an existing stream (I2). */
type Changeable = Pick<StreamSpec, "olderSubjects" | "hasFixedAge">;

/** The changes of an existing stream that `update` makes, and a clause about the stream for each of them. */
function findChanges(
  wanted: StreamConfig,
  found: Partial<StreamConfig>,
  { olderSubjects, hasFixedAge }: Changeable,
): { config: Partial<StreamConfig>; advice: string[] } {
  const config: Partial<StreamConfig> = {};
  const advice: string[] = [];
  const subjects = normalise("subjects", found.subjects);
  if (
    subjects !== normalise("subjects", wanted.subjects) &&
    subjects === normalise("subjects", olderSubjects)
  ) {
    config.subjects = wanted.subjects;
    advice.push(
      "has the subjects of an earlier version, so it also acknowledges messages that no process takes",
    );
  }
  const age = normalise("max_age", found.max_age);
  if (hasFixedAge === true && age !== normalise("max_age", wanted.max_age)) {
    config.max_age = wanted.max_age;
    advice.push(`keeps messages ${showAge(found.max_age)}, and the wanted age is ${showAge(wanted.max_age)}`);
  }
  return { config, advice };
}

function showAge(nanos: number | undefined): string {
  if (nanos === undefined || nanos <= 0) return "for ever";
  return `${Number((nanos / NANOS_PER_MS / MS_PER_DAY).toFixed(2))} days`;
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
): Promise<{ name: string; problem: string | null; advice: readonly string[] }[]> {
  checkServer(link);
  const { replicas = 1 } = options;
  const expected: { spec: { name: string } & Changeable; config: StreamConfig }[] = [
    ...options.streams.map((spec) => ({ spec, config: configOf(spec, replicas) })),
    ...options.buckets.map((spec) => ({ spec, config: configOfBucket(spec, replicas) })),
  ];
  return Promise.all(
    expected.map(async ({ spec, config }) => {
      const { name } = spec;
      const found = await find(link, config.name);
      if (found === null) return { name, problem: "does not exist; run `murmur init`", advice: [] };
      const changes = findChanges(config, found, spec);
      try {
        verify(config, { ...found, ...changes.config });
        if (options.replicas !== undefined) compare(config, found, "num_replicas");
        return { name, problem: null, advice: changes.advice };
      } catch (error) {
        return { name, problem: (error as Error).message, advice: [] };
      }
    }),
  );
}

function checkServer(link: Link): void {
  const info = link.nc.info;
  const [major = 0, minor = 0] = (info?.version ?? "").split(".").map(Number);
  if (!isServerSupported(major, minor)) {
    throw new SwarmError(
      "unavailable",
      `nats-server is ${info?.version ?? "an unknown version"}; Murmur needs ${OLDEST_SERVER} or newer (delayed messages, per-message TTL): upgrade the server`,
    );
  }
  if (info?.jetstream !== true) {
    throw new SwarmError(
      "unavailable",
      "nats-server runs without JetStream: start it with -js, or with jetstream { store_dir: … } in its configuration",
    );
  }
}

function configOf(spec: StreamSpec, replicas: number): StreamConfig {
  return {
    name: spec.name,
    subjects: spec.subjects,
    retention: spec.retention,
    discard: spec.discard,
    discard_new_per_subject: spec.discard === "new" && spec.maxPerSubject !== undefined,
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
    allow_rollup_hdrs: true,
    deny_delete: !isObject,
    deny_purge: false,
    allow_direct: false, // reads must see every finished write, so only the leader may answer
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
        `${doing}: another stream holds one of its subjects (${config.subjects.join(", ")}): choose another prefix, or remove that stream`,
        { cause: error },
      );
    }
    if (code === JETSTREAM_ERRORS.noPeers || code === JETSTREAM_ERRORS.notClustered) {
      throw new SwarmError(
        "unavailable",
        `${doing} with ${config.num_replicas} copies: ${(error as Error).message}: start ${config.num_replicas} servers with JetStream, or ask for fewer copies (MURMUR_REPLICAS)`,
        { cause: error, field: "replicas" },
      );
    }
    if (code === JETSTREAM_ERRORS.storageExceeded) {
      throw new SwarmError(
        "unavailable",
        `${doing}: the server has too little JetStream storage left for its ${config.max_bytes} bytes: raise max_file_store, or give the stream a lower limit`,
        { cause: error },
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
      const isWorthRetrying = isUnanswered || code === JETSTREAM_ERRORS.noPeers;
      if (!isWorthRetrying || attempt === INIT_TRIES || link.state === "closed") throw error;
      await sleep(INIT_RETRY_PAUSE_MS);
    }
  }
}

/** Compares the settings. @throws SwarmError `conflict` with stream, setting, expected and found value. */
function verify(expected: StreamConfig, found: Partial<StreamConfig>): void {
  for (const setting of COMPARED) compare(expected, found, setting);
  if (expected.allow_msg_schedules) for (const limit of LIMITS) compare(expected, found, limit);
}

function compare(expected: StreamConfig, found: Partial<StreamConfig>, setting: keyof StreamConfig): void {
  const wanted = normalise(setting, expected[setting]);
  const actual = normalise(setting, found[setting]);
  if (wanted === actual) return;
  throw new SwarmError(
    "conflict",
    `stream ${expected.name}: ${setting} must be ${wanted}, found ${actual}: correct it with \`nats stream edit\`, or remove the stream if it does not belong to this swarm`,
    { field: setting },
  );
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
