// A task's status: the answer of `task show` and `GET /v1/tasks/{id}`. Owns its schema; the work room collects the facts.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { taskHistorySchema } from "./history.ts";
import { placementSchema } from "./placement.ts";
import { hopSchema, resultSchema } from "./result.ts";

/** The seven states of a task. */
export const TASK_STATES = [
  "scheduled",
  "pending",
  "running",
  "retrying",
  "completed",
  "failed",
  "cancelled",
] as const;
/** A task's state. */
export type TaskState = (typeof TASK_STATES)[number];

/** The answer of `task show` and `GET /v1/tasks/{id}`. */
export const taskStatusSchema = z.object({
  taskId: tokenSchema,
  capability: z.string().nullable(),
  state: z.enum(TASK_STATES),
  attempt: z.int(),
  progress: z.number().nullable(),
  agent: z.string().nullable(),
  queuedMs: z.number().nullable(),
  /** The time at which a scheduled or retrying task comes due. */
  dueAt: z.string().nullable(),
  /** The agent that the task is or was placed on, and the reasons. Only for a task with a route other than `queue`. */
  placement: placementSchema.optional(),
  /** The agents that had the task before and handed it off, in that order. Lists show it for finished tasks only. */
  handOffs: z.array(hopSchema).optional(),
  /**
   * Set while the task waits for a person: each of these steps has `once`, began and never settled. `murmur task settle` ends that.
   */
  waiting: z.object({ reason: z.literal("human"), steps: z.array(z.string()), since: z.string() }).optional(),
  /** Set while no process can take the task, with the reason: `task move` or `task cancel` ends that. */
  stray: z.string().optional(),
  /** For a ballot that is open or ended with a verdict: the number of its seats, and the number that have answered. */
  ballot: z.object({ seats: z.int(), answered: z.int() }).optional(),
  /**
   * The pause of the task's capability, for a task that waits: its time (ISO 8601) and its operator. Both are null when
   * NATS holds the queue and no coordinator answered, or when another program paused the queue. Only `task show` has it.
   */
  paused: z.object({ since: z.string().nullable(), by: z.string().nullable() }).optional(),
  result: resultSchema.optional(),
  /** The trace of the task: of its message, or of its result when it has ended. Absent when the trace was not sampled. */
  traceId: z.string().optional(),
  /** The address of the trace, where the setting `traceUrl` is given. */
  traceUrl: z.string().optional(),
  /** The attempts with their times, agents, errors and stacks. Only the answer about one task has it. */
  history: taskHistorySchema.optional(),
});
/** The answer of `task show` and `GET /v1/tasks/{id}`. */
export type TaskStatus = z.output<typeof taskStatusSchema>;
