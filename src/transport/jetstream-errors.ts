// JetStream's error codes, and functions that read further facts from the SwarmError of a failed call. nats/errors.ts makes
// these errors, with the JetStream error as cause. The in-memory transport sets that cause only for a missing stream.
import { SwarmError } from "../protocol/index.ts";

/** A JetStream API error, as a reply contains it. */
export interface ApiError {
  code: number;
  err_code?: number;
  description?: string;
}

/** The JetStream error codes that this room handles by name (nats-server `server/errors.json`). */
export const JETSTREAM_ERRORS = {
  noPeers: 10005,
  consumerNotFound: 10014,
  messageNotFound: 10037,
  /** A delete names a sequence between stored messages that is not stored. */
  sequenceNotFound: 10043,
  storageExceeded: 10047,
  messageTooLarge: 10054,
  messageDeleteFailed: 10057,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  subjectsOverlap: 10065,
  wrongLastSequence: 10071,
  notClustered: 10074,
  /** The store rejected the message: one code for a full stream and for a full subject. Only the text differs. */
  storeFailed: 10077,
  filtersOverlap: 10100,
  purgeFailed: 10110,
  rollupForbidden: 10111,
  wrongLastSequenceUnknown: 10164,
  ttlInvalid: 10165,
  ttlDisabled: 10166,
  schedulesDisabled: 10188,
  scheduleInvalid: 10189,
  scheduleTargetInvalid: 10190,
} as const;

/** JetStream gives the sequence only in the error text (`JSStreamWrongLastSequenceErrF`, 10071); so does the memory stream. */
const WRONG_LAST_SEQUENCE = /wrong last sequence: (\d+)/;

/** The JetStream error code in the cause of an error; undefined for an error without one. */
export function jetStreamCode(error: unknown): number | undefined {
  if (!(error instanceof SwarmError) || typeof error.cause !== "object" || error.cause === null)
    return undefined;
  return "err_code" in error.cause && typeof error.cause.err_code === "number"
    ? error.cause.err_code
    : undefined;
}

/**
 * The last sequence that the server found when it rejected a fenced append: of the stream or of the subject, depending on the
 * append's condition. Undefined for any other error, and for an error whose text has no sequence.
 */
export function lastSeqOf(error: unknown): number | undefined {
  if (!(error instanceof SwarmError) || error.code !== "conflict") return undefined;
  const lastSeq = WRONG_LAST_SEQUENCE.exec(error.message)?.[1];
  return lastSeq === undefined ? undefined : Number(lastSeq);
}

/** True when a server answered that the stream does not exist. A missing answer is not enough. */
export function isStreamMissing(error: unknown): boolean {
  return jetStreamCode(error) === JETSTREAM_ERRORS.streamNotFound;
}

/** True for an append with a roll-up to a stream that refuses roll-ups, of JetStream or of the transport in memory. */
export function isRollupRefused(error: unknown): boolean {
  if (jetStreamCode(error) === JETSTREAM_ERRORS.rollupForbidden) return true;
  return (
    error instanceof SwarmError && error.code === "invalid_input" && error.message.endsWith(ROLLUP_REFUSED)
  );
}

/** The end of the message of the transport in memory. */
export const ROLLUP_REFUSED = "rollup not permitted";
