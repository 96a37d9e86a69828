// The heartbeats of a host as messages: splits the statuses of its agents into messages of bounded size. Pure.
import { type AgentStatus, encode, type Heartbeat } from "../../protocol/index.ts";

/** The time between heartbeats. Three missing heartbeats mean a dead host, so a crash is noticed within 15 s. */
export const HEARTBEAT_INTERVAL_MS = 5_000;
/** Up to this many agents, each agent has its own message, so that a client can watch one agent by its subject. */
export const OWN_HEARTBEATS_MAX = 16;
/** The most bytes of one heartbeat: a quarter of a NATS server's default payload limit (1 MiB). */
export const HEARTBEAT_LIMIT_BYTES = 256 * 1024;
/** The agents of one message, before a split by size: 500 × about 300 bytes is well below the limit. */
const AGENTS_PER_MESSAGE = 500;

/** One message to send. `id` is the last token of its subject: an agent's id or the host's. */
export interface HeartbeatMessage {
  id: string;
  body: Uint8Array;
}

/** Splits the statuses of a host's agents into messages; `head` is the same in each. */
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

/** Encodes one body, or two halves if one body would exceed the limit. A single agent's status never exceeds it. */
function bodies(head: Omit<Heartbeat, "agents">, agents: readonly AgentStatus[]): Uint8Array[] {
  const body = encode({ ...head, agents });
  if (body.length <= HEARTBEAT_LIMIT_BYTES || agents.length === 1) return [body];
  const half = Math.ceil(agents.length / 2);
  return [...bodies(head, agents.slice(0, half)), ...bodies(head, agents.slice(half))];
}
