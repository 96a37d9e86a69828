// A member: one coordinator as a pure decider, made of the election core and the office. Owns the exchange between
// these two parts. The driver of the coordinator room, or the simulator, owns time, network and log.
//
// A `Member` has one owner, and `stepMember` changes it in place. Equal inputs give equal effects.

import { assert, type Chance, seededChance } from "../../base/index.ts";
import type { JsonObject } from "../../protocol/index.ts";
import { stepElection } from "../election/election.ts";
import { type Envelope, parseMessage } from "../election/messages.ts";
import type { Role } from "../election/roles.ts";
import {
  type ElectionConfig,
  type ElectionInput,
  type ElectionState,
  startElection,
} from "../election/state.ts";
import type { Genesis, SnapshotNote } from "../log/entry.ts";
import { type CommandSet, emptyFold, type Fold, hashFold } from "../log/fold.ts";
import { compareHash } from "./checkpoints.ts";
import {
  type Answer,
  type AppendRequest,
  type CheckpointNews,
  noEffects,
  type OfficeEffects,
  type ReadAnswer,
  type SnapshotNews,
} from "./effects.ts";
import {
  applyStored,
  depose,
  elect,
  halt,
  proceed,
  retryUnknown,
  settleAccepted,
  settleRefused,
  takeCommand,
  takeNote,
  takeRead,
  tickOffice,
} from "./office.ts";
import { createOfficeSession, type OfficeSession, restartOffice } from "./state.ts";

/** The part that decides about roles. Only tests replace it (see internal.ts). */
export interface MemberParts {
  readonly stepElection: typeof stepElection;
}

/** The options of a new member. */
export interface MemberOptions<S, C> {
  /** Members, times and switches of the election. `swarm` is also the identity of the log. */
  readonly config: ElectionConfig;
  /** The seed of the election timeouts. It is mixed with the member's id, so that one seed serves a whole swarm. */
  readonly seed: number;
  readonly commandSet: CommandSet<S, C>;
  /** The start of the log. Default: genesis at sequence 0, epoch 1. */
  readonly genesis?: Pick<Genesis, "epoch" | "seq"> | undefined;
  /**
   * The fold of a snapshot to start from, instead of genesis. `hash` is the hash of the snapshot's text, or null when the
   * fold does not come from a snapshot. The member becomes the owner of the fold.
   */
  readonly snapshot?: { readonly fold: Fold<S, C>; readonly hash: string | null } | undefined;
  /** See `OfficeConfig`. */
  readonly countsTicksOfAppends?: boolean | undefined;
}

/** The state of one member: its election and its office. */
export interface Member<S, C> {
  readonly config: ElectionConfig;
  readonly chance: Chance;
  readonly parts: MemberParts;
  election: ElectionState;
  office: OfficeSession<S, C>;
  /** The hash of the fold at `seq`, cached for {@link viewMember}; null before the first view. */
  hash: { seq: number; text: string } | null;
}

/** The inputs of a member. */
export type MemberInput<C> =
  /**
   * `isLate`: a tick that catches up after a pause. It does not advance log time if the member read or requested an
   * entry since the last tick that was not late.
   */
  | { readonly type: "tick"; readonly isLate?: boolean }
  | { readonly type: "campaign" }
  | { readonly type: "transfer"; readonly to: string }
  | { readonly type: "receive"; readonly from: string; readonly message: unknown }
  | { readonly type: "restart" }
  /** `bytes`: the approximate size of the command in the log. Default: measured. */
  | { readonly type: "command"; readonly key: string; readonly command: C; readonly bytes?: number }
  | { readonly type: "read"; readonly ticket: string }
  | { readonly type: "stored"; readonly seq: number; readonly entry: JsonObject }
  | { readonly type: "accepted"; readonly request: number; readonly seq: number }
  | { readonly type: "refused"; readonly request: number; readonly lastSeq: number }
  | { readonly type: "unknown"; readonly request: number }
  /** A request to append a checkpoint. A member that is not in office refuses it. */
  | { readonly type: "checkpoint" }
  /** The hash of this member's fold at a checkpoint: the SHA-256 of the text of `saveFold`. */
  | { readonly type: "hashed"; readonly seq: number; readonly hash: string }
  /**
   * A request to append the note of a snapshot that the driver stored and read back. A member that is not in office
   * refuses it.
   */
  | ({ readonly type: "snapshot" } & SnapshotNote)
  /** The driver found that the log is not the log that this member has read: it is gone, shorter, or a different one. */
  | { readonly type: "distrust"; readonly reason: string };

/** The effects of one input. With an `error` the member refused the input, and the only possible effect is a halt. */
export interface MemberEffects<C> {
  readonly error?: string;
  readonly send: readonly Envelope[];
  readonly appends: readonly AppendRequest<C>[];
  readonly answers: readonly Answer[];
  readonly reads: readonly ReadAnswer[];
  /** A checkpoint was applied. The driver hashes the fold as it is now (`viewFold`) and sends the input `hashed`. */
  readonly checkpoint: CheckpointNews | null;
  /** A snapshot entry was applied. */
  readonly snapshot: SnapshotNews | null;
}

/** The visible state of a member. */
export interface MemberView {
  readonly role: Role;
  readonly inOffice: boolean;
  readonly term: number;
  readonly vote: string | null;
  readonly leader: string | null;
  readonly appliedSeq: number;
  readonly hash: string;
}

/** A member that has just started. It has read nothing, and it abstains from elections for a while. */
export function createMember<S, C>(
  { config, seed, commandSet, genesis, snapshot, countsTicksOfAppends }: MemberOptions<S, C>,
  parts: MemberParts = { stepElection },
): Member<S, C> {
  const { node, swarm: logId, electionTicks } = config;
  const fold = snapshot?.fold ?? emptyFold(commandSet, logId, genesis);
  assert(fold.logId === logId, `a snapshot of log ${fold.logId} was given to a member of ${logId}`);
  const office = createOfficeSession({ node, logId, electionTicks, countsTicksOfAppends }, fold);
  if (typeof snapshot?.hash === "string") office.ownHashes.set(fold.seq, snapshot.hash);
  const chance = seededChance(mixSeed(seed, config.node));
  const election = startElection({ config, chance, tip: { term: fold.term, seq: fold.seq } });
  return { config, chance, parts, election, office, hash: null };
}

/**
 * Reads stored entries into a new member. `entries` follow genesis, the member's snapshot, or the last entry that the
 * member has read. Returns the reason if an entry halts the member.
 */
export function loadLog<S, C>(member: Member<S, C>, entries: readonly JsonObject[]): string | undefined {
  const effects = noEffects<C>();
  for (const entry of entries) {
    applyStored(member.office, { seq: member.office.fold.seq + 1, entry }, effects);
    if (member.office.halted !== null) break;
  }
  member.election = { ...member.election, term: member.office.fold.term };
  return haltedError(member);
}

/** The visible state of the member now. */
export function viewMember<S, C>(member: Member<S, C>): MemberView {
  const { election, office } = member;
  if (member.hash?.seq !== office.fold.seq) {
    member.hash = { seq: office.fold.seq, text: hashFold(office.fold) };
  }
  return {
    role: election.role,
    inOffice: office.inOffice,
    term: election.term,
    vote: election.vote,
    leader: election.leader,
    appliedSeq: office.fold.seq,
    hash: member.hash.text,
  };
}

/** Takes one input and returns its effects. A halted member refuses every input. */
export function stepMember<S, C>(member: Member<S, C>, input: MemberInput<C>): MemberEffects<C> {
  const halted = haltedError(member);
  if (halted !== undefined) return refuse(halted);
  const effects: StepEffects<C> = { send: [], office: noEffects() };
  const error = takeInput(member, input, effects);
  if (error !== undefined && member.office.halted === null) return refuse(error);
  settle(member, effects);
  return {
    ...(error === undefined ? {} : { error }),
    send: effects.send,
    appends: effects.office.appends,
    answers: effects.office.answers.map((answer) => nameLeader(answer, member.election.leader)),
    reads: effects.office.reads,
    checkpoint: effects.office.checkpoint,
    snapshot: effects.office.snapshot,
  };
}

/** The effects gathered while one input is taken. */
interface StepEffects<C> {
  readonly send: Envelope[];
  readonly office: OfficeEffects<C>;
}

function takeInput<S, C>(
  member: Member<S, C>,
  input: MemberInput<C>,
  effects: StepEffects<C>,
): string | undefined {
  const { office } = member;
  switch (input.type) {
    case "tick":
      tickOffice(office, input.isLate === true, effects.office);
      return advanceElection(member, { type: "tick" }, effects);
    case "campaign":
      return advanceElection(member, input, effects);
    case "transfer":
      if (member.election.role !== "leader") return "not_leader";
      if (!member.config.members.includes(input.to)) return "unknown_member";
      return advanceElection(member, input, effects);
    case "receive":
      return takeMessage(member, input, effects);
    case "restart":
      restartMember(member);
      return undefined;
    case "command":
      takeCommand(office, { ...input, isHandingOver: member.election.transfer !== null }, effects.office);
      return undefined;
    case "read":
      takeRead(office, { ...input, isHandingOver: member.election.transfer !== null }, effects.office);
      return undefined;
    case "stored": {
      const outcome = applyStored(office, input, effects.office);
      return outcome === "gap" ? "gap" : haltedError(member);
    }
    case "accepted":
      settleAccepted(office, input, effects.office);
      return haltedError(member);
    case "refused":
      settleRefused(office, input, effects.office);
      return undefined;
    case "unknown":
      retryUnknown(office, input.request, effects.office);
      return undefined;
    case "checkpoint":
    case "snapshot":
      return takeNote(office, { note: input, isHandingOver: member.election.transfer !== null });
    case "hashed": {
      const fork = compareHash(office, input);
      if (fork !== undefined) halt(office, fork, effects.office);
      return haltedError(member);
    }
    case "distrust":
      halt(office, input.reason, effects.office);
      return haltedError(member);
    default:
      return input satisfies never;
  }
}

function takeMessage<S, C>(
  member: Member<S, C>,
  { from, message: value }: { readonly from: string; readonly message: unknown },
  effects: StepEffects<C>,
): string | undefined {
  const { config, election } = member;
  if (from === config.node) return "message is from this member itself";
  if (!config.members.includes(from)) return "message is not from a member";
  const parsed = parseMessage(value, { swarm: config.swarm, term: election.term });
  if (!parsed.ok) return parsed.error;
  return advanceElection(member, { type: "receive", from, message: parsed.message }, effects);
}

function restartMember<S, C>(member: Member<S, C>): void {
  const { config, chance } = member;
  member.office = restartOffice(member.office);
  const { term, seq } = member.office.fold;
  member.election = startElection({ config, chance, tip: { term, seq } });
}

/**
 * Passes effects between election and office until neither produces a new one. Two rounds are enough: an applied entry
 * can depose the member, and a deposed office only answers clients.
 */
function settle<S, C>(member: Member<S, C>, effects: StepEffects<C>): void {
  if (member.office.halted !== null) {
    advanceElection(member, { type: "halt" }, effects);
    return;
  }
  for (let round = 0; round < MAX_SETTLE_ROUNDS; round++) {
    for (const taken of effects.office.taken.splice(0))
      advanceElection(member, { type: "office-taken", ...taken }, effects);
    if (effects.office.yields) {
      effects.office.yields = false;
      advanceElection(member, { type: "yield" }, effects);
    }
    proceed(member.office, effects.office);
    if (!effects.office.yields) return;
  }
  assert(false, `election and office did not settle in ${MAX_SETTLE_ROUNDS} rounds`);
}

const MAX_SETTLE_ROUNDS = 4;

/**
 * Steps the election. Then deposes the office if this member stopped leading, and elects it if this member leads now.
 */
function advanceElection<S, C>(
  member: Member<S, C>,
  input: ElectionInput,
  effects: StepEffects<C>,
): undefined {
  const { config, chance, office } = member;
  const [election, send] = member.parts.stepElection(member.election, input, {
    config,
    chance,
    tip: { term: office.fold.term, seq: office.fold.seq },
    isQuiet: office.open === null || office.open.isUnknown,
  });
  member.election = election;
  effects.send.push(...send);
  const ledTerm = election.role === "leader" ? election.term : null;
  if (office.electedTerm !== null && office.electedTerm !== ledTerm) depose(office, effects.office);
  if (ledTerm !== null && office.electedTerm === null) elect(office, ledTerm);
}

function nameLeader(answer: Answer, leader: string | null): Answer {
  return answer.ok || answer.error !== "not_leader" || leader === null ? answer : { ...answer, leader };
}

/** The error that a halted member returns for every input; undefined while the member is not halted. */
export function haltedError<S, C>({ office }: Member<S, C>): string | undefined {
  return office.halted === null ? undefined : `halted: ${office.halted}`;
}

function refuse<C>(error: string): MemberEffects<C> {
  return { error, send: [], appends: [], answers: [], reads: [], checkpoint: null, snapshot: null };
}

/** FNV-1a over seed and id, so that members with the same seed do not draw the same timeouts. */
function mixSeed(seed: number, node: string): number {
  let mixed = 0x811c9dc5;
  for (const character of `${seed}/${node}`) {
    mixed = Math.imul(mixed ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return mixed;
}
