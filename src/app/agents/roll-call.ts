// The roll call: a request on `<p>.agent.-.-.status` that every process with agents answers for all of them.
import { z } from "zod";
import type { AgentDefinition } from "../../agent/index.ts";
import { createService, type Logger, type Service, tryJson, utf8Text } from "../../base/index.ts";
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
import type { Incoming, Subscription, Transport } from "../../transport/index.ts";

/**
 * How long a roll call waits, in ms. Processes answer from memory, which takes tens of ms on a busy event loop: after 250 ms
 * without a further answer, all have answered. The first answer may take 2 s on an overloaded machine that starts a swarm.
 */
export const ROLL_CALL = { timeoutMs: 2_000, stallMs: 250 } as const;
/** Agents in one reply: at most 8 KiB each, so that no reply is over a server's payload limit of 1 MiB. */
const AGENTS_PER_REPLY = 100;
/** Agents in one reply with their schemas, for the same reason. */
const DESCRIBED_PER_REPLY = 25;
/** The largest JSON Schema of an agent that a reply has, in UTF-16 units; a larger one is left out, and `isCut` tells it. */
const MAX_SCHEMA_LENGTH = 16 * 1024;

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

const roleSchema = z.object({
  role: z.string(),
  description: z.string().optional(),
  input: z.unknown().optional(),
  output: z.unknown().optional(),
  isCut: z.boolean().optional(),
});
const describedSchema = z.object({
  agents: z.array(agentStatusSchema),
  roles: z.array(roleSchema).default([]),
});

/** A role as its host describes it: the JSON Schemas of its input and output, where its author gave them. */
export type RoleDescription = z.output<typeof roleSchema>;

/** As {@link callRoll}, with a description of each role. */
export async function describeAgents(
  transport: Transport,
): Promise<{ agents: AgentStatus[]; roles: Map<string, RoleDescription> }> {
  const subjects = createSubjects(transport.prefix);
  const replies = await transport.bus.scatter(subjects.everyAgent, encode({ describe: true }), ROLL_CALL);
  const agents: AgentStatus[] = [];
  const roles = new Map<string, RoleDescription>();
  for (const reply of replies) {
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    const described = describedSchema.safeParse(value);
    if (!described.success) continue;
    agents.push(...described.data.agents);
    for (const role of described.data.roles) roles.set(role.role, role);
  }
  return { agents: agents.sort((a, b) => (a.id < b.id ? -1 : 1)), roles };
}

/** The description of a role for {@link describeAgents}. */
export function describeRole({ name: role, description, schemas }: AgentDefinition): RoleDescription {
  const shown = { input: showSchema(schemas.input), output: showSchema(schemas.output) };
  return {
    role,
    ...(description === undefined ? {} : { description }),
    ...(shown.input === null || shown.input === undefined ? {} : { input: shown.input }),
    ...(shown.output === null || shown.output === undefined ? {} : { output: shown.output }),
    ...(shown.input === null || shown.output === null ? { isCut: true } : {}),
  };
}

/** A schema as JSON; null for a schema that is too large, undefined without a schema. */
function showSchema(schema: z.ZodType | undefined): unknown {
  if (schema === undefined) return undefined;
  const { $schema: _, ...shown } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return JSON.stringify(shown).length > MAX_SCHEMA_LENGTH ? null : shown;
}

/** Answers the roll call for the agents of this process, and logs when another process has an agent with one of their ids. */
export function createRollCall(parts: {
  transport: Transport;
  status: () => AgentStatus[];
  /** The descriptions of the roles of this process; default none. */
  describe?: (() => RoleDescription[]) | undefined;
  log: Logger;
}): Service {
  const { transport, status, describe = () => [], log } = parts;
  const subjects = createSubjects(transport.prefix);
  const open: Subscription[] = [];
  return createService({
    name: "roll call",
    start: () => {
      open.push(
        transport.bus.subscribe(subjects.everyAgent, (request) => {
          const agents = status().filter((agent) => agent.state !== "stopped");
          const isDescribed = wantsDescription(request);
          const size = isDescribed ? DESCRIBED_PER_REPLY : AGENTS_PER_REPLY;
          const known = isDescribed ? describe() : [];
          for (let from = 0; from === 0 || from < agents.length; from += size) {
            const part = agents.slice(from, from + size);
            const roles = known.filter(({ role }) => part.some((agent) => agent.role === role));
            request.respond(encode({ agents: part, ...(isDescribed ? { roles } : {}) }));
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

function wantsDescription(request: Incoming): boolean {
  const value = tryJson(utf8Text(request.data));
  return typeof value === "object" && value !== null && "describe" in value && value.describe === true;
}
