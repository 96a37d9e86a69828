// How each kind of process gets the streams, buckets and consumers that it needs, before it starts and for its readiness.
// S1  Only `init`, the api process of `up`, and a review for a swarm of its own create streams and buckets. Every other process waits for
//     them.
// S2  A process that reads streams starts only when each one is as its definition says: another setting may lose messages or answer
//     for stored ones. While it runs, a change by an operator is a warning, because a restart would not mend it.
// S3  A process of agents elsewhere asks for its own consumers and for nothing else (`CONSUMER.INFO`), because its user may
//     have no right to any stream. `init` makes the consumers last, so their presence tells that the streams are there.
import { type Logger, sleep } from "../../base/index.ts";
import { foundOffice } from "../../coordinator/index.ts";
import {
  type BucketKey,
  createSubjects,
  placedKey,
  placedStream,
  type StreamKey,
  toSwarmError,
} from "../../protocol/index.ts";
import { isStreamMissing, refuseDifferences, type Transport } from "../../transport/index.ts";
import {
  commandForConsumers,
  createQueueConsumers,
  MISSING_CONSUMERS,
  placedConsumer,
  queueConsumersOf,
  type Worker,
} from "../../work/index.ts";
import type { Check } from "../http/readiness.ts";
import { auditOperation } from "../office/operation-audit.ts";

/** How often a process looks for missing streams, in ms. */
const STREAMS_POLL_MS = 100;
/** How often a process looks for its first missing consumer, in ms: an agent begins soon after `init` has made it. */
const CONSUMERS_POLL_MS = 500;
/** The most consumers that a problem names. */
const MAX_NAMED_CONSUMERS = 4;

/** A kind of process's way to its streams. */
export interface Preparation {
  /** The stage of the start, for /readyz. */
  readonly stage: string;
  /** Resolves when the process may start. @throws SwarmError; the signal's reason. */
  run(parts: PreparationParts): Promise<void>;
  /** The conditions of readiness; none for a process whose other conditions cover them. */
  checks(transport: Transport): readonly Check[];
}

interface PreparationParts {
  readonly transport: Transport;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Tells /readyz about the wait. */
  tell(problem: string): void;
}

/**
 * Creates missing streams and buckets (S1). `apply`: also brings those of an earlier version to this one, where nothing is lost;
 * only `up` does so, on a server of its own, because no process of another version uses it.
 */
export function createStreams(options: {
  apply: boolean;
  /** The agent classes that need a stream of placed tasks. */
  classes: readonly string[];
  /** The capabilities whose queue consumers to create too. */
  capabilities: readonly string[];
  /** NATS has a user for each role, so the store of blobs refuses roll-ups. */
  hasPermissions: boolean;
}): Preparation {
  return {
    stage: "creating the streams",
    run: ({ transport, log }) => initSwarm(transport, log, options),
    checks: (transport) => streamsChecks(transport),
  };
}

/** Waits until another process has created the streams and buckets, as they must be (S1, S2). */
export const awaitStreams: Preparation = {
  stage: "waiting for the streams",
  run: (parts) => waitForStreams(parts),
  checks: (transport) => streamsChecks(transport),
};

/** As {@link awaitStreams}, with the streams of workflows too. */
export const awaitEngineStreams: Preparation = {
  stage: "waiting for the streams",
  run: (parts) => waitForStreams(parts, NEEDED_BY_ENGINES),
  checks: (transport) => streamsChecks(transport, NEEDED_BY_ENGINES),
};

/** Waits until another process has created the consumers of these capabilities (S3). */
export function awaitConsumers(capabilities: readonly string[]): Preparation {
  return {
    stage: "waiting for the consumers",
    run: (parts) => waitForConsumers(parts, capabilities),
    checks: () => [], // consumersCheck
  };
}

/**
 * Creates missing streams and buckets, and a stream of placed tasks for each class. When the control log cannot begin, tasks still
 * flow: it logs that, and coordinators wait.
 */
export async function initSwarm(
  transport: Transport,
  log: Logger,
  {
    apply,
    classes,
    capabilities = [],
    hasPermissions,
  }: {
    apply?: boolean;
    classes?: readonly string[];
    capabilities?: readonly string[];
    hasPermissions?: boolean;
  } = {},
): Promise<void> {
  const { created, applied, differences, warnings } = refuseDifferences(
    await transport.init({ apply, classes, hasPermissions }),
  );
  for (const { stream, clause } of applied)
    log.warn({ stream, clause }, "stream of an earlier version changed");
  for (const warning of [...differences.map(({ text }) => text), ...warnings]) log.warn(warning);
  await foundOffice(transport).catch((error: unknown) =>
    log.error(
      { err: error, alert: "control_log" },
      "control log not begun; coordinators wait for it, tasks flow without them",
    ),
  );
  // The agents wait for their consumers, so these come last.
  const { different } = await createQueueConsumers(transport, capabilities);
  for (const consumer of different)
    log.error(consumer, "consumer has another filter; its tasks wait: delete it");
  if (created.length + applied.length === 0) return;
  const done = { command: "swarm-init", outcome: "done", by: "up", isProven: false, created, applied };
  void auditOperation({ transport, role: "api" }, { kind: "operation", facts: done });
}

/** The streams and buckets that every process needs. */
const NEEDED: ReadonlySet<StreamKey | BucketKey> = new Set([
  "tasks",
  "later",
  "results",
  "journal",
  "dead",
  "limits",
  "cancelled",
  "blobs",
]);

/** The streams and buckets that an engine needs. */
const NEEDED_BY_ENGINES: ReadonlySet<StreamKey | BucketKey> = new Set([
  ...NEEDED,
  "workflows",
  "flow",
  "shared",
  "entries",
]);

/** The reason why a process cannot begin to use the streams. */
interface Obstacle {
  readonly kind: keyof typeof WAITS;
  /** The stream or bucket; undefined while NATS does not answer. */
  readonly stream?: string;
  /** The problem and the next step. */
  readonly problem: string;
}

/** The log line of each kind of obstacle. */
const WAITS = {
  missing: "waiting for a missing stream or bucket; murmur init creates it",
  different:
    "waiting for a stream or bucket that differs from its definition; the process starts when it is corrected",
  unanswered: "NATS gives no answer about the streams yet; asking again",
} as const;

/** Waits until `murmur init`, or the api process of `up`, has created the streams and buckets, and each one is as it must be (S2). */
export async function waitForStreams(
  { transport, log, signal, tell }: PreparationParts,
  needed = NEEDED,
): Promise<void> {
  transport.checkServer();
  const logged = new Set<Obstacle["kind"]>();
  for (;;) {
    const obstacle = await findObstacle(transport, needed).catch(toUnanswered);
    if (obstacle === null) return;
    const { kind, ...facts } = obstacle;
    tell(`waiting for the streams: ${facts.problem}`);
    if (!logged.has(kind)) log.warn(facts, WAITS[kind]);
    logged.add(kind);
    await sleep(STREAMS_POLL_MS, { signal });
  }
}

/** The first stream or bucket that is missing, else the first that differs from its definition; null when all are as they must be. */
async function findObstacle(transport: Transport, needed: typeof NEEDED): Promise<Obstacle | null> {
  const found = (await transport.inspect()).filter(({ key }) => needed.has(key));
  const missing = found.find(({ exists }) => !exists);
  if (missing !== undefined) {
    const { name: stream } = missing;
    return { kind: "missing", stream, problem: `${stream} does not exist; murmur init creates it` };
  }
  for (const { name: stream, problem } of found)
    if (problem !== null) return { kind: "different", stream, problem };
  return null;
}

/** Without an answer of NATS the wait goes on. @throws the error, when it is another one. */
function toUnanswered(error: unknown): Obstacle {
  const { code, message } = toSwarmError(error);
  if (code !== "unavailable") throw error;
  return { kind: "unanswered", problem: message };
}

/** The answer, or a text in its place when NATS did not answer: the wait goes on. */
async function orUnanswered<T>(answer: Promise<T>): Promise<T | string> {
  try {
    return await answer;
  } catch (error) {
    const { code, message } = toSwarmError(error);
    if (code !== "unavailable") throw error;
    return message;
  }
}

/** The checks that all streams exist, and that each one is as its definition says (S2). One question serves both. */
function streamsChecks(transport: Transport, needed = NEEDED): readonly Check[] {
  let different: string | null = null;
  return [
    {
      name: "streams",
      async ask() {
        const obstacle = await findObstacle(transport, needed);
        different = obstacle?.kind === "different" ? obstacle.problem : null;
        return obstacle?.kind === "missing" ? obstacle.problem : null;
      },
    },
    { name: "stream-settings", isWarning: true, look: () => different },
  ];
}

/** A warning while no task can be placed on this host. It serves its queues all the same, so it is ready. */
export function placedCheck(worker: Pick<Worker, "takesPlaced">): Check {
  return {
    name: "placed-tasks",
    isWarning: true,
    look: () =>
      worker.takesPlaced()
        ? null
        : "the office has not made this host's consumer of placed tasks; a coordinator in office makes it within seconds, and without one no task is placed",
  };
}

/** Waits until the stream of the tasks placed on this class exists: tasks must not be placed on a host that cannot take them. */
export async function waitForPlacedStream(
  transport: Transport,
  {
    agentClass,
    hostId,
    log,
    signal,
  }: { agentClass: string; hostId: string; log: Logger; signal: AbortSignal },
  tell: (problem: string) => void,
): Promise<void> {
  const name = placedStream(transport.prefix, agentClass);
  const filter = createSubjects(transport.prefix).filters.placedOnHost({ class: agentClass, host: hostId });
  for (let isLogged = false; ; ) {
    try {
      // Needs no right to the stream: the answer for a missing consumer differs from that for a missing stream.
      await transport.queue(placedKey(agentClass)).existing({ name: placedConsumer(hostId), filter });
      return;
    } catch (error) {
      if (toSwarmError(error).code !== "unavailable") throw error;
    }
    const problem = `the stream ${name} of the class ${agentClass} is missing; MURMUR_AGENT_CLASS=${agentClass} murmur init creates it`;
    tell(problem);
    if (!isLogged) log.warn({ stream: name, class: agentClass }, `waiting: ${problem}`);
    isLogged = true;
    await sleep(STREAMS_POLL_MS, { signal });
  }
}

/** Waits for the queue consumers of these capabilities (S3). */
async function waitForConsumers(
  { transport, log, signal, tell }: PreparationParts,
  capabilities: readonly string[],
): Promise<void> {
  transport.checkServer();
  const subjects = createSubjects(transport.prefix);
  const queue = transport.queue("tasks");
  const isMissing = async (consumer: { name: string; filter: string }) => {
    const found = await orUnanswered(queue.existing(consumer).catch(nullWithoutStream));
    return found === null || typeof found === "string";
  };
  let missing = capabilities.flatMap((capability) => queueConsumersOf(subjects, capability));
  for (let isLogged = false; ; ) {
    const looks = await Promise.all(missing.map(isMissing));
    missing = missing.filter((_, index) => looks[index]);
    if (missing.length === 0) return;
    const names = missing.map(({ name }) => name);
    const command = commandForConsumers(names);
    tell(describeMissing(names));
    if (!isLogged) log.warn({ missing: names, command }, MISSING_CONSUMERS);
    isLogged = true;
    await sleep(CONSUMERS_POLL_MS, { signal });
  }
}

function nullWithoutStream(error: unknown): null {
  if (isStreamMissing(error)) return null;
  throw error;
}

function describeMissing(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED_CONSUMERS).join(", ");
  const more = names.length > MAX_NAMED_CONSUMERS ? ` and ${names.length - MAX_NAMED_CONSUMERS} more` : "";
  return `missing consumers: ${shown}${more}; ${commandForConsumers(names)} makes them`;
}

/** The check that the queue consumers of an agent process exist, as far as its worker knows: it sends no request. */
export function consumersCheck(worker: Pick<Worker, "missingConsumers">): Check {
  return {
    name: "consumers",
    look() {
      const missing = worker.missingConsumers();
      return missing.length === 0 ? null : describeMissing(missing);
    },
  };
}
