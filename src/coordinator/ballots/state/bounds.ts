// Bounds that several parts of ballots keep.

/** Ballots of one command. */
export const MAX_BATCH_ITEMS = 256;
/** Ballots that wait for agents and whose time counts. While so many do, a further one waits without its time passing. */
export const MAX_WAITING = 4_096;

/** How much memory answers of open ballots may take in the coordinator in office, in bytes. */
export interface AnswerBounds {
  /** Beyond this no whole output is kept any more: the winning one is read from its result. */
  readonly keptBytes: number;
  /** Beyond this no ballot is opened. What is open adds at most 128 KiB each. */
  readonly heldBytes: number;
}

/** What a coordinator of usual size can spare. */
export const ANSWER_BOUNDS: AnswerBounds = { keptBytes: 64 * 1_024 * 1_024, heldBytes: 256 * 1_024 * 1_024 };
