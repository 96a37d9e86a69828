// Tells from an agent's reported state whether the agent takes work, now or ever again. Pure.
import type { AgentState, AgentStatus } from "../../protocol/index.ts";

/** States of an agent that will never take new work again. */
const LEAVING_STATES: ReadonlySet<AgentState> = new Set<AgentState>(["draining", "stopped", "failed"]);
/** States of an agent that takes no new work at the moment. */
const CLOSED_STATES: ReadonlySet<AgentState> = new Set<AgentState>(["starting", "paused"]);

/** True for an agent that takes new work now. */
export function takesWork({ state }: AgentStatus): boolean {
  return !CLOSED_STATES.has(state) && !LEAVING_STATES.has(state);
}

/** True for an agent that will never take new work again. A paused agent may, and keeps the tasks that it was given. */
export function isLeaving({ state }: AgentStatus): boolean {
  return LEAVING_STATES.has(state);
}
