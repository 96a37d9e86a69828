// The streams of the swarm, as its processes meet them: created by one kind of process, waited for and checked by all.
import { type Logger, sleep, systemClock } from "../../base/index.ts";
import { foundOffice } from "../../coordinator/index.ts";
import { PRIORITIES, type StreamKey, toSwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { placedConsumer } from "../../work/index.ts";
import type { Check } from "../http/probes.ts";

/** How often a process looks for streams that are not there yet. */
const STREAMS_POLL_MS = 100;
/** How long an answer to "are the consumers there?" is believed; kubelet asks every few seconds. */
const CONSUMERS_CACHE_MS = 5_000;

/** Creates what is missing. A control log that cannot begin stops no task: it is told, and coordinators wait for it. */
export async function initSwarm(transport: Transport, log: Logger): Promise<void> {
  const { warnings } = await transport.init();
  for (const warning of warnings) log.warn(warning);
  await foundOffice(transport).catch((error: unknown) =>
    log.error(
      { err: error, alert: "control_log" },
      "the control log cannot begin; there will be no coordinator",
    ),
  );
}

/** The streams that every process needs before it can do anything. */
const STREAMS: readonly StreamKey[] = ["tasks", "later", "results", "journal", "dead"];

/** Waits for whoever creates streams and buckets (`murmur init`, the api of `up`): only one kind of process may do that. */
export async function waitForStreams(transport: Transport, log: Logger, signal: AbortSignal): Promise<void> {
  for (let told = false; ; ) {
    const missing = (await findMissingStream(transport)) ?? (await findMissingBucket(transport));
    if (missing === null) return;
    if (!told)
      log.warn(
        { stream: missing.name, problem: missing.problem },
        "waiting for the streams; murmur init creates them",
      );
    told = true;
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
 * The buckets that every process needs, each looked at as its users do, so that no right is needed that they have not. A
 * key or a blob that is not there is an answer.
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

/** Ready only with the streams. */
export function streamsCheck(transport: Transport): Check {
  return {
    name: "streams are there",
    run: cached(async () => (await findMissingStream(transport))?.problem ?? null),
  };
}

/** An agent process is ready only with the consumers of its capabilities and the one of what is placed on its agents. */
export function consumersCheck(transport: Transport, capabilities: readonly string[], hostId: string): Check {
  return {
    name: "consumers are there",
    run: cached(async () => {
      const names = new Set((await transport.queue("tasks").consumers()).map(({ name }) => name));
      const ofQueue = capabilities.flatMap((capability) =>
        PRIORITIES.map((priority) => `${capability}-${priority}`),
      );
      const wanted = [...ofQueue, placedConsumer(hostId)];
      const missing = wanted.filter((name) => !names.has(name));
      return missing.length === 0 ? null : `missing: ${missing.join(", ")}`;
    }),
  };
}

/** Remembers a good answer for a while; a bad one is asked for again. */
function cached(run: () => Promise<string | null>): () => Promise<string | null> {
  let goodUntilMs = 0;
  return async () => {
    if (systemClock.now() < goodUntilMs) return null;
    const problem = await run();
    if (problem === null) goodUntilMs = systemClock.now() + CONSUMERS_CACHE_MS;
    return problem;
  };
}
