// The swarm of a review: the swarm that the settings name, with the review agents that it lacks, or a swarm for this review alone.
// I1: every process that was started for the review ends with it.
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  analysersDirectory,
  LINTERS,
  linterPrograms,
  type ReviewCapability,
} from "../../../../../agents/lib/review/index.ts";
import { listRoles, loadRoles } from "../../../../agent/index.ts";
import { createSilentMeter, silentLogger, sleep } from "../../../../base/index.ts";
import { createOfficeClient } from "../../../../coordinator/index.ts";
import { SwarmError } from "../../../../protocol/index.ts";
import { connectNats, type Transport } from "../../../../transport/index.ts";
import { createTaskClient, type TaskClient } from "../../../../work/index.ts";
import { listAgents } from "../../../agents/roster.ts";
import type { Ports } from "../../../cli/command.ts";
import { showDuration } from "../../../cli/terminal.ts";
import { provideAnalysers } from "../../../install/analysers.ts";
import { natsServerFor } from "../../../install/tools.ts";
import { runInside } from "../../../processes/inside.ts";
import { trustedAgentDirectories } from "../../../processes/roles.ts";
import { streamLimits } from "../../../settings.ts";
import { type SupervisorOptions, startSupervisor } from "../../../supervisor/supervisor.ts";
import { resolveTarget, serversOf, type Target } from "../../../target.ts";
import { userFolder } from "../../../untrusted.ts";

/**
 * Heap of each review process, in MiB. The linters are child programs with heaps of their own. The five other analysers together
 * finish vitest-dev/vitest (2,800 files) within 320 MiB; the limit leaves three times as much for larger repositories.
 */
const REVIEW_HEAP_MB = 1_024;
/** The roles that follow the imports of the whole repository: about half of the analysers' work. */
const GRAPH_ROLES: ReadonlySet<string> = new Set(["review-architecture", "review-tests"]);
/** The program of the agent processes of an own swarm, as source or compiled. */
const REVIEW_HOST = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "../../../review-host.ts" : "../../../review-host.js",
    import.meta.url,
  ),
);
/** How long the swarm gets to end, in ms: the work of the review agents is not needed any more. */
const REVIEW_GRACE_MS = 1_000;

/** The swarm of a review. */
export interface ReviewSwarm {
  /** Starts the swarm where it does not run yet. It waits for the installation of the analysers, too. */
  open(): Promise<void>;
  /** The tasks of the swarm, once it is open. */
  tasks(): TaskClient;
  /** True when the swarm ran before the review. */
  isShared: boolean;
  /** The analysers that no agent here offers, and the reason for each. */
  absent: ReadonlyMap<ReviewCapability, string>;
  close(): Promise<void>;
}

/** The swarm that the settings name, with the review agents that it lacks; or an own swarm. */
export async function openSwarm(
  ports: Ports,
  directory: string,
  capabilities: readonly ReviewCapability[],
): Promise<ReviewSwarm> {
  const target = await resolveTarget(ports.config, ports.sources, ports.environment, { isTrusted: false });
  const isNamed = ports.sources.server !== "default" || ports.sources.context !== "default";
  if (target.swarm === null && !isNamed) {
    const roles = await knownRoles(ports, capabilities);
    return ownSwarm(ports, { directory, roles, absent: absentOf(capabilities, new Set(roles)) });
  }
  const transport = await connect(ports, target);
  try {
    const offered = new Set((await listAgents(transport)).flatMap((agent) => agent.capabilities));
    const lacking = await knownRoles(
      ports,
      capabilities.filter((capability) => !offered.has(capability)),
    );
    const absent = absentOf(capabilities, new Set([...offered, ...lacking]));
    for (const [linter, why] of await lintersWithoutOffice(transport, capabilities)) absent.set(linter, why);
    const missing = lacking.filter((role) => !absent.has(role));
    const tasks = createTaskClient({ transport, meter: createSilentMeter() });
    const shared = { open: async () => undefined, tasks: () => tasks, isShared: true, absent };
    const leave = async () => {
      tasks.close();
      await transport.close();
    };
    if (missing.length === 0) return { ...shared, close: leave };
    ports.terminal.status(`starting ${missing.join(", ")}`);
    const own = await startOwn(ports, { directory, roles: missing, join: target });
    return {
      ...shared,
      close: async () => {
        await leave();
        await own.close();
      },
    };
  } catch (error) {
    await transport.close();
    throw error;
  }
}

function absentOf(
  capabilities: readonly ReviewCapability[],
  present: ReadonlySet<string>,
): Map<ReviewCapability, string> {
  const why = "no agent offers it, and there is no role of that name to start one";
  return new Map(capabilities.filter((each) => !present.has(each)).map((each) => [each, why]));
}

/** The linters vote in a ballot, and only a coordinator opens a ballot. */
async function lintersWithoutOffice(
  transport: Transport,
  capabilities: readonly ReviewCapability[],
): Promise<[ReviewCapability, string][]> {
  const linters = LINTERS.filter((linter) => capabilities.includes(linter));
  if (linters.length === 0) return [];
  if ((await createOfficeClient({ transport }).listCoordinators()).length > 0) return [];
  const why =
    "the linters vote in a ballot, and no coordinator answers here: start one with `murmur coordinator`";
  return linters.map((linter) => [linter, why]);
}

/** A swarm for this review alone. It starts when it is opened: a review whose results are all known needs none. */
function ownSwarm(
  ports: Ports,
  options: { directory: string; roles: readonly string[]; absent: ReadonlyMap<ReviewCapability, string> },
): ReviewSwarm {
  const closers: (() => Promise<void> | void)[] = [];
  let client: TaskClient | undefined;
  return {
    isShared: false,
    absent: options.absent,
    async open() {
      if (client !== undefined) return;
      ports.terminal.status("starting a swarm for this review");
      const central = new CentralParts(ports, options.roles);
      const own = await startOwn(ports, { ...options, join: undefined, onServer: central.start }).catch(
        async (error: unknown) => {
          await central.stop();
          throw error;
        },
      );
      closers.unshift(() => own.close());
      closers.unshift(() => central.stop());
      const transport = central.transport();
      const tasks = createTaskClient({ transport, meter: createSilentMeter() });
      closers.unshift(() => tasks.close());
      client = tasks;
    },
    tasks() {
      if (client === undefined) throw new SwarmError("internal", "the swarm of this review is not open");
      return client;
    },
    async close() {
      for (const close of closers.splice(0)) await close();
    },
  };
}

/** The central parts of an own swarm, in this process. */
class CentralParts {
  readonly #ports: Ports;
  readonly #withCoordinator: boolean;
  #transport: Transport | undefined;
  #parts: { stop(): Promise<void> } | undefined;

  constructor(ports: Ports, roles: readonly string[]) {
    this.#ports = ports;
    // Only the linters' ballot needs a coordinator.
    this.#withCoordinator = LINTERS.some((linter) => roles.includes(linter));
  }

  /** Connects to the server as soon as it listens, and starts the parts. */
  readonly start = async (server: string, stopped: AbortSignal): Promise<void> => {
    const { config } = this.#ports;
    const signal = AbortSignal.any([this.#ports.signal, stopped]);
    const target = { nats: { servers: server }, prefix: config.prefix };
    this.#transport = await connect(this.#ports, target, { waitOnFirstConnect: true, signal });
    this.#parts = await runInside({
      transport: this.#transport,
      agentClass: config.agentClass,
      withCoordinator: this.#withCoordinator,
      log: logOf(this.#ports),
      signal,
    });
  };

  transport(): Transport {
    if (this.#transport === undefined) throw new SwarmError("internal", "the review is not connected");
    return this.#transport;
  }

  /** Stops the parts, within a grace, and closes the connection. */
  async stop(): Promise<void> {
    const over = new AbortController();
    const limit = sleep(REVIEW_GRACE_MS, { signal: over.signal });
    // After a failure of the server the parts may wait for it.
    await Promise.race([this.#parts?.stop(), limit]).catch(() => undefined);
    over.abort();
    await limit.catch(() => undefined);
    await this.#transport?.close();
  }
}

/** The log of a review's own processes and parts: people see it only when they ask for details. */
function logOf({ config, log }: Pick<Ports, "config" | "log">): Ports["log"] {
  return config.logLevel === "debug" || config.logLevel === "trace" ? log : silentLogger;
}

function connect(
  ports: Ports,
  target: Pick<Target, "nats" | "prefix">,
  waiting: { waitOnFirstConnect?: boolean; signal?: AbortSignal } = {},
): Promise<Transport> {
  return connectNats({
    ...target.nats,
    name: "murmur-review",
    prefix: target.prefix,
    limits: streamLimits(ports.config),
    log: silentLogger,
    meter: createSilentMeter(),
    signal: ports.signal,
    ...waiting,
  });
}

/** The capabilities that have a role: each review role offers the capability of its own name. The report names missing ones. */
async function knownRoles(
  ports: Ports,
  capabilities: readonly ReviewCapability[],
): Promise<ReviewCapability[]> {
  const known = new Set((await listRoles(trustedAgentDirectories(ports))).map(({ role }) => role));
  return capabilities.filter((capability) => known.has(capability));
}

/**
 * Puts the roles of a review into few processes, because each process loads the whole runtime: about 100 MiB, and over a second
 * of a core at its start. The linters start programs and wait, so they share one process. The other analysers keep a core busy:
 * they share one process on one or two cores, and two processes on more. A crash ends the tasks that run in the same process;
 * the workload runs each of them once more, alone.
 * @returns the roles that each process loads, by the role of the process.
 */
export function groupRoles(roles: readonly string[], cores: number): Record<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  const isLinting = new Set<string>(LINTERS);
  for (const role of roles) {
    const isOfGraph = cores > 2 && GRAPH_ROLES.has(role);
    const group = isLinting.has(role) ? "review-linters" : isOfGraph ? "review-graph" : "review-analysers";
    groups.set(group, [...(groups.get(group) ?? []), role]);
  }
  return Object.fromEntries(groups);
}

/**
 * The processes whose analysers parse the reviewed files themselves, and start no program. They may only read, so that a fault in a parser
 * can change nothing and start nothing. The linters' programs have a confinement of their own.
 */
export function readOnlyOf(loads: Readonly<Record<string, readonly string[]>>): ReadonlySet<string> {
  const isLinting = new Set<string>(LINTERS);
  return new Set(Object.keys(loads).filter((role) => !loads[role]?.some((each) => isLinting.has(each))));
}

async function startOwn(
  ports: Ports,
  options: {
    directory: string;
    roles: readonly string[];
    join: Target | undefined;
    /** Starts the other parts of an own swarm. */
    onServer?: SupervisorOptions["onServer"];
  },
): Promise<{ close(): Promise<void> }> {
  const { config, environment, signal, terminal } = ports;
  await provideAnalysers(ports);
  // A joined swarm has a server.
  const install = { ...ports, directory: userFolder(environment) };
  const natsServer = options.join === undefined ? await natsServerFor(install) : config.natsServer;
  const startedMs = performance.now();
  const dataDir = mkdtempSync(join(tmpdir(), "murmur-review-"));
  const loads = groupRoles(options.roles, availableParallelism());
  const directories = trustedAgentDirectories(ports);
  const [agentsDir = config.agentsDir] = directories;
  try {
    const programs = await programsOf(directories, options.roles);
    const supervisor = await startSupervisor({
      config: {
        ...config,
        natsServer,
        agentsDir,
        data: dataDir,
        prefix: options.join?.prefix ?? config.prefix,
        context: options.join?.context,
        httpHost: "127.0.0.1",
        drainGraceMs: REVIEW_GRACE_MS,
        heapMb: Math.max(config.heapMb, REVIEW_HEAP_MB),
        execAllow: programs,
        execDirectories: [options.directory, analysersDirectory(), tmpdir()],
      },
      roles: Object.keys(loads),
      loads,
      readOnlyRoles: readOnlyOf(loads),
      // It knows the shipped agents, and an own server.
      agentProgram: options.join === undefined && directories.length === 1 ? REVIEW_HOST : undefined,
      isLasting: false,
      // The process of the review itself does the work of an api process and of a coordinator.
      withApi: false,
      onServer: options.onServer,
      joinServer: options.join === undefined ? undefined : serversOf(options.join),
      environment,
      // A private folder: a `murmur.yaml` of the working directory does not reach the processes.
      directory: dataDir,
      log: logOf(ports),
      signal,
      onStep: (step) => terminal.status(step),
    });
    terminal.status(
      `${options.roles.length} review agents are up after ${showDuration(performance.now() - startedMs)}`,
    );
    return {
      close: async () => {
        await supervisor.stop();
        rmSync(dataDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The programs that the agents of these roles run. Those of the shipped agents are known; the files of other agents are loaded, which takes
 * half a second of CPU time.
 */
async function programsOf(directories: readonly string[], roles: readonly string[]): Promise<string[]> {
  if (directories.length === 1) return linterPrograms();
  const definitions = await loadRoles(directories, roles);
  return [...new Set(definitions.flatMap((definition) => definition.exec?.allow ?? []))];
}
