// Limits that several files of ballots share.

/** The most ballots in one command. */
export const MAX_BATCH_ITEMS = 256;
/** The most ballots whose wait for agents is timed. A further ballot waits too, but its time does not pass yet. */
export const MAX_WAITING = 4_096;

/** Limits of the memory that the answers of open ballots take in the coordinator in office, in bytes. */
export interface AnswerBounds {
  /** Beyond this, no further whole output is kept: the winner's output is then read from its result. */
  readonly keptBytes: number;
  /** Beyond this, no further ballot is opened. Each open ballot may still add up to 128 KiB. */
  readonly heldBytes: number;
}

/** The default: as much as a coordinator of the usual size can spare. */
export const ANSWER_BOUNDS: AnswerBounds = { keptBytes: 64 * 1_024 * 1_024, heldBytes: 256 * 1_024 * 1_024 };
