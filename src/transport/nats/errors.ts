// JetStream's answers as errors of the catalogue. The only place that knows its numbers.
import { SwarmError } from "../../protocol/index.ts";

/** A JetStream API error as it stands in a reply. */
export interface ApiError {
  code: number;
  err_code?: number;
  description?: string;
}

/** JetStream error codes that we treat by name (nats-server `server/errors.json`). */
export const JETSTREAM_ERRORS = {
  consumerNotFound: 10014,
  messageNotFound: 10037,
  streamNotFound: 10059,
  messageTooLarge: 10054,
  wrongLastSequence: 10071,
  maxMessagesPerSubject: 10077,
  maxBytesExceeded: 10047,
  wrongLastSequenceUnknown: 10164,
} as const;

/** Turns a JetStream API error into a SwarmError; `doing` says what was tried, for the message. */
export function fromApiError(error: ApiError, doing: string): SwarmError {
  const told = `${doing}: ${error.description ?? "refused"} (JetStream ${error.err_code ?? error.code})`;
  switch (error.err_code) {
    case JETSTREAM_ERRORS.wrongLastSequence:
    case JETSTREAM_ERRORS.wrongLastSequenceUnknown:
      return new SwarmError("conflict", `${told}: another write came first`);
    case JETSTREAM_ERRORS.maxMessagesPerSubject:
      return new SwarmError("conflict", `${told}: the subject holds its one message already`);
    case JETSTREAM_ERRORS.maxBytesExceeded:
      return new SwarmError(
        "rate_limited",
        `${told}: the stream is full; wait until agents have taken some work`,
      );
    case JETSTREAM_ERRORS.messageTooLarge:
      return new SwarmError("payload_too_large", told);
    case JETSTREAM_ERRORS.streamNotFound:
    case JETSTREAM_ERRORS.consumerNotFound:
    case JETSTREAM_ERRORS.messageNotFound:
      return new SwarmError("not_found", told);
    default:
      // A full stream answers without a code of its own: "maximum bytes exceeded", "maximum messages exceeded".
      if (/maximum (bytes|messages) exceeded/.test(error.description ?? "")) {
        return new SwarmError(
          "rate_limited",
          `${told}: the stream is full; wait until agents have taken some work`,
        );
      }
      return new SwarmError("unavailable", told);
  }
}

/** Nobody listens on a subject: says what may be missing. */
export function noResponders(subject: string, doing: string): SwarmError {
  const hint = subject.startsWith("$JS.API.")
    ? "JetStream does not answer: start nats-server with -js, or look at the account's limits"
    : "no stream or no listener takes this subject: run `murmur init`, or start the process that answers it";
  return new SwarmError("unavailable", `${doing}: nobody listens on ${subject}; ${hint}`);
}
