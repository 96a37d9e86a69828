// The request that hands a task with a ballot to the office. The host that received the task sends all of it, so that the
// host can ack the task. Owns the schemas of request and reply.
import { z } from "zod";
import { ballotSchema } from "../ballot/ballot.ts";
import { blobSchema, MAX_TIMEOUT_MS, retrySchema } from "../task/task.ts";
import { timeSchema, tokenSchema } from "../wire/schema.ts";
import { PRIORITIES } from "../wire/subjects.ts";

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

/** The reply: the office has stored the ballot, and the host may ack the task. */
export const ballotOpenReplySchema = z.object({ opened: z.literal(true) });
