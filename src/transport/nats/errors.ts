// JetStream's answers as errors of the catalogue. The only place that knows its numbers.
import { type ErrorCode, SwarmError } from "../../protocol/index.ts";
import { type ApiError, JETSTREAM_ERRORS } from "../jetstream-errors.ts";

/** Turns a JetStream API error into a SwarmError with that error as its cause; `doing` says what was tried. */
export function fromApiError(error: ApiError, doing: string): SwarmError {
  const description = error.description ?? "refused";
  const told = `${doing}: ${description} (JetStream ${error.err_code ?? error.code})`;
  const as = (code: ErrorCode, next: string, field?: string) =>
    new SwarmError(code, next === "" ? told : `${told}: ${next}`, { cause: error, field });
  switch (error.err_code) {
    case JETSTREAM_ERRORS.wrongLastSequence:
    case JETSTREAM_ERRORS.wrongLastSequenceUnknown:
      return as("conflict", "another write came first");
    case JETSTREAM_ERRORS.storeFailed:
      if (/per subject/.test(description)) return as("conflict", "the subject holds its one message already");
      if (/maximum (bytes|messages) exceeded/.test(description))
        return as("rate_limited", "the stream is full; wait until agents have taken some work");
      return as("unavailable", "");
    case JETSTREAM_ERRORS.storageExceeded:
      return as("rate_limited", "the server's JetStream storage is used up or reserved: give it more");
    case JETSTREAM_ERRORS.messageDeleteFailed:
    case JETSTREAM_ERRORS.purgeFailed:
      return /not permitted/.test(description)
        ? as("not_permitted", "nobody may remove what this stream holds")
        : as("unavailable", "");
    case JETSTREAM_ERRORS.messageTooLarge:
      return as("payload_too_large", "");
    case JETSTREAM_ERRORS.streamNotFound:
      return as("unavailable", "run `murmur init`");
    case JETSTREAM_ERRORS.consumerNotFound:
    case JETSTREAM_ERRORS.messageNotFound:
      return as("not_found", "");
    case JETSTREAM_ERRORS.filtersOverlap:
      return as("conflict", "another consumer of the work queue has an overlapping filter", "filter");
    case JETSTREAM_ERRORS.rollupForbidden:
    case JETSTREAM_ERRORS.ttlInvalid:
    case JETSTREAM_ERRORS.ttlDisabled:
    case JETSTREAM_ERRORS.schedulesDisabled:
    case JETSTREAM_ERRORS.scheduleInvalid:
    case JETSTREAM_ERRORS.scheduleTargetInvalid:
      return as("invalid_input", "", "headers");
    default:
      return as("unavailable", "");
  }
}

/** Nobody listens on a subject: says what may be missing. */
export function noResponders(subject: string, doing: string): SwarmError {
  const hint = subject.startsWith("$JS.API.")
    ? "JetStream does not answer: start nats-server with -js, or look at the account's limits"
    : "no stream or no listener takes this subject: run `murmur init`, or start the process that answers it";
  return new SwarmError("unavailable", `${doing}: nobody listens on ${subject}; ${hint}`);
}
