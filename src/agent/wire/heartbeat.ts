// The heartbeats of a host as messages: splits the statuses of its agents into messages of bounded size. Pure.
import { type AgentStatus, encode, type Heartbeat } from "../../protocol/index.ts";

/** The time between heartbeats. Three missing heartbeats mean a dead host, so a crash is noticed within 15 s. */
export const HEARTBEAT_INTERVAL_MS = 5_000;
/** The most bytes of one heartbeat: a quarter of a NATS server's default payload limit (1 MiB). */
export const HEARTBEAT_LIMIT_BYTES = 256 * 1024;
/** The agents of one message, before a split by size: 500 × about 300 bytes is well below the limit. */
const AGENTS_PER_MESSAGE = 500;

/** Splits the statuses of a host's agents into the bodies of messages; `head` is the same in each. */
export function heartbeatMessages(
  head: Omit<Heartbeat, "agents">,
  agents: readonly AgentStatus[],
): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let from = 0; from < agents.length; from += AGENTS_PER_MESSAGE)
    messages.push(...bodies(head, agents.slice(from, from + AGENTS_PER_MESSAGE)));
  return messages;
}

/** Encodes one body, or two halves if one body would exceed the limit. A single agent's status never exceeds it. */
function bodies(head: Omit<Heartbeat, "agents">, agents: readonly AgentStatus[]): Uint8Array[] {
  const body = encode({ ...head, agents });
  if (body.length <= HEARTBEAT_LIMIT_BYTES || agents.length === 1) return [body];
  const half = Math.ceil(agents.length / 2);
  return [...bodies(head, agents.slice(0, half)), ...bodies(head, agents.slice(half))];
}
