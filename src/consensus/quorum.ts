// How many agree: the arithmetic of majorities in one vocabulary (pending, won, lost), for elections and for
// ballots alike. Owns numbers only and imports nothing.

/** What a count says so far: not decided yet, decided for, or no longer reachable. */
export type CountOutcome = "pending" | "won" | "lost";

/** The smallest number of members that is more than half of `members` (Raft §5.2). */
export function majorityOf(members: number): number {
  return Math.floor(members / 2) + 1;
}

/** Where a count stands when `needed` of `members` must agree and `yes` and `no` have been heard. */
export function countOutcome(count: {
  yes: number;
  no: number;
  members: number;
  needed: number;
}): CountOutcome {
  if (count.yes >= count.needed) return "won";
  return count.members - count.no < count.needed ? "lost" : "pending";
}

/** Where a majority vote among `members` stands. */
export function majorityOutcome(count: { yes: number; no: number; members: number }): CountOutcome {
  return countOutcome({ ...count, needed: majorityOf(count.members) });
}

/** How many liars `members` tolerate: fewer than a third (Pease, Shostak and Lamport 1980). */
export function faultyOf(members: number): number {
  return Math.floor((members - 1) / 3);
}

/**
 * The votes that a decision among `members` needs when {@link faultyOf} of them may lie: any two such sets share an honest
 * member, so no two values can both have them (Malkhi and Reiter 1998, dissemination quorums of ⌈(n + f + 1) / 2⌉).
 */
export function byzantineQuorumOf(members: number): number {
  return Math.floor((members + faultyOf(members)) / 2) + 1;
}
