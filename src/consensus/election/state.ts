// What the election core remembers, and the one way from role to role. Owns the state and its changes of role; what
// leads to them is election.ts.

import { assert, type Chance, integerBetween } from "../../base/index.ts";
import type { Envelope, Message } from "./messages.ts";
import { nextRole, type Role, type RoleReason } from "./roles.ts";

/** What a member is told once. All times are in ticks. */
export interface ElectionConfig {
  /** The own id, one of `members`. */
  readonly node: string;
  /** Every member, this one included. */
  readonly members: readonly string[];
  readonly swarm: string;
  /** Election timeouts are drawn from [electionTicks, 2 × electionTicks). */
  readonly electionTicks: number;
  /** A leader sends heartbeats this often; below electionTicks. */
  readonly heartbeatTicks: number;
  /** Ask first whether an election could be won, so that a cut-off member does not raise terms. */
  readonly preVote: boolean;
  /** A leader that hears no majority steps down. */
  readonly checkQuorum: boolean;
}

/** What the leader knows of another member. */
export interface Contact {
  /** When it last answered, on the leader's own count of ticks. */
  readonly heardAtTick: number;
  /** The last log entry it had applied then. */
  readonly seq: number;
}

/** Everything the election core remembers. */
export interface ElectionState {
  readonly role: Role;
  readonly term: number;
  /** Whom this member voted for in `term`. */
  readonly vote: string | null;
  /** The leader of `term`, where known. */
  readonly leader: string | null;
  /** Ticks since the start; only differences mean anything. */
  readonly nowTick: number;
  /** Ticks since the leader was heard, a vote was given or a campaign began. */
  readonly elapsedTicks: number;
  /** The election timeout drawn last. */
  readonly timeoutTicks: number;
  /** Ticks for which this member still abstains (I3). */
  readonly abstainTicks: number;
  /** Answers to the running (pre-)vote. */
  readonly votes: ReadonlyMap<string, boolean>;
  /** As leader: the other members that answered in this term. */
  readonly contacts: ReadonlyMap<string, Contact>;
  /** As leader: ticks since the last heartbeat. */
  readonly heartbeatElapsedTicks: number;
  /** As leader: the transfer under way. */
  readonly transfer: { readonly to: string; readonly elapsedTicks: number } | null;
}

/** What can happen to the election core. */
export type ElectionInput =
  | { readonly type: "tick" }
  | { readonly type: "campaign" }
  | { readonly type: "transfer"; readonly to: string }
  | { readonly type: "receive"; readonly from: string; readonly message: Message }
  /** An office-taken entry was applied. */
  | { readonly type: "office-taken"; readonly term: number; readonly leader: string }
  /** The office was lost or cannot be taken: give up leading. */
  | { readonly type: "yield" }
  /** The log cannot be trusted: leave every role. */
  | { readonly type: "halt" };

/** What the core may look at beside its own state. */
export interface ElectionContext {
  readonly config: ElectionConfig;
  readonly chance: Chance;
  /** The last entry of the control log that this member has applied. */
  readonly tip: { readonly term: number; readonly seq: number };
  /** False while an append is under way that a transfer should wait for. */
  readonly isQuiet: boolean;
}

/** The next state and the messages to send, in order. */
export type ElectionStep = readonly [ElectionState, readonly Envelope[]];

/** A member that has just started: a follower at the log's term, abstaining unless it is alone. */
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

/** What a change of role may change beside. */
export type Changes = Partial<Pick<ElectionState, "term" | "vote" | "leader" | "votes" | "contacts">>;

/** As enter, for ways that lead to follower: what was heard so far is forgotten. */
export function follow(
  state: ElectionState,
  reason: RoleReason,
  changes: Changes,
  context: ElectionContext,
): ElectionState {
  return enter(state, reason, { votes: new Map(), contacts: new Map(), ...changes }, context);
}

/** Goes where the role table says, with a new election timeout. */
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
