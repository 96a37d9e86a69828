// The in-memory transport: implements every port on a MemoryServer.
import {
  type BucketKey,
  type BucketSpec,
  bucketSpecs,
  classOfStream,
  DEFAULT_CLASS,
  placedStream,
  type StreamKey,
  type StreamLimits,
  type StreamSpec,
  SwarmError,
  streamSpecs,
} from "../../protocol/index.ts";
import { checkBucketKey } from "../bucket-key.ts";
import { type ApiError, JETSTREAM_ERRORS } from "../jetstream-errors.ts";
import { DEFAULT_MAX_SUBJECTS } from "../limits.ts";
import { classOfKey, isPlacedKey } from "../placed-key.ts";
import type { Bucket, Log, Queue, QueueConsumer, Stored, Transport } from "../ports.ts";
import { appendHeaders } from "../stream-headers.ts";
import { SwarmClock } from "../swarm-clock.ts";
import { createMemoryBlobs } from "./blobs.ts";
import { MemoryBucket } from "./bucket.ts";
import { createMemoryBus } from "./bus.ts";
import { MemoryConnection } from "./connection.ts";
import { makeMessage } from "./message.ts";
import { createMemoryObjects } from "./objects.ts";
import { MemoryServer } from "./server.ts";
import { MemoryStream } from "./stream.ts";

/** The options of {@link connectMemory}. */
export interface MemoryTransportOptions {
  /** The swarm's prefix. */
  prefix: string;
  /** The server to connect to; default a new one. */
  server?: MemoryServer;
  /** Limits of the streams that `init` creates; see {@link streamSpecs}. */
  limits?: StreamLimits | undefined;
}

/** Connects to an in-memory server. Several transports with the same `server` and prefix form one swarm. */
export function connectMemory(options: MemoryTransportOptions): Transport {
  const { prefix, server = new MemoryServer() } = options;
  const streams = streamSpecs(prefix, options.limits, []);
  const nameOf = (key: StreamKey) =>
    isPlacedKey(key) ? placedStream(prefix, classOfKey(key)) : streamSpec(key).name;
  const placedClasses = () =>
    [...server.streams.keys()].flatMap((name) => classOfStream(prefix, name) ?? []).sort();
  const specsFor = (classes: readonly string[] = [DEFAULT_CLASS], hasPermissions?: boolean) =>
    streamSpecs(prefix, options.limits, [...new Set([...classes, ...placedClasses()])], { hasPermissions });
  const buckets = bucketSpecs(prefix, options.limits);
  const connection = new MemoryConnection(server);
  const streamSpec = (key: StreamKey) => streams.find((spec) => spec.key === key)!;
  const bucketSpec = (key: BucketKey) => buckets.find((spec) => spec.key === key)!;
  const blobSpec = bucketSpec("blobs");

  return {
    prefix,
    bus: createMemoryBus(connection),
    clock: new SwarmClock({ readServer: async () => server.clock.now() }),
    log: (key) => createMemoryLog(connection, nameOf(key)),
    queue: (key) => createMemoryQueue(connection, nameOf(key)),
    bucket: (key) => createMemoryBucket(connection, bucketSpec(key).name),
    blobs: createMemoryBlobs({
      open: () => openStore(connection, server.blobs, blobSpec.name),
      ttlMs: blobSpec.ttlMs,
      now: () => server.clock.now(),
    }),
    snapshots: createMemoryObjects({
      open: () => openStore(connection, server.blobs, bucketSpec("snapshots").name),
      now: () => server.clock.now(),
    }),
    entries: createMemoryObjects({
      open: () => openStore(connection, server.blobs, bucketSpec("entries").name),
      now: () => server.clock.now(),
    }),
    maxPayloadBytes: server.maxPayloadBytes,
    journalAgeMs: options.limits?.journalAgeMs,
    get state() {
      return connection.state;
    },
    changeServer: () => undefined, // there is only one server
    onState: (onState) => connection.onState(onState),
    onReplyRefused: (onRefused) => connection.refused.onRefused(onRefused),
    onViolation: () => ({ close: () => undefined }), // the memory has no permissions
    async placedClasses() {
      connection.assertOpen("list the streams of placed tasks");
      return placedClasses();
    },
    async inspect({ classes } = {}) {
      connection.assertOpen("inspect");
      const checkStore = ({ key, name }: StreamSpec | BucketSpec, stores: Map<string, unknown>) => {
        const exists = stores.has(name);
        return {
          key,
          name,
          exists,
          problem: exists ? null : "does not exist; run `murmur init`",
          advice: [],
        };
      };
      return [
        ...specsFor(classes).map((spec) => checkStore(spec, server.streams)),
        ...buckets.map((spec) => checkStore(spec, spec.kind === "object" ? server.blobs : server.buckets)),
      ];
    },
    serverRisk: null,
    silentStream: null,
    tryPermissions: async (_control, attempts) => attempts.map(() => "allowed"),
    checkServer: () => undefined, // this server is always new enough
    async init({ classes, hasPermissions } = {}) {
      connection.assertOpen("init");
      const created: string[] = [];
      const verified: string[] = [];
      const ensure = (name: string, stores: Map<string, unknown>, create: () => void) => {
        if (stores.has(name)) verified.push(name);
        else {
          create();
          created.push(name);
        }
      };
      for (const spec of specsFor(classes, hasPermissions)) {
        ensure(spec.name, server.streams, () =>
          server.streams.set(
            spec.name,
            new MemoryStream(spec, server.timers, (message) => server.broadcast(message)),
          ),
        );
      }
      for (const spec of buckets) {
        if (spec.kind === "object")
          ensure(spec.name, server.blobs, () => server.blobs.set(spec.name, new Map()));
        else
          ensure(spec.name, server.buckets, () =>
            server.buckets.set(spec.name, new MemoryBucket(spec, server.timers)),
          );
      }
      return { created, applied: [], verified, differences: [], warnings: [] }; // no earlier version made these streams
    },
    close: () => connection.close(),
  };
}

/** Returns a stream or bucket. @throws SwarmError `unavailable` when `init` has not created it, or the connection is closed. */
function openStore<T>(connection: MemoryConnection, stores: Map<string, T>, name: string): T {
  connection.assertOpen(`use ${name}`);
  const store = stores.get(name);
  if (store === undefined) {
    throw new SwarmError("unavailable", `${name} does not exist: run \`murmur init\``, {
      cause: { code: 404, err_code: JETSTREAM_ERRORS.streamNotFound } satisfies ApiError,
    });
  }
  return store;
}

function createMemoryLog(connection: MemoryConnection, name: string): Log {
  const { server } = connection;
  const stream = () => openStore(connection, server.streams, name);
  return {
    async append(subject, data, options = {}) {
      const message = makeMessage(subject, data, appendHeaders(options));
      connection.assertOpen(`append to ${subject}`);
      connection.assertFits(message);
      server.broadcast(message); // subscribers of the subject also see messages that the stream rejects
      const taker = server.streamOf(subject);
      if (taker === undefined) {
        throw new SwarmError(
          "unavailable",
          `append to ${subject}: no stream takes this subject: run \`murmur init\``,
        );
      }
      return taker.append(message);
    },
    last: async (filter) => stream().last(filter),
    get: async (seq) => stream().get(seq),
    async next(filter, fromSeq) {
      for (const stored of stream().read({ filter, fromSeq, limit: 1 })) return stored;
      return null;
    },
    async *read(options = {}): AsyncIterable<Stored> {
      yield* stream().read(options);
    },
    async tail({ afterSeq, onStored }) {
      let isOpen = true;
      const deliver = (stored: Stored) =>
        connection.wire.send(() => {
          if (isOpen && connection.isOpen()) onStored(stored);
        });
      const stop = stream().tail(afterSeq, deliver);
      const close = () => {
        isOpen = false;
        stop();
        stopWatchingClose();
      };
      const stopWatchingClose = connection.onClose(close);
      await connection.wire.flush();
      return { close };
    },
    async lasts({ filter, max, onLast }) {
      const found = stream().lasts(filter);
      for (const stored of found.slice(0, max)) onLast(stored);
      return found.length > max;
    },
    subjects: async (filter, options) => stream().subjects(filter, options?.max ?? DEFAULT_MAX_SUBJECTS),
    info: async () => stream().info(),
    purge: async (options = {}) => {
      if (stream().spec.denyPurge === true) throw createDeniedError(`purge ${name}: stream purge`);
      return stream().purge(options);
    },
    delete: async (seq) => {
      if (stream().spec.denyDelete === true)
        throw createDeniedError(`delete message ${seq} of ${name}: message delete`);
      return stream().remove(seq);
    },
  };
}

function createDeniedError(doing: string): SwarmError {
  return new SwarmError("not_permitted", `${doing} not permitted: this stream does not allow removals`);
}

function createMemoryQueue(connection: MemoryConnection, name: string): Queue {
  const stream = () => openStore(connection, connection.server.streams, name);
  const bind = (spec: { name: string; filter: string }): QueueConsumer => ({
    name: spec.name,
    filter: spec.filter,
    pull(request, sink) {
      const consumer = connection.isOpen() ? stream().consumers.get(spec.name) : undefined;
      if (consumer !== undefined) return consumer.pull(connection, request, sink);
      let isEnded = false;
      const end = (reason: "gone" | "lost" | "cancelled") => {
        if (!isEnded) sink.onEnd(reason);
        isEnded = true;
      };
      connection.wire.send(() => end(connection.isOpen() ? "gone" : "lost"));
      return { remaining: request.max, cancel: () => end("cancelled") };
    },
    info: async () => stream().consumers.get(spec.name)?.info() ?? null,
  });
  return {
    async consumer(spec) {
      stream().consumer(spec);
      return bind(spec);
    },
    async existing(spec) {
      const found = stream().consumers.get(spec.name);
      if (found === undefined) return null;
      if (found.filter === spec.filter) return bind(spec);
      throw new SwarmError(
        "conflict",
        `consumer ${spec.name} must have the filter ${spec.filter}, found ${found.filter}`,
        { field: "filter" },
      );
    },
    consumers: async () =>
      [...stream().consumers.values()].map((consumer) => {
        const { pending, ackPending } = consumer.info();
        const { name, filter, deliveredSeq, pausedUntilMs } = consumer;
        return { name, filter, pending, ackPending, deliveredSeq, pausedUntilMs };
      }),
    deleteConsumer: async (consumer) => stream().deleteConsumer(consumer),
    async pauseConsumer(name, untilMs) {
      const consumer = stream().consumers.get(name);
      consumer?.pause(untilMs);
      return consumer !== undefined;
    },
  };
}

function createMemoryBucket(connection: MemoryConnection, name: string): Bucket {
  const bucket = () => openStore(connection, connection.server.buckets, name);
  const at = <T>(key: string, use: (bucket: MemoryBucket) => T): T => {
    checkBucketKey(key);
    return use(bucket());
  };
  return {
    get: async (key) => at(key, (open) => open.get(key)),
    put: async (key, value) => at(key, (open) => open.put(key, value)),
    update: async (key, value, revision) => at(key, (open) => open.update(key, value, revision)),
    delete: async (key) => at(key, (open) => open.delete(key)),
    keys: async () =>
      bucket()
        .entries()
        .map(({ key }) => key),
    async watch(onEntry) {
      let isOpen = true;
      const deliver = (key: string, value: Uint8Array | null) =>
        connection.wire.send(() => {
          if (isOpen && connection.isOpen()) onEntry(key, value);
        });
      for (const { key, value } of bucket().entries()) deliver(key, value);
      const stop = bucket().watch(deliver);
      const close = () => {
        isOpen = false;
        stop();
        stopWatchingClose();
      };
      const stopWatchingClose = connection.onClose(close);
      await connection.wire.flush();
      return { close };
    },
  };
}
