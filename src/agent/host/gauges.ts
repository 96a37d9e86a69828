// The gauges of a host's agents. The host updates them every {@link GAUGES_INTERVAL_MS}, so that a scrape reads nothing.
import type { GaugeRow, Meter } from "../../base/index.ts";
import { AGENT_STATES, type AgentStatus, WAITING_REASONS } from "../../protocol/index.ts";

/** The time between two updates of the gauges, in ms: a tenth of the usual interval of scrapes, and 10,000 agents cost 1 % of a core. */
export const GAUGES_INTERVAL_MS = 1_000;

/** One agent as its gauges see it. */
export interface MeasuredAgent {
  readonly status: AgentStatus;
  /** The time since the last turn of its work loop, in ms. */
  readonly progressAgeMs: number;
}

type AgentsMeter = Pick<Meter, "agents" | "agentSlots" | "agentWaiting" | "agentProgressAgeSeconds">;

/** Sets the gauges from `agents`; combinations that do not occur are 0. Stopped agents have left, and so have their roles. */
export function showGauges(meter: AgentsMeter, agents: Iterable<MeasuredAgent>): void {
  const roles = new Map<string, RoleCounts>();
  for (const { status, progressAgeMs } of agents) {
    if (status.state === "stopped") continue;
    const counts = roles.get(status.role) ?? newCounts();
    roles.set(status.role, counts);
    counts.states.set(status.state, (counts.states.get(status.state) ?? 0) + 1);
    const { waiting, slots } = status;
    if (waiting !== null) counts.waiting.set(waiting, (counts.waiting.get(waiting) ?? 0) + 1);
    counts.used += slots.used;
    if (status.state !== "failed") counts.free += slots.total - slots.used;
    if (slots.used > 0) counts.progressAgeMs = Math.max(counts.progressAgeMs, progressAgeMs);
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
