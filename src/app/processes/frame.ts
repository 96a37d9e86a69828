// The frame of every process: connection, log, services in their order, probes, and the end. Each kind of process has a file
// beside this one (agents.ts, api.ts, coordinator.ts) that builds its services; the frame starts and stops them.
// I1: services stop in the reverse order of their start, and a process that gets a signal to stop always ends, within its
//     grace and 2 s, whatever NATS does (stop-limit.ts).
import { getRequestListener } from "@hono/node-server";
import { type AuditWriter, createAuditWriter } from "../../audit/index.ts";
import {
  createMeter,
  createService,
  type Exporter,
  type Logger,
  type Meter,
  NO_TRACER,
  newInstanceId,
  type Service,
  stopAll,
  type Tracer,
  untilAborted,
  withLiveFields,
} from "../../base/index.ts";
import { createSubjects, encode, type StreamKey, SwarmError } from "../../protocol/index.ts";
import { connectNats, describeSkew, type Transport } from "../../transport/index.ts";
import { askForAdvice, REDELIVERY_CAUSES } from "../../work/index.ts";
import type { Ports } from "../cli/command.ts";
import { probeRoutes } from "../http/probes.ts";
import { type Check, Readiness } from "../http/readiness.ts";
import { createAdvisor, type LocatedPermissions } from "../permissions/index.ts";
import { streamLimits } from "../settings.ts";
import { joinSupervisor } from "../supervisor/supervisor-link.ts";
import { refuseDeadSwarm, resolveTarget } from "../target.ts";
import { isTracingWanted } from "../tracing/environment.ts";
import { DROP_REASONS, startTracing } from "../tracing/sdk.ts";
import { VERSION } from "../version.ts";
import { CLOCK_SKEW_FACT, createDiscovery } from "./discovery.ts";
import { permissionsCheck } from "./permissions-check.ts";
import type { ProbePort } from "./probe-port.ts";
import { auditRefusals } from "./refusals.ts";
import { StopLimit } from "./stop-limit.ts";
import type { Preparation } from "./streams.ts";
import { withBus } from "./with-bus.ts";

/** The parts that every kind of process builds its services from. */
export interface ProcessParts {
  log: Logger;
  meter: Meter;
  transport: Transport;
  processId: string;
  tracer: Tracer;
}

/**
 * The services of a process by their place in the start. The frame starts the groups in the order of these fields, and the
 * services of a group in their own order; it stops them in the reverse order (I1).
 */
export interface StartOrder {
  /** The audit writer and clients: other services write through them while they start and while they stop. */
  readonly records: readonly Service[];
  /** Services that must hear the core from its first event. */
  readonly listeners: readonly Service[];
  /** The services that the process exists for. */
  readonly core: readonly Service[];
  /** Services that let work and requests in; they need everything above. */
  readonly doors: readonly Service[];
}

/** One process with all services built, and none started. */
export interface Assembly {
  readonly services: StartOrder;
  /** Conditions of readiness, beside those of every process. */
  readonly checks: readonly Check[];
  /** Serves HTTP beside the probes, once all services run. */
  serve?: (probes: ReturnType<typeof probeRoutes>) => Promise<{ close(): Promise<void> }>;
  onReady(probesUrl: string): void;
  /** Ends the work in order, before the services stop. */
  drain(): Promise<void>;
}

/** A process whose probes listen, before it has loaded its files. */
export interface ProcessStart {
  /** The port of its probes; the frame closes it. */
  port: ProbePort;
  /** The name of the kind of process, in NATS services discovery and in the metrics. */
  name: "murmur-agent" | "murmur-api" | "murmur-coordinator" | "murmur-engine";
  /** The role in the process id, and in NATS services discovery. */
  role: string;
  /** The id of the process; default: its role and a random part. */
  processId?: string | undefined;
  /** The stage in `/readyz` while `load` runs. */
  loading: string;
  /** Loads the files of the process, once the probes listen. */
  load(): Promise<ProcessKind> | ProcessKind;
}

/** A kind of process. */
export interface ProcessKind {
  /** Its description in NATS services discovery. */
  description: string;
  /** How it gets the streams, buckets and consumers that it needs. */
  preparation: Preparation;
  /** The consumer that tells the server's time, for a process that may not look at streams. */
  timeOf?: { stream: StreamKey; consumer: string } | undefined;
  /** The permissions file of now, for the advice about violations; without it the advice names keys by the user alone. */
  permissions?: (() => LocatedPermissions | null) | undefined;
  /** True: the user of the process may call the front door, and asks it for advice in the place of a file. */
  mayOperate?: true;
  /** How often the connection is checked, in ms; the transport's default without it. */
  pingIntervalMs?: number;
  /** Waits for further things that the process needs before it starts, and tells `/readyz` about the wait. */
  prepare?(
    parts: Pick<ProcessParts, "transport" | "log" | "processId"> & { signal: AbortSignal },
    tell: (problem: string) => void,
  ): Promise<void>;
  assemble(parts: ProcessParts): Assembly;
}

/**
 * Runs one process until the session's signal aborts or its supervisor is gone; then drains and stops it.
 * @throws SwarmError `unavailable`, `not_permitted` when NATS refuses; an error of `load`.
 */
export async function runProcess(ports: Ports, start: ProcessStart): Promise<void> {
  const { config } = ports;
  const { role, port } = start;
  const { stage } = port;
  const processId = start.processId ?? newInstanceId(role.replaceAll("+", "_"));
  let tracer = NO_TRACER;
  const log = withLiveFields(ports.log.child({ process: processId }), () => tracer.active());
  const stopper = new AbortController();
  const signal = AbortSignal.any([ports.signal, stopper.signal]);
  let passOn: (diedProcessId: string) => void = () => undefined;
  const supervisor = joinSupervisor({
    processId,
    silenceMs: config.silenceMs,
    onDeath: (died) => passOn(died),
    onOrphaned: () => {
      log.warn("the supervisor is gone; stopping");
      stopper.abort(new SwarmError("cancelled", "the supervisor is gone"));
    },
  });
  const exporter = EXPORTER_OF[start.name];
  const meter = createMeter({
    defaults: true,
    exporter,
    spanOf: isTracingWanted(ports.environment) ? () => tracer.active() : undefined,
  });
  meter.buildInfo.set({ version: VERSION, node: process.version, role: exporter, swarm: config.prefix }, 1);
  meter.startAtZero({
    operation: ["publish", "subscribe"],
    kind: FENCED_KINDS[exporter],
    cause: REDELIVERY_CAUSES,
    reason: DROP_REASONS,
  });
  signal.addEventListener("abort", () => stage.enter("stopping"), { once: true });
  let transport: Transport | undefined;
  let refusal = "";
  const isConnected = () => transport?.state === "connected";
  const readiness = new Readiness({ meter, isConnected });
  readiness.add(
    { name: "started", look: () => stage.problem },
    {
      name: "nats",
      look: () =>
        isConnected()
          ? null
          : transport === undefined
            ? `${NOT_CONNECTED.never}${refusal}`
            : NOT_CONNECTED[transport.state],
    },
  );
  const probes = probeRoutes({ meter, readiness });
  // First, so that /livez answers until the end.
  const started: Service[] = [endWith("probes", () => port.close())];
  const limit = new StopLimit({ graceMs: config.drainGraceMs, log });
  signal.addEventListener("abort", () => limit.begin(), { once: true });
  try {
    port.serve(getRequestListener(probes.fetch));
    if (port.isMoved) {
      const taken = { taken: config.metricsPort, url: port.url };
      log.warn(
        taken,
        "port of the metrics is taken; serving them on a free port. MURMUR_METRICS_PORT names one",
      );
    }
    log.info({ probes: port.url }, "serving /livez, /readyz and /metrics");
    const tracing = await startTracing(ports.environment, { service: exporter, processId, log, meter });
    started.push(endWith("traces", tracing.close));
    tracer = tracing.tracer;
    stage.enter(start.loading);
    const kind = await untilAborted(Promise.resolve(start.load()), signal);
    stage.enter("connecting to NATS");
    const onWait = ({ message }: SwarmError) => {
      refusal = `: ${message}`;
    };
    const connected = await connect(
      ports,
      { name: start.name, kind },
      { log, meter, processId, signal, onWait },
    );
    refusal = "";
    limit.limit(connected);
    const risk = connected.serverRisk;
    if (risk !== null) log.warn({ risk }, "this nats-server has a weakness; upgrade it");
    started.push(endWith("connection", () => connected.close()));
    const discovery = createDiscovery(connected.bus);
    const connection = withBus(connected, discovery.bus);
    transport = connection;
    const permissions = permissionsCheck(connection);
    started.push(endWith("permissions", () => permissions.close()));
    const { preparation } = kind;
    readiness.add(permissions.check, ...preparation.checks(connection), {
      name: "clock",
      look: () => describeSkew(connection.clock.skewMs),
      isWarning: true,
    });
    readiness.add({ name: "appends", look: () => connection.silentStream, isWarning: true });
    started.push(endWith("readiness", readiness.keep()));
    stage.enter(preparation.stage);
    const tell = (problem: string) => stage.enter(problem);
    await untilAborted(preparation.run({ transport: connection, log, signal, tell }), signal);
    const waiting = { transport: connection, log, processId, signal };
    await untilAborted(kind.prepare?.(waiting, tell) ?? Promise.resolve(), signal);
    stage.enter("starting");

    await untilAborted(connection.clock.sync(), signal);
    started.push(endWith("clock", connection.clock.keep()));
    const assembly = kind.assemble({ log, meter, transport: connection, processId, tracer });
    const { records, listeners, core, doors } = assembly.services;
    for (const service of [...records, ...listeners, ...core, ...doors]) {
      started.push(service); // before its start: a start that fails half-way is stopped too
      await untilAborted(service.start(), signal);
    }

    readiness.add(...assembly.checks);
    const served = await assembly.serve?.(probes);
    if (served !== undefined) started.push(endWith("HTTP", () => served.close()));
    const announced = discovery.announce({
      name: start.name,
      description: kind.description,
      id: processId,
      version: VERSION,
      metadata: { role, pid: String(process.pid) },
      liveMetadata: () => clockFacts(connection),
    });
    started.push(endWith("discovery", () => announced.close()));
    await untilAborted(connection.bus.flush(), signal);

    passOn = (died) => connection.bus.publish(createSubjects(connection.prefix).gone(died), encode({}));
    await untilAborted(readiness.refresh(), signal);
    stage.enter(null);
    supervisor.ready();
    assembly.onReady(port.url);
    await untilStopped(signal);
    log.info({ graceMs: config.drainGraceMs }, "draining");
    await limit.within(assembly.drain(), "drain");
  } catch (error) {
    // A process that must stop while it starts has not failed.
    if (!signal.aborted) throw error;
  } finally {
    limit.begin(); // for a process that failed
    await limit.within(stopAll(started), "stop of the services"); // I1
    limit.end();
    supervisor.leave();
  }
}

async function connect(
  ports: Ports,
  { name, kind }: { name: ProcessStart["name"]; kind: ProcessKind },
  parts: {
    log: Logger;
    meter: Meter;
    processId: string;
    signal: AbortSignal;
    onWait: (reason: SwarmError) => void;
  },
): Promise<Transport> {
  const { config } = ports;
  const { processId, ...rest } = parts;
  const target = await resolveTarget(config, ports.sources, ports.environment);
  refuseDeadSwarm(target, config.data);
  let connected: Transport | undefined;
  const ask = (user: string) => async (refused: { operation: string; subject: string }) => {
    if (connected === undefined) throw new SwarmError("unavailable", "the process connects");
    const advice = await askForAdvice({ transport: connected, user }, refused);
    parts.log.warn({ ...refused, advice }, "the api process names the line that permits it");
    return advice;
  };
  const advisor = createAdvisor(
    { ...target.nats, prefix: target.prefix },
    kind.permissions ?? (() => null),
    kind.mayOperate === true ? ask : undefined,
  );
  connected = await connectNats({
    ...target.nats,
    ...rest,
    name: `${name} ${processId}`,
    prefix: target.prefix,
    replicas: config.replicas,
    limits: streamLimits(config),
    pingIntervalMs: kind.pingIntervalMs,
    timeOf: kind.timeOf,
    advise: advisor?.advise,
    waitOnFirstConnect: true,
  });
  return connected;
}

/** The kinds of fenced writes of each kind of process. */
const FENCED_KINDS: Readonly<Record<Exporter, readonly string[]>> = {
  agent: ["result", "journal"],
  api: ["result"],
  coordinator: ["office", "result"],
  engine: [], // its lost appends are decisions of the outcome `lost`
};

/** The kind of process as the table of metrics names it. */
const EXPORTER_OF: Readonly<Record<ProcessStart["name"], Exporter>> = {
  "murmur-agent": "agent",
  "murmur-api": "api",
  "murmur-coordinator": "coordinator",
  "murmur-engine": "engine",
};

/** The problem of each state of the connection. */
const NOT_CONNECTED = {
  never: "not connected yet; the process keeps trying",
  connected: null,
  disconnected: "the connection broke; the process keeps trying",
  closed: "the connection is closed; the process ends",
} as const;

/** The writer of this process's part of the audit log, with the services that every kind of process starts first. */
export function createProcessAudit(
  { transport, meter, log, processId }: ProcessParts,
  role: string,
): AuditWriter & { readonly services: readonly Service[] } {
  const writer = createAuditWriter({ transport, role, processId, version: VERSION, log, meter });
  const { audit } = writer;
  const services = [writer.service, auditRefusals({ transport, audit, log })];
  return { audit, service: writer.service, flush: (timeoutMs) => writer.flush(timeoutMs), services };
}

/** The skew of this process's clock, for `doctor`; nothing while it is unknown. */
function clockFacts({ clock: { skewMs } }: Transport): Record<string, string> {
  return skewMs === null ? {} : { [CLOCK_SKEW_FACT]: String(skewMs) };
}

/** A service for a thing that runs already and must only end in its turn. */
export function endWith(name: string, stop: () => Promise<void> | void): Service {
  return createService({ name, start: () => undefined, stop });
}

function untilStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
