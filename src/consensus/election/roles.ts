// The four roles of a member and every transition between them, as data. The election core looks up its transitions
// here, and the diagram in docs/election.md is generated from the same table, so the code and the page cannot differ. Pure.

/** The role of a member in the election. A `leader` is in office only once its `office-taken` entry is stored (office.ts). */
export type Role = "follower" | "precandidate" | "candidate" | "leader";

/** The reason of a change of role. */
export type RoleReason =
  | "election timeout"
  | "election timeout, pre-vote off"
  | "timeout-now"
  | "pre-votes won"
  | "votes won"
  | "votes lost"
  | "leader heard"
  | "newer term"
  | "quorum lost"
  | "office lost"
  | "log halted";

/** One transition: a member in role `from` becomes `to` because of `reason`. */
export interface RoleTransition {
  readonly from: Role;
  readonly reason: RoleReason;
  readonly to: Role;
}

/** All transitions (Raft figure 4; pre-vote and check-quorum: Raft dissertation §9.6 and §6.2). */
export const ROLE_TABLE: readonly RoleTransition[] = [
  { from: "follower", reason: "election timeout", to: "precandidate" },
  { from: "follower", reason: "election timeout, pre-vote off", to: "candidate" },
  { from: "follower", reason: "timeout-now", to: "candidate" },
  { from: "follower", reason: "leader heard", to: "follower" },
  { from: "follower", reason: "newer term", to: "follower" },
  { from: "precandidate", reason: "pre-votes won", to: "candidate" },
  { from: "precandidate", reason: "election timeout", to: "precandidate" },
  { from: "precandidate", reason: "timeout-now", to: "candidate" },
  { from: "precandidate", reason: "votes lost", to: "follower" },
  { from: "precandidate", reason: "leader heard", to: "follower" },
  { from: "precandidate", reason: "newer term", to: "follower" },
  { from: "precandidate", reason: "log halted", to: "follower" },
  { from: "candidate", reason: "votes won", to: "leader" },
  { from: "candidate", reason: "election timeout", to: "precandidate" },
  { from: "candidate", reason: "election timeout, pre-vote off", to: "candidate" },
  { from: "candidate", reason: "timeout-now", to: "candidate" },
  { from: "candidate", reason: "votes lost", to: "follower" },
  { from: "candidate", reason: "leader heard", to: "follower" },
  { from: "candidate", reason: "newer term", to: "follower" },
  { from: "candidate", reason: "log halted", to: "follower" },
  { from: "leader", reason: "newer term", to: "follower" },
  { from: "leader", reason: "quorum lost", to: "follower" },
  { from: "leader", reason: "office lost", to: "follower" },
  { from: "leader", reason: "log halted", to: "follower" },
];

/** The role that follows from `from` because of `reason`; undefined if the table has no such transition. */
export function nextRole(from: Role, reason: RoleReason): Role | undefined {
  return ROLE_TABLE.find((transition) => transition.from === from && transition.reason === reason)?.to;
}

/** The table as a mermaid state diagram. docs/election.md contains this text. */
export function drawRoleDiagram(): string {
  const arrows = ROLE_TABLE.map(({ from, reason, to }) => `  ${from} --> ${to}: ${reason}`);
  return ["stateDiagram-v2", "  [*] --> follower", ...arrows].join("\n");
}
