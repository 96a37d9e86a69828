// Connects to NATS and makes the transport: credentials, the first connection, and the pace of reconnects, which never
// end. Leaves the state of the connection to link.ts.
import { readFileSync } from "node:fs";
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
  usernamePasswordAuthenticator,
} from "@nats-io/nats-core";
import {
  type BackoffPolicy,
  backoffDelayMs,
  type Logger,
  type Meter,
  redactText,
  sleep,
  systemChance,
  utf8Bytes,
  utf8Text,
} from "../../base/index.ts";
import {
  type BucketKey,
  bucketSpecs,
  DEFAULT_CLASS,
  describeServerRisk,
  placedStream,
  type StreamKey,
  type StreamLimits,
  SwarmError,
  showValue,
  streamSpecs,
} from "../../protocol/index.ts";
import { classOfKey, isPlacedKey } from "../placed-key.ts";
import type { Transport, Violation } from "../ports.ts";
import { INBOX, isInboxPrefix } from "../reply-subjects.ts";
import { createSkewLog, SwarmClock } from "../swarm-clock.ts";
import { createNatsBlobs } from "./blobs.ts";
import { createNatsBucket } from "./bucket.ts";
import { createNatsBus } from "./bus.ts";
import { toConnectError } from "./connect-error.ts";
import { Dialer } from "./dial.ts";
import { followExpiries } from "./expiry.ts";
import { checkServer, initStreams, inspectStreams, listPlacedClasses } from "./init.ts";
import { Link } from "./link.ts";
import { createNatsLog, keepLogs, readServerTime } from "./log.ts";
import { createNatsObjects } from "./objects.ts";
import { createNatsQueue } from "./queue.ts";
import { checkTlsFiles, followFiles, type RotatedFiles, tlsFiles } from "./rotation.ts";
import { SilentStreams } from "./silent-streams.ts";
import { tryPermissions } from "./trial.ts";

/** The time between pings. Two unanswered pings mean a dead connection, so 45 s at most; the client's default would take minutes. */
const DEFAULT_PING_INTERVAL_MS = 15_000;
/** The waits between attempts to make the first connection. */
const FIRST_CONNECT: BackoffPolicy = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.5 };
/** How often the wait for the first connection is logged, in ms: for a new reason, and for the same one. So at most four lines a minute. */
const WAIT_TOLD_EVERY_MS = { newReason: 15_000, sameReason: 60_000 };
/**
 * The waits between reconnects, which never end: a share of the outage so far. So a short outage ends soon, and a long
 * one does not flood the server with attempts. The jitter keeps the processes of a swarm from reconnecting all at once.
 */
const RECONNECT = { shareOfOutage: 0.25, minDelayMs: 100, maxDelayMs: 2_000, jitter: 0.5 };
/** The default time limit of one attempt to connect, handshake included. */
const CONNECT_TIMEOUT_MS = 5_000;

/** The credentials of a process. A user name, password or token in a server's URL works too. */
export type NatsCredentials =
  | { file: string }
  | { nkeyFile: string }
  | { user: string; password: string }
  | { user: string; passwordFile: string }
  | { token: string };

/** The servers, and the means to connect to them. */
export interface NatsTarget {
  /** URLs: `nats://host:4222`, `tls://host:4222`, with or without `user:password@` or `token@`. */
  servers: string | string[];
  credentials?: NatsCredentials | undefined;
  tls?: TlsOptions | undefined;
  /**
   * The start of inbox subjects, for users whose permissions require one: `_INBOX` or a subject below it, for example
   * `_INBOX.anna`, because the processes of the swarm answer no other reply subject.
   */
  inboxPrefix?: string | undefined;
}

/** The options of {@link connectNats}. */
export interface ConnectNatsOptions extends NatsTarget {
  /** The client's name on the server's monitoring pages, for example `murmur-agent echo-4k2m9x7q1z`. */
  name: string;
  /** The swarm's prefix. */
  prefix: string;
  log: Logger;
  /** Receives `murmur_nats_connected`, the state of the connection. */
  meter: Meter;
  /** True: wait for the first connection without limit, for daemons. Default: fail at once. */
  waitOnFirstConnect?: boolean | undefined;
  /** Called with the reason of each attempt that failed during that wait. */
  onWait?: ((reason: SwarmError) => void) | undefined;
  /**
   * The time between pings to the server, in ms. The connection counts as dead after two unanswered pings. Default
   * {@link DEFAULT_PING_INTERVAL_MS}; coordinators, which are few and must notice soon, use less.
   */
  pingIntervalMs?: number | undefined;
  /** The time limit of one attempt to connect to one address, handshake included, in ms. Default {@link CONNECT_TIMEOUT_MS}. */
  connectTimeoutMs?: number | undefined;
  /** After this time without an answer to appends, the link changes to another server of the cluster; in ms, default 10,000. */
  leaveAfterMs?: number | undefined;
  /** The advice about an operation that the server did not permit: errors and listeners get it. Default: none. */
  advise?: ((violation: Violation) => string | undefined) | undefined;
  /** Ends the wait for the first connection. */
  signal?: AbortSignal | undefined;
  /**
   * The copies of each stream that `init` creates, and that it requires of existing streams. Default: 3 in a cluster, 1 on
   * a single server; then existing streams with fewer copies only cause a warning.
   */
  replicas?: number | undefined;
  /**
   * The consumer that tells the server's time, for processes that may look at their own consumers only. Default: the stream of
   * delayed tasks, whose leader publishes them by its own clock.
   */
  timeOf?: { stream: StreamKey; consumer: string } | undefined;
  /** The limits of the streams, see {@link StreamLimits}; `init` with `apply` gives existing streams the ages. */
  limits?: StreamLimits | undefined;
}

/**
 * Connects to NATS. After the first connection, the transport reconnects by itself without limit.
 * @throws SwarmError `unavailable` when no server answers (without `waitOnFirstConnect`); `not_permitted` when the
 *   server rejects the credentials; `invalid_input` for a bad URL or an unreadable credentials file; the signal's
 *   reason when it aborts.
 */
export async function connectNats(options: ConnectNatsOptions): Promise<Transport> {
  const { prefix, log, meter, replicas, limits } = options;
  const streams = streamSpecs(prefix, limits, []);
  const buckets = bucketSpecs(prefix, limits);
  const streamName = (key: StreamKey) =>
    isPlacedKey(key) ? placedStream(prefix, classOfKey(key)) : streams.find((spec) => spec.key === key)!.name;
  const bucketSpec = (key: BucketKey) => buckets.find((spec) => spec.key === key)!;

  const outage: Outage = { sinceMs: undefined };
  checkInboxPrefix(options.inboxPrefix);
  const { clientOptions, rotated, user } = toClientOptions(options, outage);
  const { nc, dialer } = await openConnection(options, clientOptions);
  const link = new Link(nc, {
    dialer,
    log,
    inboxPrefix: options.inboxPrefix,
    leaveAfterMs: options.leaveAfterMs,
    user,
    advise: options.advise,
    onRequest: (op, seconds) => meter.natsRequestSeconds.observe({ op }, seconds),
  });
  outage.sinceMs = undefined;
  meter.natsConnected.set(1);
  link.onState((state) => {
    meter.natsConnected.set(state === "connected" ? 1 : 0);
    if (state !== "connected") return;
    outage.sinceMs = undefined;
    meter.natsReconnects.inc();
  });
  const rotation = followFiles(rotated, { log, onChange: () => link.reconnect() });
  link.onState((state) => {
    if (state === "closed") rotation.close();
  });
  const expiries = followExpiries({ credentialsFile: fileOf(options.credentials), tls: options.tls }, meter);
  link.onState((state) => {
    if (state === "closed") expiries.close();
  });
  link.violations.onViolation(({ operation }) => meter.natsViolations.inc({ operation }));
  link.refused.onRefused(({ kind }) => meter.repliesRefused.inc({ kind }));
  const blobs = bucketSpec("blobs");
  const { timeOf } = options;
  const timeSource =
    timeOf === undefined
      ? { stream: streamName("later") }
      : { stream: streamName(timeOf.stream), consumer: timeOf.consumer };
  const silent = new SilentStreams(log);
  /** The wanted classes, and the classes with a stream. */
  const allClasses = async (wanted: readonly string[] = [DEFAULT_CLASS]) => {
    checkServer(link);
    return [...new Set([...wanted, ...(await listPlacedClasses(link, prefix))])];
  };
  return {
    prefix,
    bus: createNatsBus(link, log),
    clock: new SwarmClock({
      readServer: () => readServerTime(link, timeSource),
      onSkew: createSkewLog(log, (skewMs) => meter.clockSkewSeconds.set(skewMs / 1_000)),
    }),
    log: keepLogs((key) => createNatsLog(link, streamName(key), silent)),
    queue: (key) => createNatsQueue(link, streamName(key)),
    bucket: (key) => createNatsBucket(link, bucketSpec(key).name),
    blobs: createNatsBlobs(link, blobs.name, blobs.ttlMs),
    snapshots: createNatsObjects(link, bucketSpec("snapshots").name),
    entries: createNatsObjects(link, bucketSpec("entries").name),
    journalAgeMs: limits?.journalAgeMs,
    get maxPayloadBytes() {
      return link.maxPayloadBytes;
    },
    get state() {
      return link.state;
    },
    changeServer: () => link.changeServer(),
    onState: (onState) => link.onState(onState),
    onReplyRefused: (onRefused) => link.refused.onRefused(onRefused),
    onViolation: (onViolation) => link.violations.onViolation(onViolation),
    placedClasses: () => listPlacedClasses(link, prefix),
    async init({ apply, classes, hasPermissions } = {}) {
      const all = await allClasses(classes);
      // The user of init has no right to the stream of a class that the permissions do not list.
      const own = hasPermissions === true ? (classes ?? [DEFAULT_CLASS]) : all;
      const specs = streamSpecs(prefix, limits, own, { hasPermissions });
      const wanted = bucketSpecs(prefix, limits, { hasPermissions });
      const report = await initStreams(link, { apply, streams: specs, buckets: wanted, replicas, prefix });
      const unlisted = all.filter((name) => !own.includes(name) && (classes ?? []).length > 0);
      report.warnings.push(...unlisted.map((name) => describeUnlisted(placedStream(prefix, name), name)));
      return report;
    },
    async inspect({ classes } = {}) {
      const specs = streamSpecs(prefix, limits, await allClasses(classes));
      return inspectStreams(link, { streams: specs, buckets, replicas });
    },
    get silentStream() {
      return silent.problem;
    },
    get serverRisk() {
      return describeServerRisk(nc.info?.version ?? "");
    },
    tryPermissions: (control, attempts) => tryPermissions(link, control, attempts),
    checkServer: () => checkServer(link),
    close: () => link.close(),
  };
}

/** The warning about a stream of placed tasks whose class `init` was not told. */
function describeUnlisted(stream: string, agentClass: string): string {
  return `stream ${stream} belongs to the class ${agentClass}, which is not listed, so it was not checked: list the class, or remove the stream when it is empty (\`nats stream rm ${stream}\`)`;
}

/** @throws SwarmError `invalid_input` for inboxes that the processes of the swarm would not answer. */
function checkInboxPrefix(prefix: string | undefined): void {
  if (prefix === undefined || isInboxPrefix(prefix)) return;
  throw new SwarmError(
    "invalid_input",
    `the inbox prefix must be ${INBOX} or begin with ${INBOX}., got ${showValue(prefix)}: the processes of the swarm answer no other reply subject; take for example ${INBOX}.anna`,
    { field: "inboxPrefix" },
  );
}

/** The time when the connection was lost; undefined while connected. */
interface Outage {
  sinceMs: number | undefined;
}

/**
 * The wait before the next reconnect. The client calls this several times for each attempt, so the wait must depend on
 * the time that has passed and not on the number of calls.
 */
function reconnectDelayMs(outage: Outage): number {
  const { shareOfOutage, minDelayMs, maxDelayMs, jitter } = RECONNECT;
  outage.sinceMs ??= Date.now();
  const delayMs = Math.max(minDelayMs, Math.min(maxDelayMs, (Date.now() - outage.sinceMs) * shareOfOutage));
  return delayMs * (1 + jitter * (2 * systemChance.next() - 1));
}

/** A connection, and the owner of its sockets. */
interface OpenConnection {
  readonly nc: NatsConnection;
  readonly dialer: Dialer;
}

/** Connects; retries when the caller wants to wait. A failed attempt leaves no socket. */
async function openConnection(
  options: ConnectNatsOptions,
  clientOptions: ConnectionOptions,
): Promise<OpenConnection> {
  const { log, signal } = options;
  let told: { message: string; atMs: number } | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryConnection(clientOptions, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      const error = toConnectError(cause, clientOptions.servers as string[]);
      if (options.waitOnFirstConnect !== true || error.code !== "unavailable") throw error;
      options.onWait?.(error);
      const { message } = error;
      const quietMs =
        told?.message === message ? WAIT_TOLD_EVERY_MS.sameReason : WAIT_TOLD_EVERY_MS.newReason;
      if (told === undefined || performance.now() - told.atMs >= quietMs) {
        told = { message, atMs: performance.now() };
        log.warn({ err: error, attempt }, "cannot connect to NATS yet; retrying");
      }
      await sleep(
        backoffDelayMs(FIRST_CONNECT, attempt, systemChance),
        signal === undefined ? {} : { signal },
      );
    }
  }
}

/** Makes one attempt. Rejects at once when the signal aborts, and destroys the sockets of the attempt. */
async function tryConnection(
  clientOptions: ConnectionOptions,
  signal: AbortSignal | undefined,
): Promise<OpenConnection> {
  signal?.throwIfAborted();
  const dialer = new Dialer();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return { nc: await Promise.race([dialer.connect(clientOptions), aborted.promise]), dialer };
  } catch (error) {
    dialer.end();
    throw signal?.aborted === true ? error : (dialer.lastError ?? error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function toClientOptions(
  options: ConnectNatsOptions,
  outage: Outage,
): { clientOptions: ConnectionOptions; rotated: RotatedFiles; user: string } {
  const servers = (typeof options.servers === "string" ? options.servers.split(",") : options.servers).map(
    parseServer,
  );
  const inUrl = servers.find((server) => server.credentials !== undefined)?.credentials;
  const credentials = options.credentials ?? inUrl;
  const tls = options.tls ?? (servers.some((server) => server.tls) ? {} : undefined);
  const authentication: Authentication =
    credentials === undefined
      ? { options: {}, files: [], check: () => undefined }
      : toAuthentication(credentials);
  const clientOptions: ConnectionOptions = {
    servers: servers.map((server) => server.address),
    name: options.name,
    noAsyncTraces: true,
    timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    pingInterval: options.pingIntervalMs ?? DEFAULT_PING_INTERVAL_MS,
    maxPingOut: 2,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => reconnectDelayMs(outage),
    waitOnFirstConnect: false, // we wait ourselves, so that the wait is logged and can be ended
    ignoreAuthErrorAbort: true, // credentials may be rotated while the process runs
    ...(tls === undefined ? {} : { tls }),
    ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
    ...authentication.options,
  };
  const rotated = {
    files: [...authentication.files, ...tlsFiles(tls ?? {})],
    check: () => {
      authentication.check();
      if (tls !== undefined) checkTlsFiles(tls);
    },
  };
  return { clientOptions, rotated, user: describeUser(credentials) };
}

function fileOf(credentials: NatsCredentials | undefined): string | undefined {
  return credentials !== undefined && "file" in credentials ? credentials.file : undefined;
}

/** The user of a connection for people; never a secret. */
function describeUser(credentials: NatsCredentials | undefined): string {
  if (credentials === undefined) return "this process, which has no user";
  if ("user" in credentials) return `the user ${credentials.user}`;
  if ("file" in credentials) return `the user of ${credentials.file}`;
  if ("nkeyFile" in credentials) return `the user of ${credentials.nkeyFile}`;
  return "the user of this token";
}

interface Server {
  address: string;
  credentials: NatsCredentials | undefined;
  tls: boolean;
}

/** Splits a URL into its parts, so that only the authenticator gets its secrets. */
function parseServer(text: string): Server {
  const trimmed = text.trim();
  const full = trimmed.includes("://") ? trimmed : `nats://${trimmed}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || url.host === "" || !["nats:", "tls:"].includes(url.protocol)) {
    throw new SwarmError(
      "invalid_input",
      `server must be nats://host:port or tls://host:port, got ${JSON.stringify(redactText(trimmed))}`,
      { field: "server" },
    );
  }
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  const credentials = user === "" ? undefined : password === "" ? { token: user } : { user, password };
  return { address: url.host, credentials, tls: url.protocol === "tls:" };
}

/** The client options of some credentials, and the files that they are read from. */
interface Authentication {
  readonly options: Partial<ConnectionOptions>;
  readonly files: readonly string[];
  /** @throws for a file that cannot be used. */
  check(): void;
}

function toAuthentication(credentials: NatsCredentials): Authentication {
  if ("file" in credentials) return fromFile(credentials.file, credsAuthenticator);
  if ("nkeyFile" in credentials)
    return fromFile(credentials.nkeyFile, (contents) => nkeyAuthenticator(contents.subarray(0, -1)));
  if ("passwordFile" in credentials) {
    const { user, passwordFile } = credentials;
    return fromFile(passwordFile, (contents) =>
      usernamePasswordAuthenticator(user, utf8Text(contents).trim()),
    );
  }
  const options =
    "token" in credentials
      ? { token: credentials.token }
      : { user: credentials.user, pass: credentials.password };
  return { options, files: [], check: () => undefined };
}

/** Reads the file at every connection, so that the next one uses rotated credentials. Reports an unusable file now. */
function fromFile(file: string, make: (contents: Uint8Array) => Authenticator): Authentication {
  const refuse = (why: string, cause: unknown) =>
    new SwarmError("invalid_input", `the credentials file ${file} ${why}`, { field: "credentials", cause });
  const authenticate: Authenticator = (nonce) => {
    let text: string;
    try {
      text = readFileSync(file, "utf8").trim(); // editors and `echo` leave a line end
    } catch (cause) {
      throw refuse(`cannot be read (${(cause as NodeJS.ErrnoException).code ?? "unknown"})`, cause);
    }
    if (text === "") throw refuse("is empty", undefined);
    try {
      return make(utf8Bytes(`${text}\n`))(nonce);
    } catch (cause) {
      throw refuse(`holds no usable credentials: ${(cause as Error).message}`, cause);
    }
  };
  const check = () => void authenticate("");
  check();
  return { options: { authenticator: authenticate }, files: [file], check };
}
