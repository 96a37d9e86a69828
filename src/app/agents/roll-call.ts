// The roll call: a request on `<p>.agent.-.-.status` that every process with agents answers for all of them.
import { z } from "zod";
import { createService, type Logger, type Service } from "../../base/index.ts";
import {
  type AgentStatus,
  agentStatusSchema,
  createSubjects,
  decode,
  encode,
  HEADERS,
  hostName,
  parse,
} from "../../protocol/index.ts";
import type { Subscription, Transport } from "../../transport/index.ts";

/**
 * How long a roll call waits, in ms. Processes answer from memory, which takes tens of ms on a busy event loop: after 250 ms
 * without a further answer, all have answered. The first answer may take 2 s on an overloaded machine that starts a swarm.
 */
export const ROLL_CALL = { timeoutMs: 2_000, stallMs: 250 } as const;
/** Agents in one reply: at most 8 KiB each, so that no reply is over a server's payload limit of 1 MiB. */
const AGENTS_PER_REPLY = 100;

/**
 * Asks every process of the swarm for its agents; the answer is in the order of their ids. It takes up to {@link ROLL_CALL};
 * without any process the list is empty at once.
 */
export async function callRoll(transport: Transport): Promise<AgentStatus[]> {
  const subjects = createSubjects(transport.prefix);
  const replies = await transport.bus.scatter(subjects.everyAgent, encode({}), ROLL_CALL);
  return replies
    .flatMap((reply) => {
      const { value } = decode(reply.data, reply.header(HEADERS.contentType));
      const { agents } = value as { agents?: unknown };
      return Array.isArray(agents)
        ? agents.map((agent) => parse(agentStatusSchema, agent, "agent status"))
        : [];
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Answers the roll call for the agents of this process, and logs when another process has an agent with one of their ids. */
export function createRollCall(parts: {
  transport: Transport;
  status: () => AgentStatus[];
  log: Logger;
}): Service {
  const { transport, status, log } = parts;
  const subjects = createSubjects(transport.prefix);
  const open: Subscription[] = [];
  return createService({
    name: "roll call",
    start: () => {
      open.push(
        transport.bus.subscribe(subjects.everyAgent, (request) => {
          const agents = status().filter((agent) => agent.state !== "stopped");
          for (let from = 0; from === 0 || from < agents.length; from += AGENTS_PER_REPLY) {
            request.respond(encode({ agents: agents.slice(from, from + AGENTS_PER_REPLY) }));
          }
        }),
        transport.bus.subscribe(subjects.filters.agentConflicts, ({ data }) => {
          const conflict = conflictSchema.safeParse(decode(data).value);
          if (!conflict.success) return;
          const { agent, kept, refused } = conflict.data;
          if (!status().some((own) => own.id === agent && hostName(own) === refused)) return;
          log.error(
            { alert: "agent_conflict", agent, kept, refused },
            "agent id taken by another process, which counts instead of this one; give each agent its own id and restart",
          );
        }),
      );
    },
    stop: () => {
      for (const subscription of open) subscription.close();
    },
  });
}

/** The event of the office about two hosts with one agent id: the names of the host that counts, and of the refused one. */
const conflictSchema = z.object({ agent: z.string(), kept: z.string(), refused: z.string() });
