// Compares the hash in a snapshot entry with the hash of this member's own fold at the same checkpoint. The driver
// computes the hash of the member's fold, because that takes long; office.ts and member.ts call the comparison.
//
// K1  A member halts when the hash of its fold at a checkpoint differs from the hash in the log. The member has decided
//     differently from the holder of the office, and the log alone does not show which of the two is right.
// K2  A member compares only hashes that it has. A member that started after a checkpoint has no hash of its own for
//     it, and skips the comparison.

import type { LogEntry, Snapshot } from "../log/entry.ts";
import type { SnapshotNews } from "./effects.ts";
import type { OfficeSession } from "./state.ts";

/**
 * The most hashes that a member keeps of its own, and the most from the log. At most one other checkpoint comes between
 * a checkpoint and its snapshot.
 */
const MAX_HASHES = 4;

/** The reason to halt: the entry's hash differs from the hash of this member's fold. Undefined without a difference. */
export function findFork<S, C>({ ownHashes }: OfficeSession<S, C>, entry: LogEntry<C>): string | undefined {
  if (entry.type !== "snapshot") return undefined;
  const own = ownHashes.get(entry.seq);
  return own === undefined ? undefined : compare(entry.seq, own, entry.hash);
}

/** Records a snapshot entry that was just applied. */
export function recordSnapshot<S, C>(
  { fold, ownHashes, loggedHashes }: OfficeSession<S, C>,
  { seq, hash, object }: Snapshot,
): SnapshotNews {
  if (!ownHashes.has(seq)) remember(loggedHashes, seq, hash);
  return { seq, hash, object, entrySeq: fold.seq };
}

/**
 * Records the hash of this member's fold at a checkpoint. Returns the reason to halt if the log has another hash for
 * it.
 */
export function compareHash<S, C>(
  { ownHashes, loggedHashes }: OfficeSession<S, C>,
  { seq, hash }: { readonly seq: number; readonly hash: string },
): string | undefined {
  remember(ownHashes, seq, hash);
  const logged = loggedHashes.get(seq);
  loggedHashes.delete(seq);
  return logged === undefined ? undefined : compare(seq, hash, logged);
}

function compare(seq: number, own: string, logged: string): string | undefined {
  return own === logged
    ? undefined
    : `the state at ${seq} is ${own} here, and ${logged} by the log's snapshot`;
}

function remember(hashes: Map<number, string>, seq: number, hash: string): void {
  hashes.set(seq, hash);
  for (const oldest of hashes.keys()) {
    if (hashes.size <= MAX_HASHES) return;
    hashes.delete(oldest);
  }
}
