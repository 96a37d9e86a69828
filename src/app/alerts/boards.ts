// The names of the boards of Grafana: alerts link to them, and grafana/src draws them. Pure: a table.

/** The boards, by the name in their uid and in their file. */
export const BOARD_NAMES = [
  "overview",
  "tasks",
  "agents",
  "office",
  "ballots",
  "workflows",
  "dead-letters",
  "nats",
  "api",
] as const;
/** One of {@link BOARD_NAMES}. */
export type BoardName = (typeof BOARD_NAMES)[number];

/** The uid of a board: it stays for ever, because links and bookmarks have it. */
export function uidOf(name: BoardName): string {
  return `murmur-${name}`;
}
