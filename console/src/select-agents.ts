// The filter over agents, and their order: failed ones first, then waiting ones. Pure.
import type { Agent } from "./types.ts";

/** The agents that a filter selects, in their order. */
export function selectAgents(agents: readonly Agent[], search: string): Agent[] {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const textOf = ({ id, role, capabilities, state, waiting, host, model }: Agent) =>
    [id, role, ...capabilities, state, waiting ?? "", host, model ?? ""].join(" ").toLowerCase();
  const rank = ({ state, waiting }: Agent) =>
    state === "failed" ? 0 : waiting !== null ? 1 : state === "paused" ? 2 : 3;
  return agents
    .filter((agent) => words.every((word) => textOf(agent).includes(word)))
    .sort(
      (a, b) =>
        rank(a) - rank(b) || (a.waiting ?? "").localeCompare(b.waiting ?? "") || (a.id < b.id ? -1 : 1),
    );
}
