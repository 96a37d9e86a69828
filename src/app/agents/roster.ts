// The living agents, as a caller sees them: listed, shown, and steered one by one. The office knows them; without an office,
// a roll call of their processes finds them (roll-call.ts).
import { createOfficeClient, type RecordView } from "../../coordinator/index.ts";
import {
  type AgentStatus,
  agentStatusSchema,
  checkName,
  createSubjects,
  decode,
  encode,
  errorReplySchema,
  fromWire,
  HEADERS,
  parse,
  SwarmError,
} from "../../protocol/index.ts";
import type { Incoming, Transport } from "../../transport/index.ts";
import { askInClass, createClassFinder } from "./classes.ts";
import { callRoll } from "./roll-call.ts";

/**
 * The agents of the swarm in the order of their ids: the agents in the office's registry, with their last heartbeat; while no
 * coordinator holds the office, the agents that answer a roll call.
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

/** One agent's own answer, its record and its equivocations. The last two are null while no coordinator holds the office. */
export type AgentDetails = AgentStatus & { record: RecordView[] | null; equivocations: number | null };

/**
 * Asks one agent for its status, and the office for its record.
 * @throws SwarmError `not_found` when the office knows no such agent; `unavailable` when the agent does not answer.
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

/**
 * Sends one agent a command, and answers its status after it.
 * @throws SwarmError `not_found` when the office knows no such agent; `unavailable` when the agent does not answer; the
 *   agent's own refusal.
 */
export async function commandAgent(
  transport: Transport,
  agentId: string,
  verb: "status" | "pause" | "resume" | "drain",
  timeoutMs: number,
): Promise<AgentStatus> {
  const { agent: mailboxOf } = createSubjects(transport.prefix);
  checkName(agentId, "agentId");
  const ask = (of: string) =>
    transport.bus.request(mailboxOf({ class: of, agent: agentId }, verb), encode({}), { timeoutMs });
  try {
    return readStatus(await askInClass(createClassFinder(transport), agentId, ask));
  } catch (error) {
    throw await explainSilence(transport, agentId, error);
  }
}

/** The error to report for an agent that does not answer: the office knows whether the agent exists. */
async function explainSilence(transport: Transport, agentId: string, error: unknown): Promise<unknown> {
  if (!(error instanceof SwarmError) || error.code !== "unavailable") return error;
  try {
    const known = await createOfficeClient({ transport }).readNow("agent", { agent: agentId });
    if (known === null) return error;
  } catch (refusal) {
    return refusal; // `not_found`, with the next step
  }
  return new SwarmError(
    "unavailable",
    `agent ${agentId} belongs to the swarm but does not answer; it counts as missing after 15 s of silence`,
    { cause: error },
  );
}

function readStatus(reply: Incoming): AgentStatus {
  const { value } = decode(reply.data, reply.header(HEADERS.contentType));
  const refusal = errorReplySchema.safeParse(value);
  if (refusal.success) throw fromWire(refusal.data.error);
  return parse(agentStatusSchema, value, "agent status");
}
