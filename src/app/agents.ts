// Which agents live: the office knows them where there is one; else every agent process is asked on `<p>.agent.-.status`.
// And one command steers one agent.
import { z } from "zod";
import { createService, type Logger, type Service } from "../base/index.ts";
import { createOfficeClient, type RecordView } from "../coordinator/index.ts";
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
  SwarmError,
} from "../protocol/index.ts";
import type { Incoming, Subscription, Transport } from "../transport/index.ts";

/**
 * How long processes have to answer: from memory, which takes tens of ms on a busy event loop, so that silence after an
 * answer means that all have; but the first answer may take as long as a machine that starts a swarm is overloaded.
 */
export const ROLL_CALL = { timeoutMs: 2_000, stallMs: 250 } as const;
/** Agents in one reply: at most 8 KiB each, so that no reply is over a server's payload limit of 1 MiB. */
const AGENTS_PER_REPLY = 100;

/**
 * The agents of the swarm by id: those in the office's registry with what they said last, or, with nobody in office, those
 * that answer within {@link ROLL_CALL}.
 */
export async function listAgents(transport: Transport): Promise<AgentStatus[]> {
  const office = createOfficeClient({ transport });
  const agents: AgentStatus[] = [];
  for (let after = ""; ; ) {
    const page = await office.readNow("agents", { after });
    if (page === null) return callRoll(transport); // the office may have been lost between two pages
    agents.push(...page.agents);
    if (page.next === null) return agents;
    after = page.next;
  }
}

/** One agent as it answers itself, its record, and how often it voted falsely; null with nobody in office. */
export type AgentDetails = AgentStatus & { record: RecordView[] | null; equivocations: number | null };

/**
 * Asks one agent, and the office for its record.
 * @throws SwarmError `not_found` when the office knows no such agent; `unavailable` when it does not answer.
 */
export async function showAgent(
  transport: Transport,
  agentId: string,
  timeoutMs: number,
): Promise<AgentDetails> {
  const office = createOfficeClient({ transport });
  const [status, known] = await Promise.allSettled([
    commandAgent(transport, agentId, "status", timeoutMs),
    office.readNow("agent", { agent: agentId }),
  ]);
  const shown = known.status === "fulfilled" ? known.value : null;
  const { record = null, equivocations = null } = shown ?? {};
  if (status.status === "fulfilled") return { ...status.value, record, equivocations };
  throw status.reason;
}

/** Says of an agent that does not answer whether there is one. */
async function explainSilence(transport: Transport, agentId: string, error: unknown): Promise<unknown> {
  if (!(error instanceof SwarmError) || error.code !== "unavailable") return error;
  try {
    const known = await createOfficeClient({ transport }).readNow("agent", { agent: agentId });
    if (known === null) return error;
  } catch (refusal) {
    return refusal; // `not_found`, with what to do
  }
  return new SwarmError(
    "unavailable",
    `agent ${agentId} belongs to the swarm but does not answer; it counts as missing after 15 s of silence`,
    { cause: error },
  );
}

/**
 * Asks every process of the swarm for its agents. Nobody there is an empty list, at once; else it takes {@link ROLL_CALL}.
 */
export async function callRoll(transport: Transport): Promise<AgentStatus[]> {
  const subjects = createSubjects(transport.prefix);
  const replies = await transport.bus.scatter(subjects.agent(NO_SCOPE, "status"), encode({}), ROLL_CALL);
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

/** Answers the roll call for the agents of this process, and hears when another process has one of their ids. */
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
        transport.bus.subscribe(subjects.agent(NO_SCOPE, "status"), (request) => {
          const agents = status().filter((agent) => agent.state !== "stopped");
          for (let from = 0; from === 0 || from < agents.length; from += AGENTS_PER_REPLY) {
            request.respond(encode({ agents: agents.slice(from, from + AGENTS_PER_REPLY) }));
          }
        }),
        transport.bus.subscribe(subjects.filters.agentConflicts, ({ data }) => {
          const conflict = conflictSchema.safeParse(decode(data).value);
          if (!conflict.success) return;
          const { agent, kept, refused } = conflict.data;
          if (!status().some(({ id, host }) => id === agent && host === refused)) return;
          log.error(
            { alert: "agent_conflict", agent, kept, refused },
            "another process has an agent with this id and counts instead of this one; give each its own id and restart",
          );
        }),
      );
    },
    stop: () => {
      for (const subscription of open) subscription.close();
    },
  });
}

/** What the office tells of two hosts with one agent id. */
const conflictSchema = z.object({ agent: z.string(), kept: z.string(), refused: z.string() });

/**
 * Asks one agent to do something.
 * @throws SwarmError `not_found` when the office knows no such agent; `unavailable` when it does not answer; whatever
 *   the agent answers.
 */
export async function commandAgent(
  transport: Transport,
  agentId: string,
  verb: "status" | "pause" | "resume" | "drain",
  timeoutMs: number,
): Promise<AgentStatus> {
  const subject = createSubjects(transport.prefix).agent(agentId, verb);
  try {
    return readStatus(await transport.bus.request(subject, encode({}), { timeoutMs }));
  } catch (error) {
    throw await explainSilence(transport, agentId, error);
  }
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
