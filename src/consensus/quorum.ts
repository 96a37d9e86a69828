// The arithmetic of majorities, for elections and for ballots: how many votes a decision needs, and whether a count is
// pending, won or lost. Computes with numbers only and imports nothing. Pure.

/** The result of a count so far: not decided yet, won, or no longer winnable. */
export type CountOutcome = "pending" | "won" | "lost";

/** The smallest number of members that is more than half of `members` (Raft §5.2). */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** The result so far when a decision needs `needed` yes votes from `members`. `yes` and `no` are the votes so far. */
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

/** The most liars among `members` that a vote tolerates: fewer than a third (Pease, Shostak and Lamport 1980). */
export function faultyOf(members: number): number {
  return Math.floor((members - 1) / 3);
}

/**
 * The number of votes that a decision among `members` needs when {@link faultyOf} of them may lie. Two groups of this
 * size always share an honest member, so two values cannot both win (Malkhi and Reiter 1998, dissemination quorums of
 * ⌈(n + f + 1) / 2⌉).
 */
export function byzantineQuorumOf(members: number): number {
  return Math.floor((members + faultyOf(members)) / 2) + 1;
}
