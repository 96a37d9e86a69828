// What the log has told of its snapshots, and so how much of log and snapshots is still needed. Pure.
//
// N2  The log keeps all that the last but one snapshot needs: it is trimmed up to the entry of its checkpoint.
// N3  An object is removed only when the log does not reach back to it any more, and never one of the newest two.
import type { SnapshotNote } from "../../consensus/index.ts";
import type { SnapshotId } from "./snapshot-store.ts";

/** The snapshots that one coordinator has read of. */
export class SnapshotRetention {
  /** Up to where the newest snapshot, or the coordinator's beginning, covers the log: it must reach back to there. */
  coveredSeq: number;
  #newest: SnapshotNote | null = null;
  #lastButOne: SnapshotNote | null = null;

  /** `coveredSeq` is where the coordinator began. */
  constructor(coveredSeq: number) {
    this.coveredSeq = coveredSeq;
  }

  /** The log tells of a snapshot. */
  note(snapshot: SnapshotNote): void {
    this.#lastButOne = this.#newest;
    this.#newest = snapshot;
    this.coveredSeq = snapshot.seq;
  }

  /** The log is kept from this sequence on (N2); null while all of it is. */
  get keptFromSeq(): number | null {
    return this.#lastButOne?.seq ?? null;
  }
}

/** Those of `ids`, the newest first, that a log that begins at `firstSeq` does not need (N3). */
export function listNeedless<Id extends Pick<SnapshotId, "seq">>(ids: readonly Id[], firstSeq: number): Id[] {
  return ids.slice(2).filter(({ seq }) => seq < firstSeq);
}
