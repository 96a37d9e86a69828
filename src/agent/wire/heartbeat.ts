// What a host says about its agents every few seconds, and how it is cut into messages. Pure.
import { type AgentStatus, encode, type Heartbeat } from "../../protocol/index.ts";

/** The time between heartbeats. Silence of three of them means dead: a crash is noticed within 15 s. */
export const HEARTBEAT_INTERVAL_MS = 5_000;
/** Up to this many agents each have a message of their own, so that one agent can be watched by its subject. */
export const OWN_HEARTBEATS_MAX = 16;
/** The most bytes of one heartbeat: a quarter of a NATS server's default payload limit (1 MiB). */
export const HEARTBEAT_LIMIT_BYTES = 256 * 1024;
/** Agents per message to begin with: about 500 × 300 bytes stays well below the limit. */
const AGENTS_PER_MESSAGE = 500;

/** One message to send. `id` is the last token of its subject: an agent's id or the host's. */
export interface HeartbeatMessage {
  id: string;
  body: Uint8Array;
}

/** Cuts the statuses of a host's agents into messages; `head` is the same in each. */
export function heartbeatMessages(
  head: Omit<Heartbeat, "agents">,
  agents: readonly AgentStatus[],
): HeartbeatMessage[] {
  if (agents.length <= OWN_HEARTBEATS_MAX) {
    return agents.map((agent) => ({ id: agent.id, body: encode({ ...head, agents: [agent] }) }));
  }
  const messages: HeartbeatMessage[] = [];
  for (let from = 0; from < agents.length; from += AGENTS_PER_MESSAGE) {
    for (const body of bodies(head, agents.slice(from, from + AGENTS_PER_MESSAGE)))
      messages.push({ id: head.host, body });
  }
  return messages;
}

/** One body, or two halves where one would be over the limit; a single agent's status never is. */
function bodies(head: Omit<Heartbeat, "agents">, agents: readonly AgentStatus[]): Uint8Array[] {
  const body = encode({ ...head, agents });
  if (body.length <= HEARTBEAT_LIMIT_BYTES || agents.length === 1) return [body];
  const half = Math.ceil(agents.length / 2);
  return [...bodies(head, agents.slice(0, half)), ...bodies(head, agents.slice(half))];
}
