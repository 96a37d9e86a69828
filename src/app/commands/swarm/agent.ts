// `agent …`: run agents in this process; see and steer those that live.
import { z } from "zod";
import { type AgentStatus, agentStatusSchema, tokenSchema } from "../../../protocol/index.ts";
import { commandAgent, listAgents, showAgent } from "../../agents/roll-call.ts";
import { defineCommand } from "../../cli/command.ts";
import { READ_TIMEOUT_MS, reading } from "../../cli/session.ts";
import { showDuration, type Terminal, table } from "../../cli/terminal.ts";

export const run = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({
    roles: z.array(tokenSchema).min(1, "name at least one role").meta({
      positional: true,
      value: "ROLE",
      description: "a folder with an agent.ts; a role may be repeated",
    }),
  }),
  output: z.object({ status: z.literal("stopped") }),
  examples: ["agent run echo", "agent run echo echo --server nats://nats:4222"],
  details:
    "One process with these agents; what pods run. Roles are looked for in ./agents (MURMUR_AGENTS_DIR), then among those\nthat ship with Murmur. SIGTERM drains: running tasks finish within MURMUR_DRAIN_GRACE_MS, the rest goes back to the queue.",
  async run(ports, { roles }) {
    const { runAgents } = await import("../../processes/frame.ts");
    await runAgents(ports, roles, ({ operationsUrl, capabilities }) =>
      ports.log.info({ capabilities, metrics: `${operationsUrl}/metrics` }, "agents are ready"),
    );
    return { status: "stopped" as const };
  },
  render: () => "",
});

export const ls = defineCommand({
  input: z.strictObject({}),
  output: z.object({ agents: z.array(agentStatusSchema) }),
  examples: ["agent ls", "agent ls --json"],
  details:
    "Living agents only. With a coordinator in office: its registry, with what each agent said last (a heartbeat comes every\n5 s, and at once when an agent begins or ceases to take work). Without: those that answer (2 s at most; 250 ms after the last answer).",
  run: async (ports) => ({
    agents: await reading(
      ports,
      ports.transport().then((transport) => listAgents(transport)),
    ),
  }),
  render: ({ agents }, terminal) =>
    table(
      ["ID", "STATE", "SLOTS", "CAPABILITIES", "WAITS FOR", "PID", "UP", "HOST"],
      agents.map((agent) => [
        agent.id,
        paintState(agent, terminal),
        `${agent.slots.used}/${agent.slots.total}`,
        agent.capabilities.join(","),
        agent.waiting ?? "-",
        String(agent.pid),
        showDuration(Date.now() - Date.parse(agent.since)),
        agent.host,
      ]),
      "no agents answer; murmur up or murmur agent run starts some",
    ),
});

const one = z.strictObject({
  agent: tokenSchema.meta({ positional: true, value: "AGENT", description: "an id of murmur agent ls" }),
});

/** The commands that steer one agent and show what it is then. */
function verb(name: "pause" | "resume" | "drain", details: string) {
  return defineCommand({
    input: one,
    output: agentStatusSchema,
    examples: [`agent ${name} echo-4k2m9x7q1z`],
    details,
    run: async (ports, { agent }) =>
      commandAgent(await ports.transport(), agent, name, ports.config.timeoutMs ?? READ_TIMEOUT_MS),
    render: (agent, terminal) => renderAgent(agent, terminal),
  });
}

function renderAgent(agent: AgentStatus, terminal: Terminal): string {
  const skills = {
    expertise: agent.expertise?.join(", "),
    triggers: agent.triggers?.join(", "),
    model: agent.model,
  };
  return Object.entries({
    id: agent.id,
    role: agent.role,
    state: paintState(agent, terminal),
    "waits for": agent.waiting ?? "-",
    capabilities: agent.capabilities.join(", "),
    "vote key": agent.publicKey,
    slots: `${agent.slots.used} of ${agent.slots.total} used`,
    ...skills,
    loop: String(agent.loop),
    process: `${agent.pid} on ${agent.host}`,
    since: agent.since,
    version: agent.version,
  })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key.padEnd(13)}${value}`)
    .join("\n");
}

const recordSchema = z.object({
  capability: z.string(),
  /** Outcomes of tasks that were placed on it, and those of them that failed. */
  count: z.int(),
  failures: z.int(),
  /** Of the last 50 or so. */
  successRate: z.number(),
  meanMs: z.number(),
});

export const show = defineCommand({
  input: one,
  /** `record` and `equivocations` are null with nobody in office. */
  output: agentStatusSchema.extend({
    record: z.array(recordSchema).nullable(),
    /** Ballots in which its key signed two different values: it gets no seat in signed ballots any more. */
    equivocations: z.int().nullable(),
  }),
  examples: ["agent show echo-4k2m9x7q1z"],
  details:
    "What the agent says of itself, and its record of the tasks that the office placed on it.\nExit code 1 when the office knows no such agent, 3 when it does not answer.",
  run: async (ports, { agent }) =>
    showAgent(await ports.transport(), agent, ports.config.timeoutMs ?? READ_TIMEOUT_MS),
  render: (agent, terminal) =>
    [
      renderAgent(agent, terminal),
      ...renderEquivocations(agent.equivocations ?? 0, terminal),
      agent.record === null
        ? "record       nobody is in office to tell"
        : table(
            ["CAPABILITY", "PLACED", "FAILED", "SUCCESS", "MEAN TIME"],
            agent.record.map(({ capability, count, failures, successRate, meanMs }) => [
              capability,
              String(count),
              String(failures),
              `${Math.round(successRate * 100)} %`,
              showDuration(meanMs),
            ]),
            "record       nothing was placed on it yet",
          ),
    ].join("\n"),
});

function renderEquivocations(ballots: number, { colors }: Terminal): string[] {
  if (ballots === 0) return [];
  const times = ballots === 1 ? "one ballot" : `${ballots} ballots`;
  return [
    `${"votes".padEnd(13)}${colors.red(`its key signed two different values in ${times}: it gets no seat in bft ballots`)}`,
  ];
}

export const pause = verb("pause", "Takes no new work until resumed; what runs goes on.");
export const resume = verb("resume", "Takes work again.");
export const drain = verb("drain", "Takes no new work and stops when what runs is finished.");

function paintState(agent: AgentStatus, { colors }: Terminal): string {
  if (agent.state === "failed") return colors.red(agent.state);
  if (agent.state === "idle") return colors.green(agent.state);
  return ["paused", "draining", "stopped"].includes(agent.state) ? colors.yellow(agent.state) : agent.state;
}
