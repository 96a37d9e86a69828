// The gauges of a host's agents. The host updates them with each heartbeat.
import type { Meter } from "../../base/index.ts";
import { AGENT_STATES, type AgentStatus, WAITING_REASONS } from "../../protocol/index.ts";

/** Sets the gauges from the statuses of `agents`; combinations that do not occur are 0. */
export function showGauges(meter: Meter, agents: readonly AgentStatus[]): void {
  const states = new Map<string, Map<string, number>>();
  const waiting = new Map<string, number>();
  const slots = { used: 0, free: 0 };
  for (const { role, state, waiting: reason, slots: own } of agents) {
    const ofRole = states.get(role) ?? new Map<string, number>();
    states.set(role, ofRole.set(state, (ofRole.get(state) ?? 0) + 1));
    if (reason !== null) waiting.set(reason, (waiting.get(reason) ?? 0) + 1);
    slots.used += own.used;
    if (state !== "stopped" && state !== "failed") slots.free += own.total - own.used;
  }
  for (const [role, ofRole] of states) {
    for (const state of AGENT_STATES) meter.agents.set({ role, state }, ofRole.get(state) ?? 0);
  }
  for (const reason of WAITING_REASONS) meter.agentWaiting.set({ reason }, waiting.get(reason) ?? 0);
  meter.agentSlots.set({ state: "used" }, slots.used);
  meter.agentSlots.set({ state: "free" }, slots.free);
}
