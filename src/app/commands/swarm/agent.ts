// `agent …`: see and steer the living agents.
import type { AgentStatus } from "../../../protocol/index.ts";
import { showDuration, type Terminal, table } from "../../cli/terminal.ts";
import {
  drainAgent,
  listLivingAgents,
  pauseAgent,
  resumeAgent,
  showOneAgent,
} from "../../operations/agents.ts";
import { defineFace } from "../face.ts";

export const ls = defineFace(listLivingAgents, {
  examples: ["agent ls", "agent ls --json"],
  details:
    "Living agents only. With a coordinator in office: its registry, with each agent's last report (a heartbeat comes every\n5 s, and at once when an agent begins or stops taking work). Without: the agents that answer (2 s at most; 250 ms after\nthe last answer).",
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

const agent = { positional: true, value: "AGENT" } as const;

export const show = defineFace(showOneAgent, {
  fields: { agent },
  examples: ["agent show echo-4k2m9x7q1z"],
  details:
    "The agent's own report, and its record of the tasks that the office placed on it.\nExit code 1 when the office knows no such agent, 3 when the agent does not answer.",
  render: (shown, terminal) =>
    [
      renderAgent(shown, terminal),
      ...renderEquivocations(shown.equivocations ?? 0, terminal),
      shown.record === null
        ? "record       unknown: no coordinator holds the office"
        : table(
            ["CAPABILITY", "PLACED", "FAILED", "SUCCESS", "MEAN TIME"],
            shown.record.map(({ capability, count, failures, successRate, meanMs }) => [
              capability,
              String(count),
              String(failures),
              `${Math.round(successRate * 100)} %`,
              showDuration(meanMs),
            ]),
            "record       no task was placed on it yet",
          ),
    ].join("\n"),
});

export const pause = defineFace(pauseAgent, {
  fields: { agent },
  examples: ["agent pause echo-4k2m9x7q1z"],
  details: "Takes no new work until resumed; running tasks continue.",
  render: renderAgent,
});

export const resume = defineFace(resumeAgent, {
  fields: { agent },
  examples: ["agent resume echo-4k2m9x7q1z"],
  details: "Takes work again.",
  render: renderAgent,
});

export const drain = defineFace(drainAgent, {
  fields: { agent },
  examples: ["agent drain echo-4k2m9x7q1z"],
  details: "Takes no new work and stops when its running tasks have finished.",
  render: renderAgent,
});

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

function renderEquivocations(ballots: number, { colors }: Terminal): string[] {
  if (ballots === 0) return [];
  const times = ballots === 1 ? "one ballot" : `${ballots} ballots`;
  return [
    `${"votes".padEnd(13)}${colors.red(`its key signed two different values in ${times}: it gets no seat in bft ballots`)}`,
  ];
}

function paintState(agent: AgentStatus, { colors }: Terminal): string {
  if (agent.state === "failed") return colors.red(agent.state);
  if (agent.state === "idle") return colors.green(agent.state);
  return ["paused", "draining", "stopped"].includes(agent.state) ? colors.yellow(agent.state) : agent.state;
}
