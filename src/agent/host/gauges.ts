// The gauges of a host's agents. The host updates them every {@link GAUGES_INTERVAL_MS}, so that a scrape reads nothing.
import type { GaugeRow, Meter } from "../../base/index.ts";
import { AGENT_STATES, type AgentState, WAITING_REASONS, type WaitingReason } from "../../protocol/index.ts";

/** The time between two updates of the gauges, in ms: a tenth of the usual interval of scrapes, and 10,000 agents cost 1 % of a core. */
export const GAUGES_INTERVAL_MS = 1_000;

/** One agent as its gauges see it. An agent is one itself: a status of each agent would be 2 KB of garbage a second. */
export interface MeasuredAgent {
  readonly definition: { readonly name: string };
  readonly state: AgentState;
  readonly waiting: WaitingReason | null;
  readonly slots: { readonly used: number; readonly total: number };
  /** When its work loop last turned, Unix ms. */
  readonly turnedAtMs: number;
}

type AgentsMeter = Pick<Meter, "agents" | "agentSlots" | "agentWaiting" | "agentProgressAgeSeconds">;

/** Sets the gauges from `agents`; combinations that do not occur are 0. Stopped agents have left, and so have their roles. */
export function showGauges(meter: AgentsMeter, agents: Iterable<MeasuredAgent>, nowMs: number): void {
  const roles = new Map<string, RoleCounts>();
  for (const agent of agents) {
    const { state, waiting, slots } = agent;
    if (state === "stopped") continue;
    const role = agent.definition.name;
    let counts = roles.get(role);
    if (counts === undefined) {
      counts = newCounts();
      roles.set(role, counts);
    }
    counts.states.set(state, (counts.states.get(state) ?? 0) + 1);
    if (waiting !== null) counts.waiting.set(waiting, (counts.waiting.get(waiting) ?? 0) + 1);
    counts.used += slots.used;
    if (state !== "failed") counts.free += slots.total - slots.used;
    if (slots.used > 0) counts.progressAgeMs = Math.max(counts.progressAgeMs, nowMs - agent.turnedAtMs);
  }
  const byRole = [...roles];
  meter.agents.replace(
    byRole.flatMap(([role, { states }]) =>
      AGENT_STATES.map((state) => row({ role, state }, states.get(state) ?? 0)),
    ),
  );
  meter.agentWaiting.replace(
    byRole.flatMap(([role, { waiting }]) =>
      WAITING_REASONS.map((reason) => row({ role, reason }, waiting.get(reason) ?? 0)),
    ),
  );
  meter.agentSlots.replace(
    byRole.flatMap(([role, { used, free }]) => [
      row({ role, state: "used" }, used),
      row({ role, state: "free" }, free),
    ]),
  );
  meter.agentProgressAgeSeconds.replace(
    byRole.map(([role, { progressAgeMs }]) => row({ role }, progressAgeMs / 1_000)),
  );
}

interface RoleCounts {
  readonly states: Map<string, number>;
  readonly waiting: Map<string, number>;
  used: number;
  free: number;
  progressAgeMs: number;
}

function newCounts(): RoleCounts {
  return { states: new Map(), waiting: new Map(), used: 0, free: 0, progressAgeMs: 0 };
}

function row<L extends string>(labels: Record<L, string>, value: number): GaugeRow<L> {
  return { labels, value };
}
