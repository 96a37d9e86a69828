// `status`: the swarm at a glance: the processes of the data directory, and the swarm as NATS knows it.
import { resolve } from "node:path";
import { z } from "zod";
import { redactText } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { showDuration, type Terminal, table } from "../../cli/terminal.ts";
import { showSwarm } from "../../operations/swarm-status.ts";
import { readLockHolder, type SwarmState } from "../../supervisor/state.ts";
import { refuseDeadSwarm, resolveTarget, serversOf } from "../../target.ts";
import { callOperation } from "../face.ts";

const localSchema = z.object({
  dataDir: z.string(),
  http: z.string(),
  supervisor: z.object({ pid: z.int(), version: z.string() }),
  processes: z.array(
    z.object({
      name: z.string(),
      role: z.string(),
      pid: z.int().nullable(),
      status: z.string(),
      upMs: z.number().nullable(),
      restarts: z.int(),
      lastExit: z.string().nullable(),
      /** URL of its metrics; null for nats-server. */
      metrics: z.string().nullable(),
    }),
  ),
});

const outputSchema = z.object({
  server: z.string(),
  /** The processes of this machine's data directory; null for a swarm elsewhere. */
  local: localSchema.nullable(),
  swarm: showSwarm.output,
});
type Output = z.output<typeof outputSchema>;

export const command = defineCommand({
  input: z.strictObject({}),
  output: outputSchema,
  examples: ["status", "status --json", "status --server nats://nats:4222"],
  details:
    "For the swarm of the data directory, and for any other swarm with --server, --context or NATS_URL: then only NATS is asked.\nEach part has 200 ms to answer; a part without an answer is named. Exit code 1 when a process of the data directory has failed,\n3 when no swarm runs there or no server answers. doctor looks closer, and says what to do.",
  async run(ports) {
    const { config, sources, environment, directory } = ports;
    const target = await resolveTarget(config, sources, environment);
    const dataDir = resolve(directory, config.data);
    refuseDeadSwarm(target, config.data);
    const isNamed = [sources.server, sources.context].some((source) => source !== "default");
    if (target.swarm === null && !isNamed) throw nothingRuns(dataDir);
    const swarm = await callOperation(ports, showSwarm, {});
    return {
      server: redactText(serversOf(target)),
      local: target.swarm === null ? null : toLocal(target.swarm, dataDir),
      swarm,
    };
  },
  render: (output, terminal) => render(output, terminal),
  exitCode: ({ local }) => (local?.processes.some(({ status }) => status === "failed") === true ? 1 : 0),
});

function nothingRuns(dataDir: string): SwarmError {
  const isStarting = readLockHolder(dataDir) !== null;
  return new SwarmError(
    "unavailable",
    isStarting
      ? `the swarm in ${dataDir} is starting or stopping; try again, or see murmur logs`
      : `no swarm runs in ${dataDir}; murmur up --detach starts one, --server URL or NATS_URL names one elsewhere`,
  );
}

function toLocal({ http, supervisor, program, processes }: SwarmState, dataDir: string) {
  const nowMs = Date.now();
  return {
    dataDir,
    http,
    supervisor: { pid: supervisor.pid, version: program },
    processes: processes.map(({ name, role, pid, status, startedAtMs, restarts, lastExit, metrics }) => ({
      name,
      role,
      pid: pid === 0 ? null : pid,
      status,
      upMs: startedAtMs === null ? null : Math.max(0, nowMs - startedAtMs),
      restarts,
      lastExit,
      metrics,
    })),
  };
}

function render({ server, local, swarm }: Output, terminal: Terminal): string {
  const { colors } = terminal;
  const unknown = colors.yellow("no answer");
  const { office, agents, delayed, deadLetters } = swarm;
  const states = agents === null ? null : Object.entries(agents).map(([state, count]) => `${count} ${state}`);
  const facts = [
    ["server", `${server} (prefix ${swarm.prefix})`],
    ...(local === null
      ? []
      : [
          ["http", local.http],
          [
            "data",
            `${local.dataDir} (supervisor ${local.supervisor.pid}, Murmur ${local.supervisor.version})`,
          ],
        ]),
    ["office", office === null ? unknown : showOffice(office, colors)],
    ["agents", states === null ? unknown : states.join(", ") || colors.yellow("none answers")],
    ["delayed", delayed === null ? unknown : `${delayed} tasks`],
    [
      "dead",
      deadLetters === null
        ? unknown
        : deadLetters === 0
          ? "none"
          : colors.yellow(`${deadLetters} letters: murmur dead ls`),
    ],
  ];
  return [
    facts.map(([name, text]) => `${name!.padEnd(8)}${text}`).join("\n"),
    local === null ? showRemote(swarm.processes, unknown) : showLocal(local, terminal),
    showQueues(swarm.queues, terminal) ?? `queues  ${unknown}`,
    ...swarm.unanswered.map(({ part, reason }) =>
      colors.yellow(`${part}: ${reason}; murmur doctor tells more`),
    ),
  ].join("\n\n");
}

function showOffice(office: NonNullable<Output["swarm"]["office"]>, colors: Terminal["colors"]): string {
  if (office.coordinators === 0) return colors.yellow("no coordinator answers; tasks flow without one");
  const { leader, term, coordinators, lag } = office;
  const who = leader === null ? colors.yellow("no leader") : `${leader} leads`;
  return `${who}, term ${term}, ${coordinators} coordinators${lag > 0 ? `, one lags ${lag} entries` : ""}`;
}

function showLocal({ processes }: NonNullable<Output["local"]>, { colors }: Terminal): string {
  return table(
    ["PROCESS", "STATUS", "PID", "UP", "RESTARTS", "METRICS"],
    processes.map(({ name, pid, status, upMs, restarts, metrics }) => [
      name,
      status === "running"
        ? colors.green(status)
        : status === "failed"
          ? colors.red(status)
          : colors.yellow(status),
      pid === null ? "-" : String(pid),
      upMs === null ? "-" : showDuration(upMs),
      String(restarts),
      metrics ?? "-",
    ]),
    "no processes",
  );
}

function showRemote(processes: Output["swarm"]["processes"], unknown: string): string {
  if (processes === null) return `processes  ${unknown}`;
  return table(
    ["PROCESS", "ROLE", "PID", "VERSION"],
    processes.map(({ id, role, pid, version }) => [id, role, String(pid), version]),
    "no process of this swarm answers; start some, or check --prefix",
  );
}

function showQueues(queues: Output["swarm"]["queues"], { colors }: Terminal): string | null {
  if (queues === null) return null;
  return table(
    ["CAPABILITY", "WAITING", "RUNNING", "STATE"],
    queues.map(({ capability, waiting, inFlight, state, since, by }) => [
      capability,
      String(waiting),
      String(inFlight),
      state === "open" ? state : colors.yellow(`${state}${since === null ? "" : ` since ${since} by ${by}`}`),
    ]),
    "no capability has been offered yet",
  );
}
