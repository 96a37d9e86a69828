// The request that hands a task with a ballot to the office. The host that received the task sends all of it, so that the
// host can ack the task. Owns the schemas of request and reply.
import { z } from "zod";
import { ballotSchema, readPlainBallot } from "../ballot/ballot.ts";
import { blobSchema, MAX_TIMEOUT_MS, retrySchema } from "../task/task.ts";
import { parse, timeSchema, tokenSchema } from "../wire/schema.ts";
import { isToken, PRIORITIES, PRIORITY_WEIGHTS } from "../wire/subjects.ts";

/** The longest input, in characters of its JSON, that travels with the request. A longer input stays in the blob store. */
export const BALLOT_INPUT_LIMIT = 16_384;

/** The request on `<p>.office.ballot-open`. */
export const ballotOpenRequestSchema = z.object({
  taskId: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: tokenSchema,
  /** The encoding of the result. */
  encoding: z.enum(["json", "msgpack"]),
  /** The time at which the task was stored, in ms since 1970. */
  storedAtMs: z.number().min(0),
  ballot: ballotSchema,
  /** The part of the task that every seat gets. */
  task: z.strictObject({
    input: z.unknown().optional(),
    inputRef: blobSchema.optional(),
    labels: z.record(tokenSchema, z.string()).optional(),
    deadline: timeSchema.optional(),
    timeoutMs: z.number().min(1).max(MAX_TIMEOUT_MS),
    retry: retrySchema.optional(),
  }),
  traceparent: z.string().max(256).optional(),
});
/** The request on `<p>.office.ballot-open`. */
export type BallotOpenRequest = z.output<typeof ballotOpenRequestSchema>;

/** @throws SwarmError `invalid_input`, naming the field. */
export function parseBallotOpenRequest(value: unknown): BallotOpenRequest {
  return readPlainBallotOpen(value) ?? parse(ballotOpenRequestSchema, value, "ballot-open");
}

/**
 * Reads a request that has only the most common fields, each with a good value, as {@link ballotOpenRequestSchema} does; undefined for
 * every other value, which the schema must judge. The schema costs 3 % of the CPU time of a coordinator that opens ballots.
 */
export function readPlainBallotOpen(value: unknown): BallotOpenRequest | undefined {
  if (!isObject(value) || !isObject(value.task)) return undefined;
  for (const key in value) if (!PLAIN_FIELDS.has(key)) return undefined;
  for (const key in value.task) if (key !== "input" && key !== "timeoutMs") return undefined;
  const { taskId, capability, priority, scope, encoding, storedAtMs } = value as Partial<BallotOpenRequest>;
  const { input, timeoutMs } = value.task;
  if (!isTokenText(taskId) || !isTokenText(capability) || !isTokenText(scope)) return undefined;
  if (typeof priority !== "string" || !Object.hasOwn(PRIORITY_WEIGHTS, priority)) return undefined;
  if (encoding !== "json" && encoding !== "msgpack") return undefined;
  if (!isWithin(storedAtMs, 0, Number.MAX_VALUE) || !isWithin(timeoutMs, 1, MAX_TIMEOUT_MS)) return undefined;
  const ballot = readPlainBallot(value.ballot);
  if (ballot === undefined) return undefined;
  const task = input === undefined ? { timeoutMs } : { input, timeoutMs };
  return { taskId, capability, priority, scope, encoding, storedAtMs, ballot, task };
}

const PLAIN_FIELDS: ReadonlySet<string> = new Set([
  "taskId",
  "capability",
  "priority",
  "scope",
  "encoding",
  "storedAtMs",
  "ballot",
  "task",
] satisfies (keyof BallotOpenRequest)[]);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
const isTokenText = (value: unknown): value is string => typeof value === "string" && isToken(value);
const isWithin = (value: unknown, least: number, most: number): value is number =>
  typeof value === "number" && value >= least && value <= most;

/** The reply: the office has stored the ballot, and the host may ack the task. */
export const ballotOpenReplySchema = z.object({ opened: z.literal(true) });
