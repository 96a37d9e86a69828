// The election core decides which member may try to take the office. It has Raft's terms, votes, pre-vote,
// check-quorum, heartbeats and leadership transfer, driven by ticks. It only makes progress: the swarm finds a
// leader, and finds it fast. The log makes sure that at most one member holds the office (office.ts), so votes need no
// disk. member.ts calls it.
//
// Pure: `stepElection(state, input, context)` returns the next state and the messages to send.
//
// I1  Between two starts, a member votes at most once in a term. `vote` changes only together with `term`, or from
//     null.
// I2  Between two starts, the `term` of a member never falls.
// I3  For 2 × electionTicks after its start a member does not vote, pre-vote or campaign, because it may have voted
//     before the restart. A cluster of one member does not wait.
// I4  With check-quorum, a leader that has not heard from a majority for electionTicks steps down.

import { majorityOutcome } from "../quorum.ts";
import {
  type Envelope,
  type HeartbeatReply,
  MESSAGE_VERSION,
  type Message,
  type PreVote,
  type Vote,
} from "./messages.ts";
import {
  type Contact,
  drawTimeout,
  type ElectionConfig,
  type ElectionContext,
  type ElectionInput,
  type ElectionState,
  type ElectionStep,
  enter,
  follow,
} from "./state.ts";

/**
 * Takes one input and returns the next state and messages. The caller has checked that a message is valid (see
 * parseMessage) and comes from another member.
 */
export function stepElection(
  state: ElectionState,
  input: ElectionInput,
  context: ElectionContext,
): ElectionStep {
  switch (input.type) {
    case "tick":
      return tick(state, context);
    case "campaign":
      return state.role === "leader" || state.abstainTicks > 0 ? [state, []] : startCampaign(state, context);
    case "transfer":
      return startTransfer(state, input.to, context);
    case "receive":
      return receive(state, input, context);
    case "office-taken":
      return [seeOfficeTaken(state, input, context), []];
    case "yield":
      return [state.role === "leader" ? follow(state, "office lost", { leader: null }, context) : state, []];
    case "halt":
      return [state.role === "follower" ? state : follow(state, "log halted", { leader: null }, context), []];
    default:
      return input satisfies never;
  }
}

// Time

function tick(before: ElectionState, context: ElectionContext): ElectionStep {
  const wasAbstaining = before.abstainTicks > 0;
  const state: ElectionState = {
    ...before,
    nowTick: before.nowTick + 1,
    elapsedTicks: before.elapsedTicks + 1,
    abstainTicks: wasAbstaining ? before.abstainTicks - 1 : 0,
  };
  if (state.role === "leader") return tickLeader(state, context);
  if (state.elapsedTicks < state.timeoutTicks) return [state, []];
  if (!wasAbstaining) return startCampaign(state, context);
  return [{ ...state, leader: null, elapsedTicks: 0, timeoutTicks: drawTimeout(context) }, []];
}

function tickLeader(before: ElectionState, context: ElectionContext): ElectionStep {
  const { config } = context;
  if (config.checkQuorum && !hasMajorityContact(before, config)) {
    return [follow(before, "quorum lost", { leader: null }, context), []];
  }
  const isBeat = before.heartbeatElapsedTicks + 1 >= config.heartbeatTicks;
  const state: ElectionState = {
    ...before,
    heartbeatElapsedTicks: isBeat ? 0 : before.heartbeatElapsedTicks + 1,
    transfer: ageTransfer(before.transfer, config),
  };
  if (!isBeat) return [state, []];
  return [state, [...toOthers(config, heartbeat(state, config)), ...askToCampaign(state, context)]];
}

function hasMajorityContact(state: ElectionState, config: ElectionConfig): boolean {
  let yes = 1; // The leader itself.
  for (const contact of state.contacts.values()) {
    if (state.nowTick - contact.heardAtTick < config.electionTicks) yes++;
  }
  return majorityOutcome({ yes, no: 0, members: config.members.length }) === "won";
}

function ageTransfer(transfer: ElectionState["transfer"], config: ElectionConfig): ElectionState["transfer"] {
  if (transfer === null || transfer.elapsedTicks + 1 >= config.electionTicks) return null;
  return { to: transfer.to, elapsedTicks: transfer.elapsedTicks + 1 };
}

// Campaigns

function startCampaign(state: ElectionState, context: ElectionContext): ElectionStep {
  return context.config.preVote
    ? askPreVotes(state, context)
    : askVotes(state, "election timeout, pre-vote off", context);
}

function askPreVotes(before: ElectionState, context: ElectionContext): ElectionStep {
  const { config, tip } = context;
  const state = enter(
    before,
    "election timeout",
    { leader: null, votes: new Map([[config.node, true]]) },
    context,
  );
  if (majorityOutcome({ yes: 1, no: 0, members: config.members.length }) === "won") {
    return askVotes(state, "pre-votes won", context);
  }
  const message: Message = {
    ...head(config, state.term + 1),
    type: "pre-vote",
    lastTerm: tip.term,
    lastSeq: tip.seq,
  };
  return [state, toOthers(config, message)];
}

function askVotes(
  before: ElectionState,
  reason: "pre-votes won" | "timeout-now" | "election timeout, pre-vote off",
  context: ElectionContext,
): ElectionStep {
  const { config, tip } = context;
  const state = enter(
    before,
    reason,
    { term: before.term + 1, vote: config.node, leader: null, votes: new Map([[config.node, true]]) },
    context,
  );
  if (majorityOutcome({ yes: 1, no: 0, members: config.members.length }) === "won") {
    return becomeLeader(state, context);
  }
  const message: Message = {
    ...head(config, state.term),
    type: "vote",
    lastTerm: tip.term,
    lastSeq: tip.seq,
    transfer: reason === "timeout-now",
  };
  return [state, toOthers(config, message)];
}

function becomeLeader(before: ElectionState, context: ElectionContext): ElectionStep {
  const { config } = context;
  const contacts = new Map<string, Contact>();
  for (const [member, granted] of before.votes) {
    if (granted && member !== config.node)
      contacts.set(member, { heardAtTick: before.nowTick, seq: -1, abstains: false });
  }
  const state = enter(before, "votes won", { leader: config.node, contacts }, context);
  return [state, toOthers(config, heartbeat(state, config))];
}

// Messages

function receive(
  state: ElectionState,
  input: { readonly from: string; readonly message: Message },
  context: ElectionContext,
): ElectionStep {
  const { from, message } = input;
  if (message.term < state.term) return [state, answerStale(state, input, context)];
  if (message.term > state.term && raisesTerm(message)) {
    if (message.type === "vote" && !message.transfer && hasRecentLeader(state, context.config))
      return [state, []];
    const newer = { term: message.term, vote: null, leader: message.type === "heartbeat" ? from : null };
    return receiveOfTerm(follow(state, "newer term", newer, context), input, context);
  }
  return receiveOfTerm(state, input, context);
}

/** False for a pre-vote and for a granted pre-vote: they name a term that no member has entered yet. */
function raisesTerm(message: Message): boolean {
  return message.type !== "pre-vote" && !(message.type === "pre-vote-reply" && message.granted);
}

/**
 * The recent-leader rule (Raft dissertation §4.2.3): a member that heard from a leader within electionTicks does not help
 * another member to depose it. A leader counts as recent for itself while check-quorum is on.
 */
function hasRecentLeader(state: ElectionState, config: ElectionConfig): boolean {
  if (state.role === "leader") return config.checkQuorum;
  return state.leader !== null && state.elapsedTicks < config.electionTicks;
}

/**
 * The answer to a message of an old term. It contains the newer term, so that a stale leader steps down when it reads
 * the answer.
 */
function answerStale(
  state: ElectionState,
  { from, message }: { readonly from: string; readonly message: Message },
  { config, tip }: ElectionContext,
): readonly Envelope[] {
  const own = head(config, state.term);
  if (message.type === "heartbeat") {
    return [{ to: from, message: { ...own, ...position(state, tip) } }];
  }
  if (state.abstainTicks > 0) return [];
  if (message.type === "vote") return [{ to: from, message: { ...own, type: "vote-reply", granted: false } }];
  if (message.type === "pre-vote") {
    return [{ to: from, message: { ...own, type: "pre-vote-reply", granted: false } }];
  }
  return [];
}

function receiveOfTerm(
  state: ElectionState,
  { from, message }: { readonly from: string; readonly message: Message },
  context: ElectionContext,
): ElectionStep {
  switch (message.type) {
    case "pre-vote":
      return [state, answerPreVote(state, from, message, context)];
    case "vote":
      return answerVote(state, from, message, context);
    case "pre-vote-reply":
      if (state.role !== "precandidate") return [state, []];
      if (message.granted && message.term !== state.term + 1) return [state, []];
      return countVote(state, { from, granted: message.granted }, context);
    case "vote-reply":
      if (state.role !== "candidate") return [state, []];
      return countVote(state, { from, granted: message.granted }, context);
    case "heartbeat":
      return followLeader(state, from, context);
    case "heartbeat-reply":
      return recordFollower(state, from, message, context);
    case "timeout-now":
      if (state.role === "leader" || state.abstainTicks > 0) return [state, []];
      if (state.leader !== null && state.leader !== from) return [state, []];
      return askVotes(state, "timeout-now", context);
    default:
      return message satisfies never;
  }
}

function answerPreVote(
  state: ElectionState,
  from: string,
  message: PreVote,
  { config, tip }: ElectionContext,
): readonly Envelope[] {
  if (state.abstainTicks > 0 || state.role === "leader" || hasRecentLeader(state, config)) return [];
  const granted = message.term > state.term && isUpToDate(message, tip);
  const term = granted ? message.term : state.term;
  return [{ to: from, message: { ...head(config, term), type: "pre-vote-reply", granted } }];
}

function answerVote(
  state: ElectionState,
  from: string,
  message: Vote,
  context: ElectionContext,
): ElectionStep {
  if (state.abstainTicks > 0) return [state, []];
  const { config, tip } = context;
  const canVote = state.vote === from || (state.vote === null && state.leader === null);
  const granted = canVote && isUpToDate(message, tip);
  const reply: Envelope = { to: from, message: { ...head(config, state.term), type: "vote-reply", granted } };
  return [granted ? { ...state, vote: from, elapsedTicks: 0 } : state, [reply]];
}

/** The up-to-date rule of Raft §5.4.1. The shared control log takes the place of the candidate's own log. */
function isUpToDate(asked: PreVote | Vote, own: ElectionContext["tip"]): boolean {
  if (asked.lastTerm !== own.term) return asked.lastTerm > own.term;
  return asked.lastSeq >= own.seq;
}

function countVote(
  before: ElectionState,
  { from, granted }: { from: string; granted: boolean },
  context: ElectionContext,
): ElectionStep {
  if (before.votes.has(from)) return [before, []];
  const state: ElectionState = { ...before, votes: new Map(before.votes).set(from, granted) };
  let yes = 0;
  for (const vote of state.votes.values()) if (vote) yes++;
  const no = state.votes.size - yes;
  const outcome = majorityOutcome({ yes, no, members: context.config.members.length });
  if (outcome === "lost") return [follow(state, "votes lost", { leader: null }, context), []];
  if (outcome === "pending") return [state, []];
  return state.role === "precandidate"
    ? askVotes(state, "pre-votes won", context)
    : becomeLeader(state, context);
}

function followLeader(state: ElectionState, from: string, context: ElectionContext): ElectionStep {
  // Two leaders of one term can exist, because votes are not stored. The log lets only one of them take the office.
  if (state.role === "leader") return [state, []];
  const following =
    state.role === "follower"
      ? { ...state, leader: from, elapsedTicks: 0 }
      : follow(state, "leader heard", { leader: from }, context);
  const { config, tip } = context;
  const reply: Message = { ...head(config, state.term), ...position(state, tip) };
  return [following, [{ to: from, message: reply }]];
}

function recordFollower(
  before: ElectionState,
  from: string,
  message: HeartbeatReply,
  context: ElectionContext,
): ElectionStep {
  if (before.role !== "leader") return [before, []];
  const contacts = new Map(before.contacts).set(from, {
    heardAtTick: before.nowTick,
    seq: message.seq,
    abstains: message.abstains === true,
  });
  const state: ElectionState = { ...before, contacts };
  return [state, state.transfer?.to === from ? askToCampaign(state, context) : []];
}

// Transfer

function startTransfer(before: ElectionState, to: string, context: ElectionContext): ElectionStep {
  const { config } = context;
  if (before.role !== "leader" || to === config.node || before.transfer?.to === to) return [before, []];
  const state: ElectionState = { ...before, transfer: { to, elapsedTicks: 0 } };
  const ask = askToCampaign(state, context);
  // The position of the target that this leader knows may be old. A heartbeat makes the target report its position.
  return [state, ask.length > 0 ? ask : [{ to, message: heartbeat(state, config) }]];
}

/**
 * The `timeout-now` for the target of the transfer; none while the target has read less of the log than this leader, or
 * abstains: it would ignore the message.
 */
function askToCampaign(state: ElectionState, { config, tip, isQuiet }: ElectionContext): readonly Envelope[] {
  if (state.transfer === null || !isQuiet) return [];
  const contact = state.contacts.get(state.transfer.to);
  if (contact === undefined || contact.seq < tip.seq || contact.abstains) return [];
  return [{ to: state.transfer.to, message: { ...head(config, state.term), type: "timeout-now" } }];
}

// The log

function seeOfficeTaken(
  state: ElectionState,
  { term, leader }: { readonly term: number; readonly leader: string },
  context: ElectionContext,
): ElectionState {
  const { config } = context;
  const isOwn = leader === config.node;
  const known = isOwn || !config.members.includes(leader) ? null : leader;
  if (term > state.term) return follow(state, "newer term", { term, vote: null, leader: known }, context);
  if (term < state.term || isOwn) return state;
  if (state.role === "leader") return follow(state, "office lost", { leader: known }, context);
  if (state.role === "follower") return { ...state, leader: known ?? state.leader };
  return follow(state, "leader heard", { leader: known }, context);
}

// Small parts

function head(config: ElectionConfig, term: number) {
  return { v: MESSAGE_VERSION, swarm: config.swarm, term } as const;
}

/** The answer to a heartbeat beside its head. */
function position({ abstainTicks }: ElectionState, { seq }: ElectionContext["tip"]) {
  return { type: "heartbeat-reply", seq, ...(abstainTicks > 0 ? { abstains: true } : {}) } as const;
}

function heartbeat(state: ElectionState, config: ElectionConfig): Message {
  return { ...head(config, state.term), type: "heartbeat" };
}

function toOthers(config: ElectionConfig, message: Message): Envelope[] {
  return config.members.filter((member) => member !== config.node).map((to) => ({ to, message }));
}
