// `up`: a whole swarm on this machine, in the foreground or detached.
import { resolve } from "node:path";
import { z } from "zod";
import { redactText } from "../../../base/index.ts";
import { CLUSTER_SIZES } from "../../../coordinator/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { showLogLine } from "../../cli/log-lines.ts";
import { showDuration, table } from "../../cli/terminal.ts";
import { parseAgents } from "../../supervisor/plan.ts";
import { readLockHolder, readRunningSwarm, type SwarmState } from "../../supervisor/state.ts";
import { resolveTarget, serversOf, type Target } from "../../target.ts";

const processSchema = z.object({
  role: z.string(),
  name: z.string(),
  pid: z.int(),
  /** URL of its metrics; null for nats-server. */
  metrics: z.string().nullable(),
});

/** The answer of `up --detach --json`. */
export const swarmSchema = z.object({
  server: z.string(),
  http: z.string(),
  dataDir: z.string(),
  processes: z.array(processSchema),
  alreadyRunning: z.literal(true).optional(),
});

export const command = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({
    agents: z
      .string()
      .default("echo")
      .meta({ description: "roles to run, one process each: echo,echo or echo*5", value: "LIST" }),
    coordinators: z
      .int()
      .refine((count) => count === 0 || CLUSTER_SIZES.includes(count), "must be 0, 1, 3, 5 or 7")
      .optional()
      .meta({
        description: "how many coordinators: 0, 1, 3, 5 or 7 (default: 1; 0 when a server is joined)",
        value: "N",
      }),
    http: z
      .int()
      .min(0)
      .max(65_535)
      .optional()
      .meta({ description: "port of the HTTP API (default: a free one)", value: "PORT" }),
    detach: z
      .boolean()
      .default(false)
      .meta({ description: "return once all processes are ready; murmur down stops it" }),
  }),
  output: swarmSchema,
  examples: ["up", "up --agents echo*4 --http 7070", "up --detach --json", "up --detach --data /tmp/second"],
  details:
    "Starts a private nats-server with JetStream (or joins a server: --server, --context), the API, the\ncoordinator and the agents. All data stays under --data (default .murmur). Without --detach it runs until Ctrl-C.",
  async run(ports, input) {
    const startedMs = performance.now();
    const { config, terminal, signal } = ports;
    const dataDir = resolve(ports.directory, config.data);
    const join = await targetToJoin(ports);
    const own = { ...config, data: dataDir, context: join?.context };
    const roles = parseAgents(input.agents);
    await checkRoles(ports, roles);
    const orders = {
      config: own,
      roles,
      // The swarm of a joined server has its own coordinators, and two with one id would take the office from each other.
      coordinators: input.coordinators ?? (join === null ? 1 : 0),
      httpPort: input.http,
      joinServer: join === null ? undefined : serversOf(join),
    };
    const running = readRunningSwarm(dataDir);
    if (running !== null) return toOutput(running, dataDir, true);
    if (input.detach) {
      const { startDetached } = await import("../../supervisor/detach.ts");
      const state = await startDetached(orders, { signal, onStep: (step) => terminal.status(step) });
      if (state === null) return toOutput(await waitForOther(dataDir), dataDir, true);
      terminal.say(`the swarm is up after ${showDuration(performance.now() - startedMs)}`);
      return toOutput(state, dataDir, false);
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
      const output = toOutput(supervisor.state, dataDir, false);
      ports.answer(output);
      terminal.say(`up after ${showDuration(performance.now() - startedMs)}; Ctrl-C stops it`);
      await supervisor.stopped;
      return output;
    } catch (error) {
      // A swarm that is told to stop while it starts has not failed.
      if (signal.aborted)
        return { server: redactText(orders.joinServer ?? ""), http: "", dataDir, processes: [] };
      if (!(error instanceof AlreadyRunning)) throw error;
      return toOutput(await waitForOther(dataDir), dataDir, true);
    }
  },
  render: (output, terminal) => {
    if (output.processes.length === 0) return "stopped before the swarm was up";
    if (output.alreadyRunning === true) {
      return `${terminal.colors.yellow("a swarm runs here already")}\n${showSwarm(output)}`;
    }
    return showSwarm(output);
  },
});

function showSwarm(output: z.output<typeof swarmSchema>): string {
  const facts = `server  ${output.server}\nhttp    ${output.http}\ndata    ${output.dataDir}\n`;
  return `${facts}\n${table(
    ["NAME", "ROLE", "PID", "METRICS"],
    output.processes.map(({ name, role, pid, metrics }) => [name, role, String(pid), metrics ?? "-"]),
    "no processes",
  )}`;
}

function toOutput(state: SwarmState, dataDir: string, already: boolean): z.output<typeof swarmSchema> {
  return {
    server: redactText(state.server),
    http: state.http,
    dataDir,
    processes: state.processes.map(({ role, name, pid, metrics }) => ({ role, name, pid, metrics })),
    ...(already ? { alreadyRunning: true as const } : {}),
  };
}

/** @throws SwarmError `invalid_input` for an unknown role, before anything starts. */
async function checkRoles(ports: Ports, roles: readonly string[]): Promise<void> {
  const { listRoles } = await import("../../../agent/index.ts");
  const { agentDirectories } = await import("../../processes/roles.ts");
  const known = (await listRoles(agentDirectories(ports))).map(({ role }) => role);
  const unknown = roles.find((role) => !known.includes(role));
  if (unknown === undefined) return;
  throw new SwarmError(
    "invalid_input",
    `--agents: role ${unknown} is not known; known: ${known.join(", ") || "none"}`,
    {
      field: "agents",
    },
  );
}

/**
 * The swarm to join, or null. `up` starts its own server unless a flag or the configuration file names a server: NATS_URL of
 * the environment is for the other commands.
 */
async function targetToJoin(ports: Ports): Promise<Target | null> {
  const { sources, config, environment } = ports;
  const isExplicit = (source: string) => source.startsWith("flag") || source.startsWith("file");
  if (!isExplicit(sources.server) && !isExplicit(sources.context)) return null;
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
