// The smaller messages: what hosts, agents and front doors say to each other and to outsiders.
import { z } from "zod";
import { ERROR_CODES } from "./errors.ts";
import { handOffRecordSchema } from "./hand-off.ts";
import { MAX_SKILLS, placementSchema } from "./placement.ts";
import { tokenSchema } from "./schema.ts";
import { PRIORITIES } from "./subjects.ts";
import { hopSchema, resultErrorSchema, resultSchema, TASK_STATES } from "./task.ts";

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

/** What a waiting agent waits for. */
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
/** What a waiting agent waits for. */
export type WaitingReason = (typeof WAITING_REASONS)[number];

/** The body of every error reply. */
export const errorReplySchema = z.object({
  error: z.object({
    code: z.enum(ERROR_CODES),
    message: z.string(),
    field: z.string().optional(),
    retryAfterMs: z.number().optional(),
    taskId: z.string().optional(),
  }),
});

/** The reply of `<p>.submit` when no result was waited for. */
export const submitReplySchema = z.object({
  taskId: tokenSchema,
  status: z.literal("accepted"),
  duplicate: z.boolean(),
  subject: z.string(),
});
export type SubmitReply = z.output<typeof submitReplySchema>;

/** The reply of `<p>.where.<taskId>` from the host that runs the task. `progress` is 0–100. */
export const whereReplySchema = z.object({
  attempt: z.int(),
  progress: z.number().nullable(),
  agent: z.string(),
  startedAt: z.string(),
  /** From the holder of the office, of an open ballot: `agent` is "-", and its task is in no stream. */
  ballot: z
    .object({
      capability: tokenSchema,
      scope: tokenSchema,
      priority: z.enum(PRIORITIES),
      seats: z.int(),
      answered: z.int(),
    })
    .optional(),
});
export type WhereReply = z.output<typeof whereReplySchema>;

/** One agent as heartbeats, `status` replies and `agent ls` show it. */
export const agentStatusSchema = z.object({
  id: tokenSchema,
  role: z.string(),
  capabilities: z.array(tokenSchema),
  state: z.enum(AGENT_STATES),
  waiting: z.enum(WAITING_REASONS).nullable(),
  /** The state of the machine that its author wrote, where there is one: of the task that moved last. */
  doing: z.string().max(200).optional(),
  slots: z.object({ used: z.int(), total: z.int() }),
  /** Counts turns of the work loop: it rises while the agent makes progress. */
  loop: z.int(),
  host: z.string(),
  pid: z.int(),
  since: z.string(),
  version: z.string(),
  /** What it is good at, for tasks with route `best`. */
  expertise: z.array(tokenSchema).max(MAX_SKILLS).optional(),
  /** Words and phrases, lower case, that draw tasks with route `best` to it when their input holds them. */
  triggers: z.array(z.string().min(1).max(64)).max(MAX_SKILLS).optional(),
  /** The model that it works with, as its author names it. */
  model: z.string().min(1).max(128).optional(),
  /** The Ed25519 key that its votes are verified with: 32 bytes, base64url. */
  publicKey: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, "must be 32 bytes in base64url")
    .optional(),
});
export type AgentStatus = z.output<typeof agentStatusSchema>;

/** A heartbeat: every agent of one process that beats in this message. `goodbye` is the last one. */
export const heartbeatSchema = z.object({
  host: tokenSchema,
  pid: z.int(),
  role: z.string(),
  at: z.string(),
  goodbye: z.boolean().optional(),
  agents: z.array(agentStatusSchema),
});
export type Heartbeat = z.output<typeof heartbeatSchema>;

/**
 * What a task's journal records of its attempts. `started` is written only for deliveries with a count above one; a
 * `started` without an outcome is an attempt whose process died. `retryAt` is when the next attempt may start.
 * `returned` undoes a `started`: the process gave the task back at the end of a drain. `handed` passes the task on, with
 * what the next agent gets; each later record names it by its sequence in the journal's stream (`handOff`). The last
 * record alone says how many attempts were used.
 */
export const journalRecordSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("started"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    handOff: z.int().optional(),
  }),
  z.object({
    type: z.literal("failed"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    retryAt: z.string(),
    error: resultErrorSchema,
    handOff: z.int().optional(),
  }),
  z.object({
    type: z.literal("returned"),
    attempt: z.int(),
    agent: z.string(),
    at: z.string(),
    handOff: z.int().optional(),
  }),
  handOffRecordSchema,
  z.object({ type: z.literal("finished"), attempt: z.int(), at: z.string() }),
]);
export type JournalRecord = z.output<typeof journalRecordSchema>;

/** What a coordinator is: `leader` is one that holds the office, not one that was merely elected. */
export const COORDINATOR_ROLES = ["leader", "candidate", "follower", "halted"] as const;

/** One coordinator's answer on `<p>.coordinators`: what it believes, which may be old. */
export const coordinatorStatusSchema = z.object({
  id: tokenSchema,
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  role: z.enum(COORDINATOR_ROLES),
  term: z.int(),
  leader: z.string().nullable(),
  logId: z.string(),
  epoch: z.int(),
  appliedSeq: z.int(),
  /** SHA-256 over all entries and decisions so far: equal at equal `appliedSeq`. */
  stateHash: z.string(),
  /** Why it trusts its log no more. */
  halted: z.string().nullable(),
  /** Election messages that were refused since it started. */
  refusedMessages: z.int(),
});
export type CoordinatorStatus = z.output<typeof coordinatorStatusSchema>;

/** A dead letter: the task's payload as it came (base64), why it died, and what its last result said. */
export const deadLetterSchema = z.object({
  taskId: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: z.string(),
  subject: z.string(),
  reason: resultErrorSchema,
  attempts: z.int(),
  agent: z.string(),
  diedAt: z.string(),
  /** The body exactly as published, base64. */
  payload: z.string(),
  contentType: z.string().nullable(),
});
export type DeadLetter = z.output<typeof deadLetterSchema>;

/** `task show` and `GET /v1/tasks/{id}`. */
export const taskStatusSchema = z.object({
  taskId: tokenSchema,
  capability: z.string().nullable(),
  state: z.enum(TASK_STATES),
  attempt: z.int(),
  progress: z.number().nullable(),
  agent: z.string().nullable(),
  queuedMs: z.number().nullable(),
  /** When a scheduled or retrying task comes due. */
  dueAt: z.string().nullable(),
  /** Where the task is or was placed, and why; only of one with a route other than `queue`. */
  placement: placementSchema.optional(),
  /** Of a task that was handed off: the agents that had it before, the first one first. A list tells it of ended tasks only. */
  handOffs: z.array(hopSchema).optional(),
  /** Of a ballot that is open or has ended with a verdict: its seats, and how many of them have answered. */
  ballot: z.object({ seats: z.int(), answered: z.int() }).optional(),
  result: resultSchema.optional(),
});
export type TaskStatus = z.output<typeof taskStatusSchema>;
