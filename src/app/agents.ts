// Which agents live: every agent process answers `<p>.agent.-.status` with its agents, and one command steers one agent.
import { createService, type Service } from "../base/index.ts";
import {
  type AgentStatus,
  agentStatusSchema,
  createSubjects,
  decode,
  encode,
  errorReplySchema,
  fromWire,
  NO_SCOPE,
  parse,
} from "../protocol/index.ts";
import type { Incoming, Subscription, Transport } from "../transport/index.ts";

/** How long agents have to answer. They answer from memory; a busy event loop takes tens of ms. */
export const ROLL_CALL_MS = 250;
/** Agents in one reply: 300 bytes each, so far below a server's payload limit of 1 MiB. */
const AGENTS_PER_REPLY = 500;

/**
 * Asks every process of the swarm for its agents. Nobody there is an empty list, at once.
 * @param wait how long to wait in all, and after the last answer; default {@link ROLL_CALL_MS} in all.
 */
export async function listAgents(
  transport: Transport,
  wait: { timeoutMs: number; stallMs?: number } = { timeoutMs: ROLL_CALL_MS },
): Promise<AgentStatus[]> {
  const subjects = createSubjects(transport.prefix);
  const replies = await transport.bus.scatter(subjects.agent(NO_SCOPE, "status"), encode({}), wait);
  return replies
    .flatMap((reply) => {
      const { value } = decode(reply.data, reply.header("Content-Type"));
      const { agents } = value as { agents?: unknown };
      return Array.isArray(agents)
        ? agents.map((agent) => parse(agentStatusSchema, agent, "agent status"))
        : [];
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Answers the roll call for the agents of this process. */
export function createRollCall(transport: Transport, status: () => AgentStatus[]): Service {
  let subscription: Subscription | undefined;
  return createService({
    name: "roll call",
    start: () => {
      const subject = createSubjects(transport.prefix).agent(NO_SCOPE, "status");
      subscription = transport.bus.subscribe(subject, (request) => {
        const agents = status().filter((agent) => agent.state !== "stopped");
        for (let from = 0; from === 0 || from < agents.length; from += AGENTS_PER_REPLY) {
          request.respond(encode({ agents: agents.slice(from, from + AGENTS_PER_REPLY) }));
        }
      });
    },
    stop: () => subscription?.close(),
  });
}

/**
 * Asks one agent to do something.
 * @throws SwarmError `unavailable` when there is no such agent or it does not answer; whatever the agent answers.
 */
export async function commandAgent(
  transport: Transport,
  agentId: string,
  verb: "status" | "pause" | "resume" | "drain",
  timeoutMs: number,
): Promise<AgentStatus> {
  const subject = createSubjects(transport.prefix).agent(agentId, verb);
  return readStatus(await transport.bus.request(subject, encode({}), { timeoutMs }));
}

function readStatus(reply: Incoming): AgentStatus {
  const { value } = decode(reply.data, reply.header("Content-Type"));
  const refusal = errorReplySchema.safeParse(value);
  if (refusal.success) {
    const { code, message, field } = refusal.data.error;
    throw fromWire({ code, message, ...(field === undefined ? {} : { field }) });
  }
  return parse(agentStatusSchema, value, "agent status");
}
