// The in-memory transport: every port over one MemoryServer.
import {
  type BucketKey,
  bucketSpecs,
  type StreamKey,
  SwarmError,
  streamSpecs,
} from "../../protocol/index.ts";
import { checkBucketKey } from "../bucket-key.ts";
import { type ApiError, JETSTREAM_ERRORS } from "../jetstream-errors.ts";
import { DEFAULT_MAX_SUBJECTS } from "../limits.ts";
import type { Bucket, Log, Queue, QueueConsumer, Stored, Transport } from "../ports.ts";
import { appendHeaders } from "../stream-headers.ts";
import { createMemoryBlobs } from "./blobs.ts";
import { MemoryBucket } from "./bucket.ts";
import { createMemoryBus } from "./bus.ts";
import { MemoryConnection } from "./connection.ts";
import { makeMessage } from "./message.ts";
import { createMemoryObjects } from "./objects.ts";
import { MemoryServer } from "./server.ts";
import { MemoryStream } from "./stream.ts";

/** What an in-memory connection takes. */
export interface MemoryTransportOptions {
  /** The swarm's prefix. */
  prefix: string;
  /** The server to connect to; default one of its own. */
  server?: MemoryServer;
  /** Limits of the streams that `init` creates; see {@link streamSpecs}. */
  limits?: { taskBytes?: number; resultAgeMs?: number };
}

/** Connects to an in-memory server. Give several transports the same `server` and they form one swarm. */
export function connectMemory(options: MemoryTransportOptions): Transport {
  const { prefix, server = new MemoryServer() } = options;
  const streams = streamSpecs(prefix, options.limits);
  const buckets = bucketSpecs(prefix);
  const connection = new MemoryConnection(server);
  const streamSpec = (key: StreamKey) => streams.find((spec) => spec.key === key)!;
  const bucketSpec = (key: BucketKey) => buckets.find((spec) => spec.key === key)!;
  const blobSpec = bucketSpec("blobs");

  return {
    prefix,
    bus: createMemoryBus(connection),
    log: (key) => createMemoryLog(connection, streamSpec(key).name),
    queue: (key) => createMemoryQueue(connection, streamSpec(key).name),
    bucket: (key) => createMemoryBucket(connection, bucketSpec(key).name),
    blobs: createMemoryBlobs({
      open: () => openThing(connection, server.blobs, blobSpec.name),
      ttlMs: blobSpec.ttlMs,
      now: () => server.clock.now(),
    }),
    snapshots: createMemoryObjects({
      open: () => openThing(connection, server.blobs, bucketSpec("snapshots").name),
      now: () => server.clock.now(),
    }),
    maxPayloadBytes: server.maxPayloadBytes,
    get state() {
      return connection.state;
    },
    changeServer: () => undefined, // there is one only
    onState: (onState) => connection.onState(onState),
    async inspect() {
      connection.assertOpen("inspect");
      const look = (name: string, things: Map<string, unknown>) => ({
        name,
        problem: things.has(name) ? null : "does not exist; run `murmur init`",
      });
      return [
        ...streams.map(({ name }) => look(name, server.streams)),
        ...buckets.map(({ name, kind }) => look(name, kind === "object" ? server.blobs : server.buckets)),
      ];
    },
    async init() {
      connection.assertOpen("init");
      const created: string[] = [];
      const verified: string[] = [];
      const ensure = (name: string, things: Map<string, unknown>, create: () => void) => {
        if (things.has(name)) verified.push(name);
        else {
          create();
          created.push(name);
        }
      };
      for (const spec of streams) {
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
      return { created, verified, warnings: [] };
    },
    close: () => connection.close(),
  };
}

/** A stream or bucket that `init` created. @throws SwarmError `unavailable` when it did not, or the connection is closed. */
function openThing<T>(connection: MemoryConnection, things: Map<string, T>, name: string): T {
  connection.assertOpen(`use ${name}`);
  const thing = things.get(name);
  if (thing === undefined) {
    throw new SwarmError("unavailable", `${name} does not exist: run \`murmur init\``, {
      cause: { code: 404, err_code: JETSTREAM_ERRORS.streamNotFound } satisfies ApiError,
    });
  }
  return thing;
}

function createMemoryLog(connection: MemoryConnection, name: string): Log {
  const { server } = connection;
  const stream = () => openThing(connection, server.streams, name);
  return {
    async append(subject, data, options = {}) {
      const message = makeMessage(subject, data, appendHeaders(options));
      connection.assertOpen(`append to ${subject}`);
      connection.assertFits(message);
      server.broadcast(message); // subscribers of the subject also see what the stream refuses
      const taker = server.streamOf(subject);
      if (taker === undefined) {
        throw new SwarmError(
          "unavailable",
          `append to ${subject}: nobody listens on ${subject}; no stream takes this subject: run \`murmur init\``,
        );
      }
      return taker.append(message);
    },
    last: async (filter) => stream().last(filter),
    get: async (seq) => stream().get(seq),
    async *read(options = {}): AsyncIterable<Stored> {
      yield* stream().read(options);
    },
    async tail({ afterSeq, onStored }) {
      let open = true;
      const deliver = (stored: Stored) =>
        connection.wire.send(() => {
          if (open && connection.isOpen()) onStored(stored);
        });
      const stop = stream().tail(afterSeq, deliver);
      const close = () => {
        open = false;
        stop();
        forgetClose();
      };
      const forgetClose = connection.onClose(close);
      await connection.wire.flush();
      return { close };
    },
    subjects: async (filter, options) => stream().subjects(filter, options?.max ?? DEFAULT_MAX_SUBJECTS),
    info: async () => stream().info(),
    purge: async (options = {}) => {
      if (stream().spec.denyPurge === true) throw denied(`purge ${name}: stream purge`);
      return stream().purge(options);
    },
    delete: async (seq) => {
      if (stream().spec.denyDelete === true) throw denied(`delete message ${seq} of ${name}: message delete`);
      return stream().remove(seq);
    },
  };
}

function denied(doing: string): SwarmError {
  return new SwarmError("not_permitted", `${doing} not permitted: nobody may remove what this stream holds`);
}

function createMemoryQueue(connection: MemoryConnection, name: string): Queue {
  const stream = () => openThing(connection, connection.server.streams, name);
  const bind = (spec: { name: string; filter: string }): QueueConsumer => ({
    name: spec.name,
    filter: spec.filter,
    pull(request, sink) {
      const consumer = connection.isOpen() ? stream().consumers.get(spec.name) : undefined;
      if (consumer !== undefined) return consumer.pull(connection, request, sink);
      let ended = false;
      const end = (reason: "gone" | "lost" | "cancelled") => {
        if (!ended) sink.onEnd(reason);
        ended = true;
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
    consumers: async () =>
      [...stream().consumers.values()].map((consumer) => {
        const { pending, ackPending } = consumer.info();
        return { name: consumer.name, filter: consumer.filter, pending, ackPending };
      }),
    deleteConsumer: async (consumer) => stream().deleteConsumer(consumer),
  };
}

function createMemoryBucket(connection: MemoryConnection, name: string): Bucket {
  const bucket = () => openThing(connection, connection.server.buckets, name);
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
      let open = true;
      const deliver = (key: string, value: Uint8Array | null) =>
        connection.wire.send(() => {
          if (open && connection.isOpen()) onEntry(key, value);
        });
      for (const { key, value } of bucket().entries()) deliver(key, value);
      const stop = bucket().watch(deliver);
      const close = () => {
        open = false;
        stop();
        forgetClose();
      };
      const forgetClose = connection.onClose(close);
      await connection.wire.flush();
      return { close };
    },
  };
}
