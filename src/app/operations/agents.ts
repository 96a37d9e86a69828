// Operations on agents: list the living ones, show one, steer one.
import { z } from "zod";
import { agentStatusSchema, nameSchema } from "../../protocol/index.ts";
import { commandAgent, listAgents, showAgent } from "../agents/roster.ts";
import { defineOperation, NOT_AUDITED, readWithin } from "./operation.ts";

/** How long one agent has to answer when the caller names no time, in ms. */
const AGENT_TIMEOUT_MS = 5_000;

const oneAgent = z.strictObject({
  agent: nameSchema.meta({ description: "an id of murmur agent ls" }),
});

export const listLivingAgents = defineOperation({
  name: "agent-list",
  summary: "list living agents",
  input: z.strictObject({
    kept: z
      .boolean()
      .default(false)
      .meta({ description: "the answer of an api process from memory, up to some seconds old" }),
  }),
  output: z.object({
    agents: z.array(agentStatusSchema),
    /** How old the list is, in ms; null: it was asked for now. */
    ageMs: z.number().nullable(),
  }),
  errors: [],
  access: "read",
  async run(context, { kept }) {
    const { agents, ages } = (kept ? context.problems?.present() : undefined) ?? { agents: null, ages: {} };
    if (agents !== null) return { agents: [...agents], ageMs: ages.agents ?? null };
    return { agents: await readWithin(context, listAgents(context.transport)), ageMs: null };
  },
});

const recordSchema = z.object({
  capability: z.string(),
  /** The tasks that were placed on the agent and have ended. */
  count: z.int(),
  /** The failed ones among them. */
  failures: z.int(),
  /** The share of successes among the last 50 or so. */
  successRate: z.number(),
  meanMs: z.number(),
});

export const showOneAgent = defineOperation({
  name: "agent-show",
  summary: "show one agent",
  input: oneAgent,
  /** `record` and `equivocations` are null while no coordinator holds the office. */
  output: agentStatusSchema.extend({
    record: z.array(recordSchema).nullable(),
    /** How many ballots got two different values signed by the agent's key. Above 0, the agent gets no seat in signed ballots. */
    equivocations: z.int().nullable(),
  }),
  errors: ["not_found"],
  access: "read",
  run: ({ transport, timeoutMs = AGENT_TIMEOUT_MS }, { agent }) => showAgent(transport, agent, timeoutMs),
});

/** The operations that steer one agent; each answers the agent's status after it. */
function steer(verb: "pause" | "resume" | "drain", summary: string) {
  return defineOperation({
    name: `agent-${verb}`,
    summary,
    input: oneAgent,
    output: agentStatusSchema.extend({
      /** The audit log has an entry about the command. */
      audited: z.boolean(),
    }),
    errors: ["not_found", "conflict"],
    access: "operate",
    async run({ transport, timeoutMs = AGENT_TIMEOUT_MS }, { agent }) {
      return { ...(await commandAgent(transport, agent, verb, timeoutMs)), audited: NOT_AUDITED };
    },
  });
}

export const pauseAgent = steer("pause", "let an agent take no new work");
export const resumeAgent = steer("resume", "let a paused agent work again");
export const drainAgent = steer("drain", "let an agent finish and stop");
