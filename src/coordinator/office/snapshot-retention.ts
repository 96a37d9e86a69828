// Computes from the snapshot entries of the log how much of the log and which snapshots are still needed. Pure.
//
// N2  The log keeps all entries since the last but one snapshot: it is trimmed up to the entry of that checkpoint.
// N3  A snapshot object is removed only when the log does not reach back to it any more, and never one of the newest two.
import type { SnapshotNote } from "../../consensus/index.ts";
import type { SnapshotId } from "./snapshot-store.ts";

/** The snapshot entries that one coordinator has read. */
export class SnapshotRetention {
  /** The last entry that the newest snapshot, or the start point, covers. The log must reach back to it. */
  coveredSeq: number;
  #newest: SnapshotNote | null = null;
  #lastButOne: SnapshotNote | null = null;

  /** `coveredSeq` is the sequence of the coordinator's start point. */
  constructor(coveredSeq: number) {
    this.coveredSeq = coveredSeq;
  }

  /** Notes a snapshot entry of the log. */
  note(snapshot: SnapshotNote): void {
    this.#lastButOne = this.#newest;
    this.#newest = snapshot;
    this.coveredSeq = snapshot.seq;
  }

  /** The first sequence that the log keeps (N2); null while it keeps everything. */
  get keptFromSeq(): number | null {
    return this.#lastButOne?.seq ?? null;
  }
}

/** The snapshots among `ids` (the newest first) that a log that begins at `firstSeq` does not need (N3). */
export function listSuperfluous<Id extends Pick<SnapshotId, "seq">>(
  ids: readonly Id[],
  firstSeq: number,
): Id[] {
  return ids.slice(2).filter(({ seq }) => seq < firstSeq);
}
