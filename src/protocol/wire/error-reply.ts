// The body of every error reply, on NATS and over HTTP. Owns its schema; the codes and the error classes are in errors.ts.
import { z } from "zod";
import { ERROR_CODES } from "./errors.ts";

/** The body of every error reply. */
export const errorReplySchema = z.object({
  error: z.object({
    code: z.enum(ERROR_CODES),
    message: z.string(),
    field: z.string().optional(),
    retryAfterMs: z.number().optional(),
    taskId: z.string().optional(),
    retryable: z.boolean().optional(),
  }),
});
