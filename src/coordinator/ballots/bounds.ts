// Bounds that both the reducer and the driver of ballots keep.

/** Ballots of one command. */
export const MAX_BATCH_ITEMS = 256;
/** Ballots that wait for agents and whose time counts. While so many do, a further one waits without its time passing. */
export const MAX_WAITING = 4_096;
