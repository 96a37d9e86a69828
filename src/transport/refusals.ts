// What a failed call on a stream tells beside its code.
import { SwarmError } from "../protocol/index.ts";
import { JETSTREAM_ERRORS, jetStreamCode } from "./nats/errors.ts";

/** JetStream says it in words only (nats-server `JSStreamWrongLastSequenceErrF`, 10071); the in-memory stream likewise. */
const WRONG_LAST_SEQUENCE = /wrong last sequence: (\d+)/;

/**
 * The last sequence that a refused append met instead of the one it expected: of the stream, or of the subject, as the
 * expectation was. Undefined when the error is another one, or does not tell.
 */
export function lastSeqOf(error: unknown): number | undefined {
  if (!(error instanceof SwarmError) || error.code !== "conflict") return undefined;
  const told = WRONG_LAST_SEQUENCE.exec(error.message)?.[1];
  return told === undefined ? undefined : Number(told);
}

/** True when the stream itself is not there: said by a server that answers, not by silence. */
export function isStreamMissing(error: unknown): boolean {
  return jetStreamCode(error) === JETSTREAM_ERRORS.streamNotFound;
}
