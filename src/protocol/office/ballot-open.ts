// How a task with a ballot is handed over to the office: by the host that received it, whole, so that the host can ack it.
import { z } from "zod";
import { ballotSchema } from "../ballot/ballot.ts";
import { blobSchema, MAX_TIMEOUT_MS, retrySchema } from "../task/task.ts";
import { timeSchema, tokenSchema } from "../wire/schema.ts";
import { PRIORITIES } from "../wire/subjects.ts";

/** The longest input, in characters of its JSON, that travels with the request; a longer one is left in the blob store. */
export const BALLOT_INPUT_LIMIT = 16_384;

/** What the office is asked on `<p>.office.ballot-open`. */
export const ballotOpenRequestSchema = z.object({
  taskId: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: tokenSchema,
  /** How the result is to be encoded. */
  encoding: z.enum(["json", "msgpack"]),
  /** When the task was stored, ms since 1970. */
  storedAtMs: z.number().min(0),
  ballot: ballotSchema,
  /** What every seat gets of the task. */
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
/** What the office is asked on `<p>.office.ballot-open`. */
export type BallotOpenRequest = z.output<typeof ballotOpenRequestSchema>;

/** The office has the ballot: whoever asked may forget the task. */
export const ballotOpenReplySchema = z.object({ opened: z.literal(true) });
