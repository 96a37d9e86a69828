// Bounds that both the reducer and the driver of ballots keep.

/** Ballots of one command. */
export const MAX_BATCH_ITEMS = 256;
