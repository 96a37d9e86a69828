// The one place where rooms are put together into processes: agents, api, coordinator, each with its
// connection, its services, its HTTP and its end. Knows everybody; decides nothing about tasks or agents.
// I1: services stop in the reverse order of their start, and a process that was told to stop always ends.
import { registerHooks } from "node:module";
import { type AgentDefinition, createHost, type Exec, loadRoles } from "../../agent/index.ts";
import { type AuditWriter, createAuditWriter } from "../../audit/index.ts";
import {
  createMeter,
  createService,
  type Logger,
  type Meter,
  newInstanceId,
  type Service,
  stopAll,
  systemChance,
  systemClock,
} from "../../base/index.ts";
import { createExec } from "../../bridges/index.ts";
import {
  createBallots,
  createIsolationWatch,
  createLeaseKeeper,
  createOffice,
  createOfficeClient,
  createOfficeServer,
  createPlacement,
  createScheduler,
  createStaleServer,
  measureBudgets,
} from "../../coordinator/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { connectNats, type Transport } from "../../transport/index.ts";
import { createFrontDoor, createMover, createTaskClient, createWorker } from "../../work/index.ts";
import { createRollCall, listAgents } from "../agents.ts";
import type { Ports } from "../cli/command.ts";
import { apiRoutes } from "../http/api.ts";
import { listen } from "../http/listen.ts";
import { type Check, operationRoutes } from "../http/operations.ts";
import { readOfficeStatus } from "../office/status.ts";
import { consumersCheck, initSwarm, streamsCheck, waitForStreams } from "../streams.ts";
import { joinSupervisor } from "../supervisor/supervisor-link.ts";
import { refuseDeadSwarm, resolveFrom, resolveTarget } from "../target.ts";
import { VERSION } from "../version.ts";
import { createDiscovery } from "./discovery.ts";
import { createQueueGauges } from "./gauges.ts";
import { agentDirectories } from "./roles.ts";
import { createVotes } from "./votes.ts";
import { withBus } from "./with-bus.ts";

interface ProcessParts {
  ports: Ports;
  log: Logger;
  meter: Meter;
  transport: Transport;
  processId: string;
  services: Service[];
}

/**
 * Runs agents until the session's signal aborts; then drains.
 * @throws SwarmError `not_found` for an unknown role; `unavailable`, `not_permitted` when NATS refuses.
 */
export async function runAgents(
  ports: Ports,
  roles: readonly string[],
  onReady: (facts: { hostId: string; operationsUrl: string; capabilities: string[] }) => void,
): Promise<void> {
  resolveOwnName();
  const definitions = await loadRoles(agentDirectories(ports), roles);
  const role = [...new Set(roles)].join("+").slice(0, 40);
  await runProcess(ports, {
    role,
    announcement: { name: "murmur-agent", description: `Murmur agents: ${roles.join(", ")}` },
    init: false,
    async start(parts) {
      const { transport, meter, log, processId } = parts;
      const writer = auditWriterOf(parts, role.replaceAll("+", "_"));
      const host = createHost({
        transport,
        meter,
        log,
        hostId: processId,
        role,
        version: VERSION,
        exec: execOf(ports),
        votes: createVotes(),
        locks: createLeaseKeeper({ office: createOfficeClient({ transport }), log }),
        roles: countRoles(definitions),
      });
      const worker = createWorker({
        transport,
        meter,
        log,
        hostId: processId,
        workforce: host.workforce,
        capabilities: host.capabilities,
        audit: writer.audit,
      });
      const rollCall = createRollCall({ transport, status: () => host.status(), log });
      for (const service of [writer.service, host.service, worker, rollCall]) {
        parts.services.push(service);
        await service.start();
      }
      const capabilities = host.capabilities.map(({ name }) => name);
      return {
        checks: [consumersCheck(transport, capabilities, processId)],
        onReady: (operationsUrl) => onReady({ hostId: processId, operationsUrl, capabilities }),
        drain: async () => {
          const graceMs = ports.config.drainGraceMs;
          const [, givenBack] = await Promise.all([host.drain({ graceMs }), worker.drain({ graceMs })]);
          log.info({ givenBack }, "drained");
        },
      };
    },
  });
}

/** How long `GET /v1/office` waits for a leader that proves itself: longer than a fail-over (p99 1.2 s). */
const OFFICE_WAIT_MS = 2_000;

/** Runs the api process: submit front door, movers, HTTP. `init`: creates missing streams first. */
export async function runApi(
  ports: Ports,
  options: { init: boolean },
  onReady: (facts: { apiUrl: string; operationsUrl: string }) => void,
): Promise<void> {
  await runProcess(ports, {
    role: "api",
    announcement: { name: "murmur-api", description: "Murmur's front door: submit, HTTP, due tasks" },
    init: options.init,
    async start(parts) {
      const { transport, meter, log } = parts;
      const { config } = ports;
      const tasks = createTaskClient({ transport, meter, log });
      const closing = ending(() => tasks.close());
      for (const service of [
        closing,
        createFrontDoor({ transport, client: tasks, log }),
        createMover({ transport, meter, log }),
      ]) {
        parts.services.push(service);
        await service.start();
      }
      const beforeScrape = createQueueGauges({ transport, dead: tasks.dead, meter, clock: systemClock, log });
      let apiUrl = "";
      return {
        checks: [],
        beforeScrape,
        serve: async (operations) => {
          const routes = apiRoutes({
            tasks,
            listAgents: () => listAgents(transport),
            readOffice: () =>
              readOfficeStatus(createOfficeClient({ transport }), { timeoutMs: OFFICE_WAIT_MS }),
            log,
            host: config.httpHost,
            token: config.apiToken,
            operations,
          });
          const listening = await listen(routes, {
            host: config.httpHost,
            port: config.httpPort,
            what: "the HTTP API",
          });
          apiUrl = listening.url;
          return listening;
        },
        onReady: (operationsUrl) => onReady({ apiUrl, operationsUrl }),
        drain: async () => undefined,
      };
    },
  });
}

/** How long a coordinator that is told to stop waits for its successor; a planned change takes a few ms of it. */
const HAND_OVER_MS = 2_000;

/** A dead link of a coordinator is noticed within 6 s: there are few of them, and every one counts in an election. */
const COORDINATOR_PING_INTERVAL_MS = 2_000;

/** Runs one coordinator until the session's signal aborts; then hands the office over. */
export async function runCoordinator(
  ports: Ports,
  { id, members }: { id: string; members: readonly string[] },
  onReady: (facts: { operationsUrl: string }) => void,
): Promise<void> {
  await runProcess(ports, {
    role: "coordinator",
    announcement: {
      name: "murmur-coordinator",
      description: `Murmur coordinator ${id} of ${members.join(", ")}`,
    },
    init: false,
    pingIntervalMs: COORDINATOR_PING_INTERVAL_MS,
    async start(parts) {
      const { transport, meter, log, services } = parts;
      const writer = auditWriterOf(parts, "coordinator");
      const { audit } = writer;
      const seed = Math.floor(systemChance.next() * 2 ** 32);
      const office = createOffice({ transport, meter, log, audit, id, members, version: VERSION, seed });
      const placement = createPlacement({ transport, office, meter, log, seed: seed + 1 });
      const tasks = createTaskClient({ transport, meter, log });
      const ballots = createBallots({ transport, office, placement, tasks, meter, log, audit });
      const answers = { ...placement.answers, ...ballots.answers };
      for (const service of [
        writer.service,
        ending(() => tasks.close()),
        placement.service,
        ballots.service,
        office.service,
        createIsolationWatch({ transport, office }),
        createStaleServer({ transport, office, log }),
        createOfficeServer({ transport, office, members, log, answers, audit }),
        createScheduler({ office, tasks, log }),
      ]) {
        services.push(service);
        await service.start();
      }
      return {
        checks: [{ name: "knows a leader and has applied the log", run: async () => office.findProblem() }],
        beforeScrape: async () => {
          office.measure();
          measureBudgets(office, meter);
        },
        onReady: (operationsUrl) => onReady({ operationsUrl }),
        drain: () => office.handOver(HAND_OVER_MS),
      };
    },
  });
}

/** What a kind of process adds to every process. */
interface Kind {
  checks: readonly Check[];
  beforeScrape?: () => Promise<void>;
  serve?: (operations: ReturnType<typeof operationRoutes>) => Promise<{ close(): Promise<void> }>;
  onReady(operationsUrl: string): void;
  drain(): Promise<void>;
}

async function runProcess(
  ports: Ports,
  options: {
    role: string;
    announcement: { name: "murmur-agent" | "murmur-api" | "murmur-coordinator"; description: string };
    init: boolean;
    pingIntervalMs?: number;
    start(parts: ProcessParts): Promise<Kind>;
  },
): Promise<void> {
  const { config } = ports;
  const processId = newInstanceId(options.role.replaceAll("+", "_"));
  const log = ports.log.child({ process: processId });
  exitOnBugs(log);
  const stopper = new AbortController();
  const signal = AbortSignal.any([ports.signal, stopper.signal]);
  const supervisor = joinSupervisor({
    silenceMs: config.silenceMs,
    onOrphaned: () => {
      log.warn("the supervisor is gone; stopping");
      stopper.abort(new SwarmError("cancelled", "the supervisor is gone"));
    },
  });
  const meter = createMeter({ defaults: true });
  meter.buildInfo.set({ version: VERSION, node: process.version }, 1);
  const services: Service[] = [];
  try {
    const target = await resolveTarget(config, ports.sources, ports.environment);
    refuseDeadSwarm(target, config.data);
    const connected = await connectNats({
      ...target.nats,
      name: `${options.announcement.name} ${processId}`,
      prefix: target.prefix,
      log,
      meter,
      replicas: config.replicas,
      pingIntervalMs: options.pingIntervalMs,
      waitOnFirstConnect: true,
      signal,
    });
    services.push(ending(() => connected.close()));
    const discovery = createDiscovery(connected.bus);
    const transport = withBus(connected, discovery.bus);
    if (options.init) await initSwarm(transport, log);
    else await waitForStreams(transport, log, signal);

    let isReady = false;
    const kind = await options.start({ ports, log, meter, transport, processId, services });
    const operations = operationRoutes({
      meter,
      beforeScrape: kind.beforeScrape,
      checks: [
        { name: "started", run: async () => (isReady ? null : "still starting, or stopping") },
        {
          name: "connected to NATS",
          run: async () => (transport.state === "connected" ? null : transport.state),
        },
        streamsCheck(transport),
        ...kind.checks,
      ],
    });
    const own = await listen(operations, {
      host: config.metricsHost,
      port: config.metricsPort,
      what: "/metrics",
    });
    services.push(ending(() => own.close()));
    const served = await kind.serve?.(operations);
    if (served !== undefined) services.push(ending(() => served.close()));
    const announced = discovery.announce({
      ...options.announcement,
      id: processId,
      version: VERSION,
      metadata: { role: options.role, pid: String(process.pid) },
    });
    services.push(ending(() => announced.close()));
    await transport.bus.flush();

    isReady = true;
    supervisor.ready();
    kind.onReady(own.url);
    await aborted(signal);
    isReady = false;
    log.info({ graceMs: config.drainGraceMs }, "draining");
    await kind.drain();
  } catch (error) {
    // Told to stop while it started: that is no failure.
    if (!signal.aborted) throw error;
  } finally {
    await stopAll(services); // I1
    supervisor.leave();
  }
}

/** What writes a process's part of the audit log. */
function auditWriterOf({ transport, meter, log, processId }: ProcessParts, role: string): AuditWriter {
  return createAuditWriter({ transport, role, processId, version: VERSION, log, meter });
}

/** What is started already and only has to end in its turn. */
function ending(stop: () => Promise<void> | void): Service {
  return createService({ name: "ending", start: () => undefined, stop });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A bug ends the process: what state it left nobody knows, and a supervisor starts a fresh one. */
function exitOnBugs(log: Logger): void {
  const onBug = (kind: string) => (error: unknown) => {
    log.fatal(
      { err: error instanceof Error ? error : new Error(String(error)) },
      `${kind}; the process ends`,
    );
    process.exit(1);
  };
  process.once("uncaughtException", onBug("uncaught exception"));
  process.once("unhandledRejection", onBug("unhandled rejection"));
}

/** Agents run commands only where the operator named programs and directories. */
function execOf({ config, directory }: Ports): Exec | undefined {
  if (config.execAllow.length === 0) return undefined;
  const [first, ...more] = config.execDirectories.map((path) => resolveFrom(directory, path));
  return createExec({ allow: config.execAllow, directories: [first ?? directory, ...more] });
}

function countRoles(definitions: readonly AgentDefinition[]) {
  const counts = new Map<AgentDefinition, number>();
  for (const definition of definitions) counts.set(definition, (counts.get(definition) ?? 0) + 1);
  return [...counts].map(([definition, count]) => ({ definition, count }));
}

/** Lets agents outside this package write `import { defineAgent } from "murmur"` without installing it. */
function resolveOwnName(): void {
  const door = new URL(import.meta.url.endsWith(".ts") ? "../../index.ts" : "../../index.js", import.meta.url)
    .href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "murmur" ? { url: door, shortCircuit: true } : next(specifier, context),
  });
}
