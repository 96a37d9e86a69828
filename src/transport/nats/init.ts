// Creates the swarm's streams and buckets from their definitions and verifies those that exist. Changes nothing that
// is there: an operator's stream with another meaning is reported, never rewritten.
// I1: whatever correctness rests on is compared; what only sizes a stream (bytes, age) is the operator's, and so are
//     copies unless their number was asked for.
import { sleep } from "../../base/index.ts";
import { type BucketSpec, type StreamSpec, SwarmError } from "../../protocol/index.ts";
import { JETSTREAM_ERRORS, jetStreamCode } from "../jetstream-errors.ts";
import { objectStream } from "./blobs.ts";
import { bucketStream } from "./bucket.ts";
import type { Link } from "./link.ts";

/** The oldest server: message schedules and per-message TTL came with 2.12. */
const MINIMUM_VERSION = [2, 12] as const;
const NANOS_PER_MS = 1_000_000;
/** Creating a replicated stream waits for its group's first election. */
const CREATE_TIMEOUT_MS = 10_000;
const FIND_TIMEOUT_MS = 3_000;
/**
 * A cluster that has just started, or changes its leader, never answers some requests, and may take servers for absent.
 * All that is asked here may be repeated: JetStream answers a repeated creation with the same settings like the first.
 */
const TRIES = 3;
/** The pause before another try, in ms: servers know each other within a second of their start (measured). */
const TRY_PAUSE_MS = 1_000;
/** Copies of each stream in a cluster, when nobody says otherwise: one server may be lost, and nothing with it. */
const CLUSTER_REPLICAS = 3;
/** No limit, in JetStream's words. */
const UNLIMITED = -1;

/** The part of a JetStream stream configuration that we write and compare. */
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

/** Settings that correctness rests on, in every stream. */
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

/** Limits that drop schedules silently: a stream with schedules must have none of them (measured on 2.14.5). */
const LIMITS = [
  "max_msgs",
  "max_bytes",
  "max_age",
  "max_msg_size",
] as const satisfies readonly (keyof StreamConfig)[];

/**
 * Creates what is missing and verifies the rest.
 * @param options.replicas copies of each stream; undefined: {@link CLUSTER_REPLICAS} in a cluster, 1 on a single server,
 *   and those that exist are only told of when they have another number.
 * @throws SwarmError `unavailable`: the server is older than 2.12, has no JetStream or too little storage;
 *   `conflict`: a stream exists with another setting, or another stream holds the subjects.
 */
export async function initStreams(
  link: Link,
  options: { streams: StreamSpec[]; buckets: BucketSpec[]; replicas: number | undefined },
): Promise<{ created: string[]; verified: string[]; warnings: string[] }> {
  checkServer(link);
  const replicas = options.replicas ?? (link.nc.info?.cluster === undefined ? 1 : CLUSTER_REPLICAS);
  const created: string[] = [];
  const verified: string[] = [];
  const warnings: string[] = [];
  const ensure = async (shownName: string, config: StreamConfig, dedupWindowMs: number | undefined) => {
    const found = (await find(link, config.name)) ?? (await create(link, config, dedupWindowMs));
    if (found === "created") created.push(shownName);
    else {
      verify(config, found);
      if (options.replicas !== undefined) compare(config, found, "num_replicas");
      else warnings.push(...findFewCopies(config, found));
      verified.push(shownName);
    }
  };
  for (const spec of options.streams) await ensure(spec.name, configOf(spec, replicas), spec.dedupWindowMs);
  for (const spec of options.buckets) await ensure(spec.name, configOfBucket(spec, replicas), undefined);
  return { created, verified, warnings };
}

/** Fewer copies than the cluster could hold: no error, for the operator may want it, but nothing to be silent about. */
function findFewCopies({ name, num_replicas: wanted }: StreamConfig, found: Partial<StreamConfig>): string[] {
  const { num_replicas: copies = 1 } = found;
  if (copies >= wanted) return [];
  return [
    `stream ${name} has ${copies} of ${wanted} copies: \`nats stream edit ${name} --replicas ${wanted}\` makes more`,
  ];
}

/**
 * Compares what exists with its definition and changes nothing.
 * @throws SwarmError `unavailable`: the server is older than 2.12, has no JetStream, or does not answer.
 */
export async function inspectStreams(
  link: Link,
  options: { streams: StreamSpec[]; buckets: BucketSpec[]; replicas: number | undefined },
): Promise<{ name: string; problem: string | null }[]> {
  checkServer(link);
  const { replicas = 1 } = options;
  const expected = [
    ...options.streams.map((spec) => ({ name: spec.name, config: configOf(spec, replicas) })),
    ...options.buckets.map((spec) => ({ name: spec.name, config: configOfBucket(spec, replicas) })),
  ];
  return Promise.all(
    expected.map(async ({ name, config }) => {
      const found = await find(link, config.name);
      if (found === null) return { name, problem: "does not exist; run `murmur init`" };
      try {
        verify(config, found);
        if (options.replicas !== undefined) compare(config, found, "num_replicas");
        return { name, problem: null };
      } catch (error) {
        return { name, problem: (error as Error).message };
      }
    }),
  );
}

function checkServer(link: Link): void {
  const info = link.nc.info;
  const [major = 0, minor = 0] = (info?.version ?? "").split(".").map(Number);
  if (major < MINIMUM_VERSION[0] || (major === MINIMUM_VERSION[0] && minor < MINIMUM_VERSION[1])) {
    throw new SwarmError(
      "unavailable",
      `nats-server is ${info?.version ?? "of unknown version"}; Murmur needs ${MINIMUM_VERSION.join(".")} or newer (delayed messages, per-message TTL): upgrade the server`,
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

/** The layouts of ADR-8 (key-value) and ADR-20 (object store). */
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
    allow_direct: false, // reads must see every finished write: only the leader answers
    republish: null,
    num_replicas: replicas,
  };
}

async function find(link: Link, name: string): Promise<Partial<StreamConfig> | null> {
  try {
    const doing = `look at ${name}`;
    const info = await ask<{ config: Partial<StreamConfig> }>(link, `STREAM.INFO.${name}`, undefined, {
      doing,
      timeoutMs: FIND_TIMEOUT_MS,
    });
    return info.config;
  } catch (error) {
    if (jetStreamCode(error) === JETSTREAM_ERRORS.streamNotFound) return null;
    throw error;
  }
}

/** Creates a stream, or finds the one that another process created in the same moment. */
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
    await ask(link, `STREAM.CREATE.${config.name}`, body, { doing, timeoutMs: CREATE_TIMEOUT_MS });
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

/** Calls the API until it answers, whatever that is, at most {@link TRIES} times. */
async function ask<T>(
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
      const mayHelp = isUnanswered || code === JETSTREAM_ERRORS.noPeers;
      if (!mayHelp || attempt === TRIES || link.state === "closed") throw error;
      await sleep(TRY_PAUSE_MS);
    }
  }
}

/** @throws SwarmError `conflict` naming stream, setting, expected and found value. */
function verify(expected: StreamConfig, found: Partial<StreamConfig>): void {
  for (const setting of COMPARED) compare(expected, found, setting);
  if (expected.allow_msg_schedules) for (const limit of LIMITS) compare(expected, found, limit);
}

function compare(expected: StreamConfig, found: Partial<StreamConfig>, setting: keyof StreamConfig): void {
  const wanted = normalise(setting, expected[setting]);
  const came = normalise(setting, found[setting]);
  if (wanted === came) return;
  throw new SwarmError(
    "conflict",
    `stream ${expected.name}: ${setting} must be ${wanted}, found ${came}: correct it with \`nats stream edit\`, or remove the stream when it is not this swarm's`,
    { field: setting },
  );
}

/** One text for equal settings: the server leaves out what is off, and writes "no limit" as 0 or −1. */
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
