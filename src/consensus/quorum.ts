// The arithmetic of majorities in one vocabulary (pending, won, lost), for elections and for ballots. Owns numbers only
// and imports nothing. Pure.

/** The result of a count so far: not decided yet, won, or no longer winnable. */
export type CountOutcome = "pending" | "won" | "lost";

/** The smallest number of members that is more than half of `members` (Raft §5.2). */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** The result so far when `needed` of `members` must agree, and `yes` and `no` votes have arrived. */
export function countOutcome(count: {
  yes: number;
  no: number;
  members: number;
  needed: number;
}): CountOutcome {
  if (count.yes >= count.needed) return "won";
  return count.members - count.no < count.needed ? "lost" : "pending";
}

/** The result so far of a majority vote among `members`. */
export function majorityOutcome(count: { yes: number; no: number; members: number }): CountOutcome {
  return countOutcome({ ...count, needed: majorityOf(count.members) });
}

/** The number of liars that `members` tolerate: fewer than a third (Pease, Shostak and Lamport 1980). */
export function faultyOf(members: number): number {
  return Math.floor((members - 1) / 3);
}

/**
 * The number of votes that a decision among `members` needs when {@link faultyOf} of them may lie. Any two sets of so
 * many voters share an honest member, so two values cannot both win (Malkhi and Reiter 1998, dissemination quorums of
 * ⌈(n + f + 1) / 2⌉).
 */
export function byzantineQuorumOf(members: number): number {
  return Math.floor((members + faultyOf(members)) / 2) + 1;
}
