// The status of one agent: the schema that heartbeats, `status` replies and `agent ls` share. Owns the agent's states
// and waiting reasons, and the bounds of an agent's skills.
import { z } from "zod";
import { classSchema, tokenSchema } from "../wire/schema.ts";
import { CLASS_PATTERN, isToken } from "../wire/subjects.ts";

/** The most triggers of an agent, and the most tokens of its expertise. Every heartbeat carries both. */
export const MAX_SKILLS = 16;

/** The lifecycle states of an agent. */
export const AGENT_STATES = [
  "starting",
  "idle",
  "preparing",
  "working",
  "waiting",
  "reporting",
  "paused",
  "draining",
  "stopped",
  "failed",
] as const;
/** An agent's lifecycle state. */
export type AgentState = (typeof AGENT_STATES)[number];

/** The waiting reasons: the things that an agent in the state `waiting` can wait for. */
export const WAITING_REASONS = [
  "model",
  "tool",
  "human",
  "lock",
  "rate_limit",
  "agent",
  "queue",
  "timer",
] as const;
/** One of the {@link WAITING_REASONS}. */
export type WaitingReason = (typeof WAITING_REASONS)[number];

/** The longest name of a machine's state, in UTF-16 code units. */
const MAX_DOING_LENGTH = 200;

/** One agent as heartbeats, `status` replies and `agent ls` show it. */
export const agentStatusSchema = z.object({
  id: tokenSchema,
  role: z.string(),
  capabilities: z.array(tokenSchema),
  state: z.enum(AGENT_STATES),
  waiting: z.enum(WAITING_REASONS).nullable(),
  /** The state of the author's XState machine, if the agent has one. Of several tasks: the state that changed last. */
  doing: z.string().max(MAX_DOING_LENGTH).optional(),
  /** The slots in use, and all slots of the agent. */
  slots: z.object({ used: z.int(), total: z.int() }),
  /** The number of turns of the work loop. It rises while the agent makes progress. */
  loop: z.int(),
  /** The class of the agent's host; absent means `default`. */
  class: classSchema.optional(),
  host: tokenSchema,
  pid: z.int(),
  /** The time of the agent's last start or restart, ISO 8601. */
  since: z.string(),
  version: z.string(),
  /** The agent's strengths as tokens, used to place tasks with route `best`. */
  expertise: z.array(tokenSchema).max(MAX_SKILLS).optional(),
  /** Lower-case words and phrases. A task with route `best` whose input contains one of them prefers this agent. */
  triggers: z.array(z.string().min(1).max(64)).max(MAX_SKILLS).optional(),
  /** The model that the agent works with, as its author names it. */
  model: z.string().min(1).max(128).optional(),
  /** The Ed25519 public key that verifies the agent's votes: 32 bytes, base64url. */
  publicKey: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, "must be 32 bytes in base64url")
    .optional(),
});
/** One agent as heartbeats, `status` replies and `agent ls` show it. */
export type AgentStatus = z.output<typeof agentStatusSchema>;

const KNOWN_STATES: ReadonlySet<unknown> = new Set(AGENT_STATES);
const KNOWN_WAITS: ReadonlySet<unknown> = new Set([...WAITING_REASONS, null]);
/** The fields of every status, `class`, and `doing`. */
const STATUS_FIELDS: ReadonlySet<string> = new Set([
  "id",
  "role",
  "capabilities",
  "state",
  "waiting",
  "doing",
  "slots",
  "loop",
  "class",
  "host",
  "pid",
  "since",
  "version",
]);

/**
 * True for a status that has only the fields of every agent and perhaps `class` and `doing`, each with a good value: {@link agentStatusSchema}
 * leaves it as it is. False for every other value, which the schema must judge. A coordinator reads thousands each second.
 */
export function isPlainStatus(value: unknown): value is AgentStatus {
  if (typeof value !== "object" || value === null) return false;
  for (const key in value) if (!STATUS_FIELDS.has(key)) return false;
  const status = value as AgentStatus;
  const { capabilities, doing } = status;
  return (
    isTokenText(status.id) &&
    typeof status.role === "string" &&
    Array.isArray(capabilities) &&
    capabilities.every(isTokenText) &&
    KNOWN_STATES.has(status.state) &&
    KNOWN_WAITS.has(status.waiting) &&
    (doing === undefined || (typeof doing === "string" && doing.length <= MAX_DOING_LENGTH)) &&
    isPlainSlots(status.slots) &&
    Number.isSafeInteger(status.loop) &&
    (status.class === undefined || isClassText(status.class)) &&
    isTokenText(status.host) &&
    Number.isSafeInteger(status.pid) &&
    typeof status.since === "string" &&
    typeof status.version === "string"
  );
}

function isPlainSlots(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const key in value) if (key !== "used" && key !== "total") return false;
  const { used, total } = value as AgentStatus["slots"];
  return Number.isSafeInteger(used) && Number.isSafeInteger(total);
}

const isClassText = (value: unknown) => typeof value === "string" && CLASS_PATTERN.test(value);
const isTokenText = (value: unknown) => typeof value === "string" && isToken(value);
