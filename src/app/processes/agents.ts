// The process that runs agents: their host, the worker that pulls tasks for them, and the roll call.
import { registerHooks } from "node:module";
import {
  type AgentDefinition,
  createHost,
  type Exec,
  type Host,
  loadRoles,
  type SharedPort,
} from "../../agent/index.ts";
import { createService, type Service } from "../../base/index.ts";
import { createExec } from "../../bridges/index.ts";
import { createLeaseKeeper, createOfficeClient } from "../../coordinator/index.ts";
import { createSubjects, PRIORITIES, type StreamKey, SwarmError } from "../../protocol/index.ts";
import { inboxPrefixOf, type Transport } from "../../transport/index.ts";
import {
  COUNTED_OUTCOMES,
  createHostDoor,
  createWorker,
  FAILURE_CODES,
  listCapabilities,
  queueConsumer,
  RESULT_STATUSES,
  SharedStore,
} from "../../work/index.ts";
import { createClassFinder } from "../agents/classes.ts";
import { createRollCall, describeRole } from "../agents/roll-call.ts";
import type { Ports } from "../cli/command.ts";
import { CONFIG_FILE } from "../config.ts";
import { readOwnManifest } from "../own-package.ts";
import { agentUser } from "../permissions/index.ts";
import { environmentName } from "../settings.ts";
import { SetupError } from "../setup-error.ts";
import { isSupervised } from "../supervisor/supervisor-link.ts";
import { resolveFrom } from "../target.ts";
import { VERSION } from "../version.ts";
import {
  type Assembly,
  createProcessAudit,
  type ProcessKind,
  type ProcessParts,
  runProcess,
} from "./frame.ts";
import type { ProbePort } from "./probe-port.ts";
import { agentDirectories } from "./roles.ts";
import { awaitConsumers, awaitStreams, consumersCheck, placedCheck, waitForPlacedStream } from "./streams.ts";
import { createVotes } from "./votes.ts";

/** The first process of a container. The kernel makes it the parent of every orphan, and Node.js waits only for its own children. */
const INIT_PID = 1;

/** The longest role of a process of several roles, in characters: it becomes a part of ids and names. */
const MAX_ROLE_LENGTH = 40;

/** The name of this package, or of a door below it. */
const OWN_NAME = /^murmur-swarm(\/|$)/;

/** The facts for `onReady`. */
export interface AgentsReady {
  hostId: string;
  /** The base URL of /livez, /readyz and /metrics. */
  probesUrl: string;
  capabilities: string[];
}

/**
 * Runs agents until the session's signal aborts; then drains them. `port`: its probes, which listen already.
 * @throws SetupError for an unknown role, an agent's file that does not fit, and commands that are not allowed; SwarmError
 *   `unavailable`, `not_permitted` when NATS refuses.
 */
export async function runAgents(
  ports: Ports,
  { roles, port }: { roles: readonly string[]; port: ProbePort },
  onReady: (facts: AgentsReady) => void,
): Promise<void> {
  const role = [...new Set(roles)].join("+").slice(0, MAX_ROLE_LENGTH);
  await runProcess(ports, {
    port,
    name: "murmur-agent",
    role,
    processId: isSupervised() ? undefined : ports.config.hostId,
    loading: `loading ${roles.length === 1 ? "the agent" : "the agents"} ${role}`,
    load: () => loadProcess(ports, roles, { role, onReady }),
  });
}

async function loadProcess(
  ports: Ports,
  roles: readonly string[],
  { role, onReady }: { role: string; onReady: (facts: AgentsReady) => void },
): Promise<ProcessKind> {
  const definitions = await loadAgents(ports, roles);
  if (process.pid === INIT_PID && definitions.some(({ exec }) => exec !== undefined)) {
    ports.log.warn(
      "this process is process 1 and its agents run commands; children that a command leaves behind stay as zombies. Run it below an init: the image's target tools, docker run --init, or shareProcessNamespace in a pod",
    );
  }
  const { createConsumers } = ports.config;
  const capabilities = listOffered(definitions);
  return {
    description: `Murmur agents: ${roles.join(", ")}`,
    preparation: createConsumers ? awaitStreams : awaitConsumers(capabilities),
    timeOf: createConsumers ? undefined : timeOf(capabilities),
    mayOperate: true,
    prepare: ({ transport, log, processId, signal }, tell) =>
      waitForPlacedStream(
        transport,
        { agentClass: ports.config.agentClass, hostId: processId, log, signal },
        tell,
      ),
    assemble: (parts) => assembleAgents(parts, { ports, role, definitions, onReady }),
  };
}

function listOffered(definitions: readonly AgentDefinition[]): string[] {
  return [...new Set(definitions.flatMap(({ capabilities }) => capabilities))].sort();
}

/** The consumer that tells the time to a process that may look at its own consumers only; any one does. */
function timeOf([capability]: readonly string[]): { stream: StreamKey; consumer: string } | undefined {
  return capability === undefined
    ? undefined
    : { stream: "tasks", consumer: queueConsumer(capability, "normal") };
}

/**
 * The front door for a process whose user may touch its own subjects only: the api process reads the trails of tasks for it, trims their
 * journals, and delays tasks. The setting operateAs, or the inbox prefix of the class's user, tells that user. Undefined: the process uses
 * the streams itself.
 */
function findDoor(
  transport: Transport,
  { operateAs, inboxPrefix, agentClass }: Pick<Ports["config"], "operateAs" | "inboxPrefix" | "agentClass">,
): ReturnType<typeof createHostDoor> | undefined {
  const ofClass = agentUser(agentClass);
  const user = operateAs ?? (inboxPrefix === inboxPrefixOf(ofClass) ? ofClass : undefined);
  return user === undefined ? undefined : createHostDoor({ transport, user });
}

/** The shared values of workflows for a process that may use the streams itself. An agent's name is a claim there. */
export function createOwnShared(transport: Transport): SharedPort {
  const store = new SharedStore({ transport, subjects: createSubjects(transport.prefix) });
  return {
    get: ({ workflowId, name }) => store.get({ workflowId, name }),
    set: ({ workflowId, name, value, revision, agent }) =>
      store.set({ workflowId, name, value, revision, by: { user: agent, proven: false } }),
  };
}

function assembleAgents(
  parts: ProcessParts,
  options: {
    ports: Ports;
    role: string;
    definitions: readonly AgentDefinition[];
    onReady: (facts: AgentsReady) => void;
  },
): Assembly {
  const { transport, meter, log, processId, tracer } = parts;
  const { ports, role, definitions, onReady } = options;
  const { agentClass } = ports.config;
  const writer = createProcessAudit(parts, role.replaceAll("+", "_"));
  meter.startAtZero({
    capability: listOffered(definitions),
    role: definitions.map(({ name }) => name),
    priority: PRIORITIES,
    status: RESULT_STATUSES,
    code: FAILURE_CODES,
    outcome: COUNTED_OUTCOMES,
  });
  const door = findDoor(transport, ports.config);
  const host = createHost({
    transport,
    meter,
    log,
    tracer,
    hostId: processId,
    agentClass,
    role,
    version: VERSION,
    exec: createAllowedExec(ports),
    votes: createVotes(),
    locks: createLeaseKeeper({ office: createOfficeClient({ transport }), log }),
    shared: door?.shared ?? createOwnShared(transport),
    // A list of consumers is no right of an agent elsewhere; its errors of asks then name no capabilities.
    knownCapabilities: ports.config.createConsumers ? () => listCapabilities(transport) : undefined,
    findClass: createClassFinder(transport),
    roles: countRoles(definitions),
  });
  const worker = createWorker({
    transport,
    meter,
    log,
    tracer,
    hostId: processId,
    agentClass,
    workforce: host.workforce,
    capabilities: host.capabilities,
    audit: writer.audit,
    createsConsumers: ports.config.createConsumers,
    door,
  });
  const rollCall = createRollCall({
    transport,
    status: () => host.status(),
    describe: () => definitions.map(describeRole),
    log,
  });
  const capabilities = host.capabilities.map(({ name }) => name);
  return {
    services: {
      records: [...writer.services, createConsoleCapture(host)],
      listeners: [],
      core: [host.service],
      doors: [worker, rollCall],
    },
    checks: [consumersCheck(worker), placedCheck(worker)],
    onReady: (probesUrl) => onReady({ hostId: processId, probesUrl, capabilities }),
    async drain() {
      const graceMs = ports.config.drainGraceMs;
      const [, givenBack] = await Promise.all([host.drain({ graceMs }), worker.drain({ graceMs })]);
      log.info({ givenBack }, "drained");
    },
  };
}

/**
 * Loads the roles, and checks everything that only a person can mend, before the process waits for NATS.
 * @throws SetupError.
 */
export async function loadAgents(ports: Ports, roles: readonly string[]): Promise<AgentDefinition[]> {
  resolveOwnName();
  try {
    const definitions = await loadRoles(agentDirectories(ports), roles);
    refuseForbiddenCommands(definitions, ports.config);
    return definitions;
  } catch (error) {
    throw SetupError.from(error);
  }
}

/** @throws SwarmError `not_permitted` for agents that run commands, while the process allows none: names all of them. */
function refuseForbiddenCommands(definitions: readonly AgentDefinition[], config: Ports["config"]): void {
  if (config.execAllow.length > 0) return;
  const names = new Set<string>();
  const programs = new Set<string>();
  for (const { name, exec } of definitions) {
    if (exec === undefined) continue;
    names.add(name);
    for (const program of exec.allow) programs.add(program);
  }
  if (names.size === 0) return;
  const wanted = [...programs].join(",");
  throw new SwarmError(
    "not_permitted",
    `agent ${[...names].join(", ")} runs commands (${[...programs].join(", ")}), but this process allows none; set ${environmentName("execAllow")}=${wanted} (or execAllow in ${CONFIG_FILE}) to allow them. They then run below ${config.execDirectories.join(", ") || "the working directory"} (${environmentName("execDirectories")})`,
    { field: "execAllow" },
  );
}

/** The standard output of this process belongs to its command, so the agents' console lines go to the log. */
function createConsoleCapture(host: Host): Service {
  let release = () => {};
  return createService({
    name: "console",
    start: () => {
      release = host.captureConsole();
    },
    stop: () => release(),
  });
}

/** Agents run commands only when the operator named programs and directories. */
function createAllowedExec({ config, directory }: Ports): Exec | undefined {
  if (config.execAllow.length === 0) return undefined;
  const [first, ...more] = config.execDirectories.map((path) => resolveFrom(directory, path));
  return createExec({ allow: config.execAllow, directories: [first ?? directory, ...more] });
}

function countRoles(definitions: readonly AgentDefinition[]) {
  const counts = new Map<AgentDefinition, number>();
  for (const definition of definitions) counts.set(definition, (counts.get(definition) ?? 0) + 1);
  return [...counts].map(([definition, count]) => ({ definition, count }));
}

/**
 * Lets agents and workflows outside this package import its doors (`murmur-swarm` and those below it) without installing it. Every agent of
 * a process gets the doors of the program that runs it: a second copy would bring a second `SwarmError`. The packages that agents
 * share with the program (its peers, zod and xstate) are the agent's own, and the program's where the agent has none: for example
 * in a folder that is mounted into a container.
 */
export function resolveOwnName(): void {
  const peers = Object.keys(readOwnManifest().peerDependencies);
  const isPeer = (specifier: string) =>
    peers.some((name) => specifier === name || specifier.startsWith(`${name}/`));
  registerHooks({
    resolve(specifier, context, next) {
      const fromHere = { ...context, parentURL: import.meta.url };
      if (OWN_NAME.test(specifier)) return next(specifier, fromHere);
      if (!isPeer(specifier)) return next(specifier, context);
      try {
        return next(specifier, context);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw error;
        return next(specifier, fromHere);
      }
    },
  });
}
