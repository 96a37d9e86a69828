// What agents and NATS say, read at the border: heartbeats, answers to a roll call and to a probe, disconnect advisories.
// Owns who may say what; what follows from it is driver.ts.
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

/** What NATS tells of clients that are gone, where this account imports it. */
export const DISCONNECTS = "$SYS.ACCOUNT.*.DISCONNECT";
/** How agent processes name themselves to NATS, before their id. */
const AGENT_CLIENT = "murmur-agent ";
/** How long processes have to answer a roll call, in ms: in all, and after the last answer. */
const ROLL_CALL = { timeoutMs: 2_000, stallMs: 250 } as const;
/** Agents of one host that are probed: each may have ended by itself, hardly all of them. */
const PROBED_AGENTS = 3;

/** A heartbeat that its sender may send: on its own subject, about its own agents. Null for any other. */
export function readHeartbeat(message: Incoming, log: Logger): Heartbeat | null {
  try {
    const { value } = decode(message.data, message.header(HEADERS.contentType));
    const beat = parse(heartbeatSchema, value, "heartbeat");
    const sender = lastToken(message.subject);
    const isOwn = sender === beat.host || (beat.agents.length === 1 && beat.agents[0]?.id === sender);
    if (isOwn && beat.agents.every(({ host }) => host === beat.host)) return beat;
    log.warn({ sender, host: beat.host }, "refused a heartbeat about somebody else's agents");
  } catch (error) {
    log.warn({ err: error }, "refused a heartbeat that cannot be read");
  }
  return null;
}

/** Asks every agent process for its agents; gives how many there are when the last has answered. */
export async function callRoll(
  { bus, prefix }: Transport,
  onStatus: (status: AgentStatus) => void,
): Promise<number> {
  const subject = createSubjects(prefix).agent(NO_SCOPE, "status");
  let agents = 0;
  for (const reply of await bus.scatter(subject, encode({}), ROLL_CALL)) {
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    const said = (value as { agents?: unknown } | null)?.agents;
    for (const each of Array.isArray(said) ? said : []) {
      const status = agentStatusSchema.safeParse(each);
      if (!status.success) continue;
      onStatus(status.data);
      agents++;
    }
    await new Promise((resolve) => setImmediate(resolve)); // thousands of agents must not hold up an election
  }
  return agents;
}

/**
 * Whether any of the first few of these agents answers. That nobody listens is known at once; one that listens may be
 * slow, as on a loaded machine, and has the time that it may be silent.
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

/** The host whose connection ended, of an advisory; null when it is about somebody else, or no advisory. */
export function readDisconnected({ data }: Incoming): string | null {
  try {
    const { client } = decode(data).value as { client?: { name?: unknown } };
    const name = client?.name;
    return typeof name === "string" && name.startsWith(AGENT_CLIENT) ? name.slice(AGENT_CLIENT.length) : null;
  } catch {
    return null;
  }
}
