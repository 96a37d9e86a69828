// `up`: a whole swarm on this machine, in the foreground or detached.
import { resolve } from "node:path";
import { z } from "zod";
import { redactText } from "../../../base/index.ts";
import { CLUSTER_SIZES } from "../../../coordinator/index.ts";
import { parse, SwarmError } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { showLogLine } from "../../cli/log-lines.ts";
import { showDuration, table } from "../../cli/terminal.ts";
import { natsServerFor } from "../../install/tools.ts";
import type { Config } from "../../settings.ts";
import { callSupervisor } from "../../supervisor/control/control.ts";
import { MAX_ENGINES, parseAgents } from "../../supervisor/plan.ts";
import { hashSources, readProgram } from "../../supervisor/sources/sources.ts";
import { readLockHolder, readRunningSwarm, type SwarmState } from "../../supervisor/state.ts";
import { programDifference } from "../../supervisor/wanted/changes.ts";
import { viewSettings } from "../../supervisor/wanted/settings.ts";
import { type Asked, countRoles, markServer, readWanted, startWith } from "../../supervisor/wanted/wanted.ts";
import { resolveFrom, resolveTarget, serversOf, type Target } from "../../target.ts";
import { VERSION } from "../../version.ts";

const processSchema = z.object({
  role: z.string(),
  name: z.string(),
  pid: z.int(),
  /** URL of its metrics; null for nats-server. */
  metrics: z.string().nullable(),
});

const differenceSchema = z.object({
  kind: z.enum(["setting", "server", "program", "code", "process"]),
  /** The setting, the role or the process. */
  name: z.string(),
  detail: z.string(),
  /** The command that applies it. */
  apply: z.string(),
  /** True when this `up` asked for it: then the exit code is 1. */
  asked: z.boolean(),
});

const answerSchema = z.object({ changes: z.array(z.string()), differences: z.array(differenceSchema) });

/** The answer of `up --detach --json`. The last three fields are there when a swarm ran already. */
export const swarmSchema = z.object({
  server: z.string(),
  http: z.string(),
  dataDir: z.string(),
  processes: z.array(processSchema),
  alreadyRunning: z.literal(true).optional(),
  /** The changes that this `up` made. */
  changes: z.array(z.string()).optional(),
  /** The differences between the running swarm and this `up` that remain. */
  differences: z.array(differenceSchema).optional(),
});

type Output = z.output<typeof swarmSchema>;

export const command = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({
    agents: z.string().optional().meta({
      description:
        "the roles that shall run, one process each: echo,echo or echo*5 (default: those of the last up here; echo at first)",
      value: "LIST",
    }),
    coordinators: z
      .int()
      .refine((count) => count === 0 || CLUSTER_SIZES.includes(count), "must be 0, 1, 3, 5 or 7")
      .optional()
      .meta({
        description:
          "how many coordinators: 0, 1, 3, 5 or 7 (default: as the last up here; 1 at first; 0 when a server is joined)",
        value: "N",
      }),
    engines: z.int().min(0).max(MAX_ENGINES).optional().meta({
      description:
        "how many engines for workflows, 0 to 8 (default: as the last up here; at first 1 when workflows/ has definitions, else 0)",
      value: "N",
    }),
    http: z.int().min(0).max(65_535).optional().meta({
      description: "port of the HTTP API; 0: a free one (default: as the last up here; a free one at first)",
      value: "PORT",
    }),
    permissions: z.string().min(1).optional().meta({
      value: "FILE",
      description:
        "start the own server with these permissions, and give each process its own user (default: MURMUR_PERMISSIONS_FILE)",
    }),
    watch: z
      .boolean()
      .default(false)
      .meta({ description: "restart a role when the files of its agent change" }),
    detach: z
      .boolean()
      .default(false)
      .meta({ description: "return once all processes are ready; murmur down stops it" }),
  }),
  output: swarmSchema,
  examples: [
    "up",
    "up --agents echo*4 --http 7070",
    "up --watch",
    "up --permissions deploy/permissions.yaml --coordinators 3",
    "up --detach --json",
    "up --detach --data /tmp/second",
  ],
  details:
    "Starts a private nats-server with JetStream (or joins a server: --server, --context), the API, the\ncoordinator and the agents. All data stays under --data (default .murmur). Without --detach it runs until Ctrl-C.\nWhen a swarm runs there already, up changes it: --agents, --coordinators, --engines and --http say what shall run, and a missing one\nchanges nothing. It lists the points that it cannot change; exit code 1 when one of them was asked for.",
  async run(ports, input) {
    const startedMs = performance.now();
    const { config, terminal, signal } = ports;
    const dataDir = resolve(ports.directory, config.data);
    const join = await targetToJoin(ports);
    const permissionsFile = permissionsOf(ports, input.permissions, join);
    const asked: Asked = {
      agents: input.agents === undefined ? undefined : countRoles(parseAgents(input.agents)),
      coordinators: input.coordinators,
      engines: input.engines,
      http: input.http,
    };
    const roleFiles = await findRoleFiles(ports);
    checkRoles(Object.keys(asked.agents ?? {}), roleFiles, "--agents");
    const request = { asked, join, roleFiles, watch: input.watch, permissionsFile };
    const running = readRunningSwarm(dataDir);
    if (running !== null) return changeRunning(ports, running, { ...request, dataDir });
    const joined = join === null ? null : markServer(serversOf(join));
    const wanted = startWith(asked, readWanted(dataDir), joined);
    checkRoles(Object.keys(wanted.agents), roleFiles, `the wanted state of ${dataDir}`);
    const orders = {
      config: { ...ownConfig(ports, dataDir, join), permissionsFile },
      permissionsFile,
      roles: Object.entries(wanted.agents).flatMap(([role, count]) => Array<string>(count).fill(role)),
      roleFiles,
      watch: input.watch,
      coordinators: wanted.coordinators,
      engines: wanted.engines ?? (await countDefaultEngines(ports)),
      wantedEngines: wanted.engines,
      httpPort: wanted.http ?? undefined,
      joinServer: join === null ? undefined : serversOf(join),
    };
    if (join === null) orders.config.natsServer = await natsServerFor(ports);
    if (input.detach) {
      const { startDetached } = await import("../../supervisor/detach.ts");
      const state = await startDetached(orders, { signal, onStep: (step) => terminal.status(step) });
      if (state === null) return changeRunning(ports, await waitForOther(dataDir), { ...request, dataDir });
      terminal.say(`the swarm is up after ${showDuration(performance.now() - startedMs)}`);
      return toOutput(state, dataDir);
    }
    const { startSupervisor, AlreadyRunning } = await import("../../supervisor/supervisor.ts");
    try {
      const supervisor = await startSupervisor({
        ...orders,
        environment: ports.environment,
        log: ports.log,
        signal,
        onStep: (step) => terminal.say(step),
        onLine: (name, line) => terminal.say(showLogLine(line, name, terminal.colors)),
      });
      const output = toOutput(supervisor.state, dataDir);
      ports.answer(output);
      terminal.say(`up after ${showDuration(performance.now() - startedMs)}; Ctrl-C stops it`);
      await supervisor.stopped;
      return output;
    } catch (error) {
      // A swarm that is told to stop while it starts has not failed.
      if (signal.aborted)
        return { server: redactText(orders.joinServer ?? ""), http: "", dataDir, processes: [] };
      if (!(error instanceof AlreadyRunning)) throw error;
      return changeRunning(ports, await waitForOther(dataDir), { ...request, dataDir });
    }
  },
  render: (output, { colors }) => {
    if (output.processes.length === 0) return "stopped before the swarm was up";
    return [
      ...(output.alreadyRunning === true ? [colors.yellow("a swarm runs here already")] : []),
      ...(output.changes ?? []).map((change) => `${colors.green("changed")}  ${change}`),
      ...(output.differences ?? []).map(
        ({ detail, apply, asked }) =>
          `${asked ? colors.red("differs") : colors.yellow("differs")}  ${detail}\n         → ${apply}`,
      ),
      showSwarm(output),
    ].join("\n");
  },
  exitCode: ({ differences = [] }) => (differences.some(({ asked }) => asked) ? 1 : 0),
});

/** Brings a running swarm to the asked state, and tells the differences that remain. */
async function changeRunning(
  ports: Ports,
  running: SwarmState,
  request: {
    dataDir: string;
    asked: Asked;
    join: Target | null;
    roleFiles: Readonly<Record<string, string>>;
    watch: boolean;
    permissionsFile: string | undefined;
  },
): Promise<Output> {
  const { terminal, signal } = ports;
  const { dataDir, asked, join, roleFiles, watch, permissionsFile } = request;
  const isGiven = permissionsFile !== undefined && ports.sources.permissionsFile === "default";
  const sources = isGiven ? { ...ports.sources, permissionsFile: "flag --permissions" } : ports.sources;
  const { control } = running;
  if (control === null) {
    const wantsChange = watch || Object.values(asked).some((value) => value !== undefined);
    const difference = { ...programDifference("an older version", VERSION), asked: wantsChange };
    return { ...toOutput(running, dataDir), alreadyRunning: true, changes: [], differences: [difference] };
  }
  const answer = await callSupervisor(
    control,
    {
      type: "up",
      asked,
      watch,
      roleFiles,
      settings: viewSettings({ ...ownConfig(ports, dataDir, join), permissionsFile }, sources),
      joined: join === null ? null : markServer(serversOf(join)),
      program: { version: VERSION, hash: hashSources(await readProgram()) },
    },
    { signal, onStep: (step) => terminal.status(step) },
  );
  const { changes, differences } = parse(answerSchema, answer, "answer of the supervisor");
  const now = readRunningSwarm(dataDir) ?? running;
  return { ...toOutput(now, dataDir), alreadyRunning: true, changes, differences };
}

/** The permissions file of the own server. @throws SwarmError `invalid_input` when a server is joined, which has its own permissions. */
function permissionsOf(ports: Ports, flag: string | undefined, join: Target | null): string | undefined {
  if (flag !== undefined && join !== null) {
    throw new SwarmError(
      "invalid_input",
      "--permissions is for the own server of up; a server that is joined has its permissions already",
      { field: "permissions" },
    );
  }
  const path = join === null ? (flag ?? ports.config.permissionsFile) : undefined;
  return path === undefined ? undefined : resolveFrom(ports.directory, path);
}

/** The settings of the swarm, with paths that do not depend on a working directory. */
function ownConfig({ config, directory }: Ports, dataDir: string, join: Target | null): Config {
  const agentsDir = resolveFrom(directory, config.agentsDir);
  const workflowsDir = resolveFrom(directory, config.workflowsDir);
  return { ...config, data: dataDir, agentsDir, workflowsDir, context: join?.context };
}

function showSwarm(output: z.output<typeof swarmSchema>): string {
  const facts = `server  ${output.server}\nhttp    ${output.http}\ndata    ${output.dataDir}\n`;
  return `${facts}\n${table(
    ["NAME", "ROLE", "PID", "METRICS"],
    output.processes.map(({ name, role, pid, metrics }) => [name, role, String(pid), metrics ?? "-"]),
    "no processes",
  )}`;
}

function toOutput(state: SwarmState, dataDir: string): Output {
  return {
    server: redactText(state.server),
    http: state.http,
    dataDir,
    processes: state.processes.map(({ role, name, pid, metrics }) => ({ role, name, pid, metrics })),
  };
}

/** The agent file of each known role. */
export async function findRoleFiles(ports: Ports): Promise<Record<string, string>> {
  const { listRoles } = await import("../../../agent/index.ts");
  const { agentDirectories } = await import("../../processes/roles.ts");
  const known = await listRoles(agentDirectories(ports));
  return Object.fromEntries(known.map(({ role, file }) => [role, file]));
}

/** One engine where the project has definitions of workflows. */
async function countDefaultEngines(ports: Ports): Promise<number> {
  const { listDefinitionFiles } = await import("../../processes/definitions.ts");
  const files = await listDefinitionFiles(resolveFrom(ports.directory, ports.config.workflowsDir));
  return files.length > 0 ? 1 : 0;
}

/** @throws SwarmError `invalid_input` for an unknown role, before anything starts. */
function checkRoles(roles: readonly string[], known: Readonly<Record<string, string>>, source: string): void {
  const unknown = roles.find((role) => !Object.hasOwn(known, role));
  if (unknown === undefined) return;
  const next = source === "--agents" ? "" : "; name the roles with --agents";
  throw new SwarmError(
    "invalid_input",
    `${source}: role ${unknown} is not known; known: ${Object.keys(known).join(", ") || "none"}${next}`,
    { field: "agents" },
  );
}

/** The settings that make a connection demand TLS. */
const TLS_SETTINGS = ["tlsCa", "tlsCert", "tlsFirst"] as const;

/**
 * The swarm to join, or null. `up` starts its own server unless a flag or the configuration file names a server: NATS_URL of
 * the environment is for the other commands.
 */
async function targetToJoin(ports: Ports): Promise<Target | null> {
  const { sources, config, environment } = ports;
  const isExplicit = (source: string) => source.startsWith("flag") || source.startsWith("file");
  if (!isExplicit(sources.server) && !isExplicit(sources.context)) {
    // The processes of `up` read the file too, and would demand TLS of its own server, which has none.
    const tls = TLS_SETTINGS.find((name) => isExplicit(sources[name]));
    if (tls === undefined) return null;
    throw new SwarmError(
      "invalid_input",
      `${sources[tls]}: ${tls} is given without a server, and the own server of up has no TLS: name the server beside it, or leave ${tls} out`,
      { field: tls },
    );
  }
  return resolveTarget(config, sources, environment);
}

/** How long another `up` of the same directory may take to get ready, in ms. */
const OTHER_READY_MS = 90_000;

/** Waits for the swarm of another `up` that holds the directory. @throws SwarmError `unavailable` when it does not get ready. */
async function waitForOther(dataDir: string): Promise<SwarmState> {
  const endMs = Date.now() + OTHER_READY_MS;
  while (Date.now() < endMs && readLockHolder(dataDir) !== null) {
    const state = readRunningSwarm(dataDir);
    if (state !== null) return state;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new SwarmError(
    "unavailable",
    `another up of ${dataDir} did not get ready; see ${dataDir}/logs, or run murmur down and try again`,
  );
}
