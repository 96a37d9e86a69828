// The metrics of agents.
import { AGENT, type MetricSpec } from "./spec.ts";

/** The metrics of agents. */
export const AGENT_METRICS = {
  agents: {
    name: "murmur_agents",
    type: "gauge",
    unit: "agents",
    help: "Agents in this process, without the ended ones.",
    labels: ["role", "state"],
    exporters: AGENT,
    replicas: "sum",
  },
  agentSlots: {
    name: "murmur_agent_slots",
    type: "gauge",
    unit: "slots",
    help: "Task slots in this process.",
    labels: ["role", "state"],
    exporters: AGENT,
    replicas: "sum",
  },
  agentWaiting: {
    name: "murmur_agent_waiting",
    type: "gauge",
    unit: "agents",
    help: "Agents waiting, by reason.",
    labels: ["role", "reason"],
    exporters: AGENT,
    replicas: "sum",
  },
  agentLoops: {
    name: "murmur_agent_loop_total",
    type: "counter",
    unit: "turns",
    help: "Turns of the agents' work loops; it rises while the agents make progress.",
    labels: ["role"],
    exporters: AGENT,
    replicas: "sum",
    startsAtZero: true,
  },
  agentProgressAgeSeconds: {
    name: "murmur_agent_progress_age_seconds",
    type: "gauge",
    unit: "seconds",
    help: "Time since the last turn of the work loop of the busy agent that made no turn for the longest time; 0 while no agent is busy. One agent that hangs shows here, and not in a sum of turns.",
    labels: ["role"],
    exporters: AGENT,
    replicas: "max",
  },
  agentRestarts: {
    name: "murmur_agent_restarts_total",
    type: "counter",
    unit: "restarts",
    help: "Restarts of agents that crashed.",
    labels: ["role"],
    exporters: AGENT,
    replicas: "sum",
    startsAtZero: true,
  },
} as const satisfies Record<string, MetricSpec>;
