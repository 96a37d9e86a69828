// The result: the one stored end of a task. Owns its schema and the schemas of its parts.
import { z } from "zod";
import {
  ballotUsageSchema,
  isPlainUsage,
  isPlainVerdict,
  signedVoteSchema,
  verdictSchema,
} from "../ballot/verdict.ts";
import { ERROR_CODES } from "../wire/errors.ts";
import { timeSchema, tokenSchema } from "../wire/schema.ts";
import { isToken } from "../wire/subjects.ts";
import { placementSchema } from "./placement.ts";

/** The error inside a result. */
export const resultErrorSchema = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  field: z.string().optional(),
  retryable: z.boolean(),
});

/** An agent that had a task and handed it off to another. */
export const hopSchema = z.object({ agent: z.string(), attempt: z.int(), at: timeSchema });
/** An agent that had a task and handed it off to another. */
export type Hop = z.output<typeof hopSchema>;

/** The one result of a task. Readers accept unknown fields: the contract grows by addition. */
export const resultSchema = z.object({
  taskId: tokenSchema,
  status: z.enum(["completed", "failed", "cancelled"]),
  output: z.unknown().optional(),
  error: resultErrorSchema.optional(),
  attempt: z.int().min(0),
  agent: z.string(),
  startedAt: z.string(),
  finishedAt: z.string(),
  queuedMs: z.number(),
  ranMs: z.number(),
  /** For a placed task: the agent that the coordinator chose, and the reasons. */
  placement: placementSchema.optional(),
  /** For a task that was handed off: the agents that had it before `agent`, in that order. */
  handOffs: z.array(hopSchema).optional(),
  /** The model usage of the task, as far as it is known. */
  usage: ballotUsageSchema.optional(),
  /** For a ballot: its outcome, with everything that explains it. */
  verdict: verdictSchema.optional(),
  /** For a seat of a ballot with the strategy `bft`: the signed vote. */
  vote: signedVoteSchema.optional(),
});

/** The one result of a task. `attempt` 0 and `agent` "-" mean that it never started. */
export type Result = z.output<typeof resultSchema>;
/**
 * Reads a result that has only the fields of every result, and perhaps an output, a usage and a plain verdict, as {@link resultSchema}
 * does; undefined for every other value, which the schema must judge. A client reads one for each task, and a coordinator one for each
 * seat.
 */
export function readPlainResult(value: unknown): Result | undefined {
  return isPlainResult(value) ? value : undefined;
}

function isPlainResult(value: unknown): value is Result {
  if (typeof value !== "object" || value === null) return false;
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const key in value) if (!RESULT_FIELDS.has(key)) return false;
  const { taskId, status, attempt, agent, startedAt, finishedAt, queuedMs, ranMs, usage, verdict } =
    value as Result;
  return (
    typeof taskId === "string" &&
    isToken(taskId) &&
    (status === "completed" || status === "failed" || status === "cancelled") &&
    Number.isSafeInteger(attempt) &&
    attempt >= 0 &&
    typeof agent === "string" &&
    typeof startedAt === "string" &&
    typeof finishedAt === "string" &&
    Number.isFinite(queuedMs) &&
    Number.isFinite(ranMs) &&
    (usage === undefined || isPlainUsage(usage)) &&
    (verdict === undefined || isPlainVerdict(verdict))
  );
}

/** The fields of every result, and the optional fields of plain ones. */
const RESULT_FIELDS: ReadonlySet<string> = new Set([
  "taskId",
  "status",
  "output",
  "attempt",
  "agent",
  "startedAt",
  "finishedAt",
  "queuedMs",
  "ranMs",
  "usage",
  "verdict",
]);

/** The final status of a task. */
export type ResultStatus = Result["status"];
