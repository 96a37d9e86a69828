// The state of the election core, and the only function that changes a role. Owns the state and its changes of role;
// election.ts decides when a role changes. Pure.

import { assert, type Chance, integerBetween } from "../../base/index.ts";
import type { Envelope, Message } from "./messages.ts";
import { nextRole, type Role, type RoleReason } from "./roles.ts";

/** The fixed settings of a member's election. All times are in ticks. */
export interface ElectionConfig {
  /** The id of this member, one of `members`. */
  readonly node: string;
  /** The ids of all members, this one included. */
  readonly members: readonly string[];
  readonly swarm: string;
  /** Election timeouts are drawn from [electionTicks, 2 × electionTicks). */
  readonly electionTicks: number;
  /** The interval of a leader's heartbeats. It is below electionTicks. */
  readonly heartbeatTicks: number;
  /** Whether a member first asks if it could win an election, so that a partitioned member does not raise terms. */
  readonly preVote: boolean;
  /** Whether a leader that hears from no majority steps down. */
  readonly checkQuorum: boolean;
}

/** The leader's knowledge about another member. */
export interface Contact {
  /** The leader's tick count when the member last answered. */
  readonly heardAtTick: number;
  /** The last log entry that the member had applied then. */
  readonly seq: number;
  /** Whether the member took part in no election then, because it had just started. */
  readonly abstains: boolean;
}

/** The whole state of the election core. */
export interface ElectionState {
  readonly role: Role;
  readonly term: number;
  /** The member that this member voted for in `term`; null before it votes. */
  readonly vote: string | null;
  /** The leader of `term`; null when unknown. */
  readonly leader: string | null;
  /** Ticks since the start. Only differences are used. */
  readonly nowTick: number;
  /** Ticks since the last heartbeat of the leader, the last granted vote or the start of the last campaign. */
  readonly elapsedTicks: number;
  /** The current election timeout. */
  readonly timeoutTicks: number;
  /** Ticks left until this member stops abstaining (I3). */
  readonly abstainTicks: number;
  /** The answers to the current vote or pre-vote, by member. */
  readonly votes: ReadonlyMap<string, boolean>;
  /** As leader: the other members that answered in this term. */
  readonly contacts: ReadonlyMap<string, Contact>;
  /** As leader: ticks since the last heartbeat. */
  readonly heartbeatElapsedTicks: number;
  /** As leader: the current transfer. */
  readonly transfer: { readonly to: string; readonly elapsedTicks: number } | null;
}

/** The inputs of the election core. */
export type ElectionInput =
  | { readonly type: "tick" }
  | { readonly type: "campaign" }
  | { readonly type: "transfer"; readonly to: string }
  | { readonly type: "receive"; readonly from: string; readonly message: Message }
  /** The member applied an office-taken entry. */
  | { readonly type: "office-taken"; readonly term: number; readonly leader: string }
  /** The office is lost or cannot be taken. The member stops leading. */
  | { readonly type: "yield" }
  /** The log cannot be trusted. The member becomes a follower. */
  | { readonly type: "halt" };

/** The inputs that the core reads beside its own state. */
export interface ElectionContext {
  readonly config: ElectionConfig;
  readonly chance: Chance;
  /** The last entry of the control log that this member has applied. */
  readonly tip: { readonly term: number; readonly seq: number };
  /** False while an append is in flight that a transfer should wait for. */
  readonly isQuiet: boolean;
}

/** The next state and the messages to send, in order. */
export type ElectionStep = readonly [ElectionState, readonly Envelope[]];

/** The state after a start: a follower at the log's term. It abstains, unless it is the only member. */
export function startElection(context: Pick<ElectionContext, "config" | "chance" | "tip">): ElectionState {
  const { config, chance, tip } = context;
  return {
    role: "follower",
    term: tip.term,
    vote: null,
    leader: null,
    nowTick: 0,
    elapsedTicks: 0,
    timeoutTicks: drawTimeout({ config, chance }),
    abstainTicks: config.members.length === 1 ? 0 : 2 * config.electionTicks,
    votes: new Map(),
    contacts: new Map(),
    heartbeatElapsedTicks: 0,
    transfer: null,
  };
}

/** The fields that may change together with the role. */
export type Changes = Partial<Pick<ElectionState, "term" | "vote" | "leader" | "votes" | "contacts">>;

/** Changes the role to follower, as {@link enter} does, and forgets votes and contacts. */
export function follow(
  state: ElectionState,
  reason: RoleReason,
  changes: Changes,
  context: ElectionContext,
): ElectionState {
  return enter(state, reason, { votes: new Map(), contacts: new Map(), ...changes }, context);
}

/** Changes the role as the role table says, and draws a new election timeout. */
export function enter(
  state: ElectionState,
  reason: RoleReason,
  changes: Changes,
  context: ElectionContext,
): ElectionState {
  const role = nextRole(state.role, reason);
  assert(role !== undefined, `the role table knows no way out of ${state.role} by "${reason}"`);
  return {
    ...state,
    ...changes,
    role,
    elapsedTicks: 0,
    timeoutTicks: drawTimeout(context),
    heartbeatElapsedTicks: 0,
    transfer: null,
  };
}

/** An election timeout in ticks, from [electionTicks, 2 × electionTicks). */
export function drawTimeout({ config, chance }: Pick<ElectionContext, "config" | "chance">): number {
  return integerBetween(chance, config.electionTicks, 2 * config.electionTicks - 1);
}
