// Learns which agents live: reads heartbeats and the disconnect advisories of NATS, asks all hosts for their agents (a
// roll call), and probes single agents. Owns the check that a sender reports only its own agents; registrar.ts calls
// it.
import type { Logger } from "../../base/index.ts";
import {
  type AgentMailbox,
  type AgentStatus,
  agentStatusSchema,
  createSubjects,
  decode,
  encode,
  HEADERS,
  type Heartbeat,
  isSameHost,
  parseHeartbeat,
  type Subjects,
} from "../../protocol/index.ts";
import type { Incoming, Transport } from "../../transport/index.ts";
import { SILENCE_MS } from "./sightings.ts";

/** The subject of NATS advisories about closed connections; the account must import it. */
export const DISCONNECTS = "$SYS.ACCOUNT.*.DISCONNECT";
/** The start of the NATS client name of an agent process; the host's id follows. */
const AGENT_CLIENT = "murmur-agent ";
/** The wait for replies to a roll call, in ms: in total, and after the latest reply. */
const ROLL_CALL = { timeoutMs: 2_000, stallMs: 250 } as const;
/** The most agents of one host that a probe asks: one of them may have stopped alone, but hardly all of them. */
const PROBED_AGENTS = 3;

/**
 * Reads a heartbeat. Null when the message is not readable, when the subject names another sender than the heartbeat,
 * or when the heartbeat reports an agent of another host.
 */
export function readHeartbeat(subjects: Subjects, message: Incoming, log: Logger): Heartbeat | null {
  try {
    const { value } = decode(message.data, message.header(HEADERS.contentType));
    const beat = parseHeartbeat(value);
    const sender = subjects.readHeartbeat(message.subject);
    const isOwn = sender !== null && sender.host === beat.host;
    if (isOwn && beat.agents.every((agent) => isSameHost(agent, sender))) return beat;
    log.warn({ sender, host: beat.host }, "heartbeat reports agents of another host; dropped");
  } catch (error) {
    log.warn({ err: error }, "heartbeat not readable; dropped");
  }
  return null;
}

/**
 * Asks every host for its agents and calls `onStatus` for each. Resolves to the number of agents, when the time for
 * replies is over.
 */
export async function callRoll(
  { bus, prefix }: Transport,
  onStatus: (status: AgentStatus) => void,
): Promise<number> {
  const subject = createSubjects(prefix).everyAgent;
  let agents = 0;
  for (const reply of await bus.scatter(subject, encode({}), ROLL_CALL)) {
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    const listed = (value as { agents?: unknown } | null)?.agents;
    for (const each of Array.isArray(listed) ? listed : []) {
      const status = agentStatusSchema.safeParse(each);
      if (!status.success) continue;
      onStatus(status.data);
      agents++;
    }
    await new Promise((resolve) => setImmediate(resolve)); // thousands of agents must not delay an election
  }
  return agents;
}

/**
 * Resolves to true when one of the first {@link PROBED_AGENTS} agents answers a ping. If an agent has no subscriber,
 * NATS reports this at once. An agent with a subscriber may be slow, as on a loaded machine, so it has {@link
 * SILENCE_MS} to answer.
 */
export async function anyAnswers(
  { bus, prefix }: Transport,
  agents: readonly AgentMailbox[],
): Promise<boolean> {
  const subjects = createSubjects(prefix);
  const asked = agents
    .slice(0, PROBED_AGENTS)
    .map((at) => bus.request(subjects.agent(at, "ping"), encode({}), { timeoutMs: SILENCE_MS }));
  return Promise.any(asked).then(
    () => true,
    () => false,
  );
}

/** The id of the host whose connection ended; null for another client's advisory, and for any other message. */
export function readDisconnected({ data }: Incoming): string | null {
  try {
    const { client } = decode(data).value as { client?: { name?: unknown } };
    const name = client?.name;
    return typeof name === "string" && name.startsWith(AGENT_CLIENT) ? name.slice(AGENT_CLIENT.length) : null;
  } catch {
    return null;
  }
}
