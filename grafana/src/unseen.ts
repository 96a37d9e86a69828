// The metrics that no panel and no alert reads, each with its reason. A test demands that the list is exact. Pure: a table.

/** The reason for each metric, by name. */
export const UNSEEN: Readonly<Record<string, string>> = {};
