// Whether an agent takes work, now or ever again, by the state that it tells. Pure.
import type { AgentState, AgentStatus } from "../../protocol/index.ts";

/** States from which an agent takes no work any more. */
const LEAVING_STATES: ReadonlySet<AgentState> = new Set<AgentState>(["draining", "stopped", "failed"]);
/** States in which it takes none at the moment. */
const CLOSED_STATES: ReadonlySet<AgentState> = new Set<AgentState>(["starting", "paused"]);

/** True for an agent that takes new work. */
export function takesWork({ state }: AgentStatus): boolean {
  return !CLOSED_STATES.has(state) && !LEAVING_STATES.has(state);
}

/** True for an agent that will never take new work again. A paused one may, and keeps what was placed on it. */
export function isLeaving({ state }: AgentStatus): boolean {
  return LEAVING_STATES.has(state);
}
