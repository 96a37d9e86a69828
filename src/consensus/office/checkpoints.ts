// Whether a snapshot in the log is of the fold that this member has: what is compared, and when. Owns the comparison;
// the hash itself is the driver's work, because it takes a while.
//
// K1  A member whose fold had another hash at a checkpoint than the log says halts: it decided otherwise than the holder
//     of the office, and nobody can tell from the log alone who was right.
// K2  A hash that is not known cannot be compared and is not made up: whoever began behind a checkpoint does without.

import type { LogEntry, Snapshot } from "../log/entry.ts";
import type { SnapshotNews } from "./effects.ts";
import type { OfficeSession } from "./state.ts";

/** Hashes that are remembered on each side: a snapshot follows its checkpoint, at most one other between. */
const MAX_HASHES = 4;

/** Why the entry shows that this member's fold went another way; undefined when it does not. */
export function findFork<S, C>({ ownHashes }: OfficeSession<S, C>, entry: LogEntry<C>): string | undefined {
  if (entry.type !== "snapshot") return undefined;
  const own = ownHashes.get(entry.seq);
  return own === undefined ? undefined : compare(entry.seq, own, entry.hash);
}

/** Takes note of a snapshot entry that was just applied. */
export function recordSnapshot<S, C>(
  { fold, ownHashes, loggedHashes }: OfficeSession<S, C>,
  { seq, hash, object }: Snapshot,
): SnapshotNews {
  if (!ownHashes.has(seq)) remember(loggedHashes, seq, hash);
  return { seq, hash, object, entrySeq: fold.seq };
}

/** Takes the hash of the own fold at a checkpoint. Gives why it shows a fork. */
export function compareHash<S, C>(
  { ownHashes, loggedHashes }: OfficeSession<S, C>,
  { seq, hash }: { readonly seq: number; readonly hash: string },
): string | undefined {
  remember(ownHashes, seq, hash);
  const told = loggedHashes.get(seq);
  loggedHashes.delete(seq);
  return told === undefined ? undefined : compare(seq, hash, told);
}

function compare(seq: number, own: string, told: string): string | undefined {
  return own === told ? undefined : `the state at ${seq} is ${own} here, and ${told} by the log's snapshot`;
}

function remember(hashes: Map<number, string>, seq: number, hash: string): void {
  hashes.set(seq, hash);
  for (const oldest of hashes.keys()) {
    if (hashes.size <= MAX_HASHES) return;
    hashes.delete(oldest);
  }
}
