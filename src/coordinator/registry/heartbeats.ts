// Parses the messages of agents and NATS about agents: heartbeats, answers to a roll call and to a probe, disconnect
// advisories. Owns the check that a sender reports only about its own agents; registrar.ts acts on the messages.
import type { Logger } from "../../base/index.ts";
import {
  type AgentStatus,
  agentStatusSchema,
  createSubjects,
  decode,
  encode,
  HEADERS,
  type Heartbeat,
  heartbeatSchema,
  lastToken,
  NO_SCOPE,
  parse,
} from "../../protocol/index.ts";
import type { Incoming, Transport } from "../../transport/index.ts";
import { SILENCE_MS } from "./sightings.ts";

/** The subject of NATS advisories about closed connections; the account must import it. */
export const DISCONNECTS = "$SYS.ACCOUNT.*.DISCONNECT";
/** The start of the NATS client name of an agent process; the host's id follows. */
const AGENT_CLIENT = "murmur-agent ";
/** How long processes have to answer a roll call, in ms: in total, and after the last answer. */
const ROLL_CALL = { timeoutMs: 2_000, stallMs: 250 } as const;
/** The most agents of one host that are probed: one of them may have ended by itself, but hardly all. */
const PROBED_AGENTS = 3;

/** Reads a heartbeat. Null unless its sender reports on its own subject, and only about its own agents. */
export function readHeartbeat(message: Incoming, log: Logger): Heartbeat | null {
  try {
    const { value } = decode(message.data, message.header(HEADERS.contentType));
    const beat = parse(heartbeatSchema, value, "heartbeat");
    const sender = lastToken(message.subject);
    const isOwn = sender === beat.host || (beat.agents.length === 1 && beat.agents[0]?.id === sender);
    if (isOwn && beat.agents.every(({ host }) => host === beat.host)) return beat;
    log.warn({ sender, host: beat.host }, "heartbeat rejected: it reports agents of another host");
  } catch (error) {
    log.warn({ err: error }, "heartbeat rejected: unreadable");
  }
  return null;
}

/** Asks every agent process for its agents. Returns the number of agents, once the last process has answered. */
export async function callRoll(
  { bus, prefix }: Transport,
  onStatus: (status: AgentStatus) => void,
): Promise<number> {
  const subject = createSubjects(prefix).agent(NO_SCOPE, "status");
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
 * Whether any of the first few of these agents answers. NATS reports at once that a subject has no subscriber. An agent
 * with a subscriber may be slow, as on a loaded machine, and gets the full time that an agent may be silent.
 */
export async function anyAnswers({ bus, prefix }: Transport, ids: readonly string[]): Promise<boolean> {
  const subjects = createSubjects(prefix);
  const asked = ids
    .slice(0, PROBED_AGENTS)
    .map((id) => bus.request(subjects.agent(id, "ping"), encode({}), { timeoutMs: SILENCE_MS }));
  return Promise.any(asked).then(
    () => true,
    () => false,
  );
}

/** The host whose connection ended; null when the advisory is about another client, or the message is no advisory. */
export function readDisconnected({ data }: Incoming): string | null {
  try {
    const { client } = decode(data).value as { client?: { name?: unknown } };
    const name = client?.name;
    return typeof name === "string" && name.startsWith(AGENT_CLIENT) ? name.slice(AGENT_CLIENT.length) : null;
  } catch {
    return null;
  }
}
