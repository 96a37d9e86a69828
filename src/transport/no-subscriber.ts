// The error of a request that no process takes. Both transports throw it, so that a caller can tell it from a late reply.
import { SwarmError } from "../protocol/index.ts";

/** `unavailable`: the subject of a request has no subscriber. */
export class NoSubscriberError extends SwarmError {
  /** @param hint the next step, for a subject that the caller does not explain better. */
  constructor(
    subject: string,
    doing: string,
    hint = "run `murmur init` when a stream should take this subject, or start the process that answers it",
  ) {
    super("unavailable", `${doing}: no subscriber on ${subject}: ${hint}`);
  }
}
