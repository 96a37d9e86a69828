// Maps JetStream's error replies to SwarmErrors, for the other files of this folder. The error codes are in
// ../jetstream-errors.ts.
import { type ErrorCode, SwarmError } from "../../protocol/index.ts";
import { type ApiError, JETSTREAM_ERRORS } from "../jetstream-errors.ts";
import { NoSubscriberError } from "../no-subscriber.ts";

/** Makes a SwarmError from a JetStream API error, with that error as its cause. `doing` names the failed action. */
export function fromApiError(error: ApiError, doing: string): SwarmError {
  const description = error.description ?? "refused";
  const message = `${doing}: ${description} (JetStream ${error.err_code ?? error.code})`;
  const as = (code: ErrorCode, next: string, field?: string) =>
    new SwarmError(code, next === "" ? message : `${message}: ${next}`, { cause: error, field });
  switch (error.err_code) {
    case JETSTREAM_ERRORS.wrongLastSequence:
    case JETSTREAM_ERRORS.wrongLastSequenceUnknown:
      return as("conflict", "another write came first");
    case JETSTREAM_ERRORS.storeFailed:
      if (/per subject/.test(description)) return as("conflict", "the subject already holds its one message");
      if (/maximum (bytes|messages) exceeded/.test(description))
        return as(
          "rate_limited",
          "the stream is full; retry when some of its messages are gone, or give it more bytes",
        );
      return as("unavailable", "");
    case JETSTREAM_ERRORS.storageExceeded:
      return as(
        "rate_limited",
        "the server's JetStream storage is used up or reserved: give it more storage",
      );
    case JETSTREAM_ERRORS.messageDeleteFailed:
    case JETSTREAM_ERRORS.purgeFailed:
      return /not permitted/.test(description)
        ? as("not_permitted", "this stream does not allow removals")
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

/** The error of a request to a subject without a subscriber. It names the next step. */
export function noResponders(subject: string, doing: string): SwarmError {
  const isApi = subject.startsWith("$JS.API.");
  const hint = isApi ? "start nats-server with -js, or check the account's limits" : undefined;
  return new NoSubscriberError(subject, doing, hint);
}
