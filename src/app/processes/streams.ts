// The streams of the swarm at the start of a process: one kind of process creates them, all wait for them and check them.
import { type Logger, sleep } from "../../base/index.ts";
import { foundOffice } from "../../coordinator/index.ts";
import { PRIORITIES, type StreamKey, toSwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { placedConsumer } from "../../work/index.ts";
import type { Check } from "../http/readiness.ts";

/** How often a process looks for missing streams, in ms. */
const STREAMS_POLL_MS = 100;

/** Creates missing streams and buckets. When the control log cannot begin, tasks still flow: it logs that, and coordinators wait. */
export async function initSwarm(transport: Transport, log: Logger): Promise<void> {
  const { warnings } = await transport.init();
  for (const warning of warnings) log.warn(warning);
  await foundOffice(transport).catch((error: unknown) =>
    log.error(
      { err: error, alert: "control_log" },
      "control log not begun; coordinators wait for it, tasks flow without them",
    ),
  );
}

/** The streams that every process needs. */
const STREAMS: readonly StreamKey[] = ["tasks", "later", "results", "journal", "dead"];

/** Waits until `murmur init`, or the api process of `up`, has created the streams and buckets. */
export async function waitForStreams(transport: Transport, log: Logger, signal: AbortSignal): Promise<void> {
  for (let isLogged = false; ; ) {
    const missing = (await findMissingStream(transport)) ?? (await findMissingBucket(transport));
    if (missing === null) return;
    if (!isLogged)
      log.warn(
        { stream: missing.name, problem: missing.problem },
        "waiting for a missing stream or bucket; murmur init creates it",
      );
    isLogged = true;
    await sleep(STREAMS_POLL_MS, { signal });
  }
}

interface Missing {
  readonly name: string;
  readonly problem: string;
}

async function findMissingStream(transport: Transport): Promise<Missing | null> {
  for (const stream of STREAMS) {
    try {
      await transport.log(stream).info();
    } catch (error) {
      const failure = toSwarmError(error);
      if (failure.code !== "unavailable" && failure.code !== "not_found") throw error;
      return { name: stream, problem: failure.message };
    }
  }
  return null;
}

/**
 * The buckets that every process needs. Each is read in the way of its users, so that a process needs no further permission
 * for the look. A missing key or blob is an answer: the bucket exists.
 */
const BUCKETS: readonly { name: string; look(transport: Transport): Promise<unknown> }[] = [
  { name: "limits", look: (transport) => transport.bucket("limits").get("none") },
  { name: "cancelled", look: (transport) => transport.bucket("cancelled").get("none") },
  { name: "blobs", look: (transport) => transport.blobs.get({ $blob: "0".repeat(64), bytes: 0 }) },
];

async function findMissingBucket(transport: Transport): Promise<Missing | null> {
  for (const { name, look } of BUCKETS) {
    try {
      await look(transport);
    } catch (error) {
      const failure = toSwarmError(error);
      if (failure.code === "not_found") continue;
      if (failure.code !== "unavailable") throw error;
      return { name, problem: failure.message };
    }
  }
  return null;
}

/** The check that all streams exist. */
export function streamsCheck(transport: Transport): Check {
  return {
    name: "streams",
    async ask() {
      const missing = await findMissingStream(transport);
      return missing === null ? null : `${missing.problem}; murmur init creates it`;
    },
  };
}

/** The check that the consumers of an agent process exist: those of its capabilities, and its placed queue. */
export function consumersCheck(transport: Transport, capabilities: readonly string[], hostId: string): Check {
  return {
    name: "consumers",
    async ask() {
      const names = new Set((await transport.queue("tasks").consumers()).map(({ name }) => name));
      const queues = capabilities.flatMap((capability) =>
        PRIORITIES.map((priority) => `${capability}-${priority}`),
      );
      const wanted = [...queues, placedConsumer(hostId)];
      const missing = wanted.filter((name) => !names.has(name));
      if (missing.length === 0) return null;
      return `missing: ${missing.join(", ")}; the process creates its consumers when it starts, so restart it`;
    },
  };
}
