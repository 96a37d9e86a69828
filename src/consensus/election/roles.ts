// The four roles of a member and every way from one to another, as data. The election core looks up its
// transitions here, and the diagram in docs/election.md is drawn from here: neither can differ from the other.

/** What a member is in the election. Being `leader` is not yet being in office: see office.ts. */
export type Role = "follower" | "precandidate" | "candidate" | "leader";

/** Why a role changes. */
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

/** One arrow: in role `from`, on `reason`, the member becomes `to`. */
export interface RoleTransition {
  readonly from: Role;
  readonly reason: RoleReason;
  readonly to: Role;
}

/** Every transition there is (Raft figure 4; pre-vote and check-quorum: Raft dissertation §9.6 and §6.2). */
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

/** The role that `reason` leads to, or undefined where the table knows no such arrow. */
export function nextRole(from: Role, reason: RoleReason): Role | undefined {
  return ROLE_TABLE.find((transition) => transition.from === from && transition.reason === reason)?.to;
}

/** The table as a mermaid state diagram, the text between the fences of docs/election.md. */
export function drawRoleDiagram(): string {
  const arrows = ROLE_TABLE.map(({ from, reason, to }) => `  ${from} --> ${to}: ${reason}`);
  return ["stateDiagram-v2", "  [*] --> follower", ...arrows].join("\n");
}
