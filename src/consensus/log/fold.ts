// The state that the control log means: a deterministic fold over its entries. Time enters only as `at` of an
// entry, chance never. What commands mean is a parameter (a CommandSet), so that any set of commands can be
// folded by the same rules of term, time, chain and idempotency.
//
// A fold has one owner, and `applyEntry` changes it in place: copying thousands of keys for each entry would be
// the price of a pure signature. Equal entries still give equal folds, and `hashFold` shows it.
//
// A1  Equal sequence ⇒ equal hash, on every member.
// A2  A key that is kept is never applied again: the first result is the result.
// A3  Terms and times never fall.

import { canonicalJson, type Json, sha256 } from "../../protocol/index.ts";
import { type Genesis, genesisChain, type KeyedCommand, type LogEntry, type ParsedCommand } from "./entry.ts";

/**
 * Results of this many last commands are kept, so that a repeated command gets its first answer. More than the
 * 10,000 that are promised, to leave clients that repeat late some room.
 */
export const KEPT_KEYS = 16_384;

/** What commands mean: the reducer of one kind of office. */
export interface CommandSet<S, C> {
  /** The state before the first entry. */
  empty(): S;
  /** Reads a command at a border; the result holds known fields only. */
  parse(value: unknown): ParsedCommand<C>;
  /** True for a command that only reads: its answer must follow an append asked after it arrived. */
  isRead(command: C): boolean;
  /** Decides one command at log time `at` (ticks), changing `state` in place. Deterministic. */
  decide(state: S, command: C, at: number): Json;
  /** A text that is equal if and only if the states decide all later commands equally. */
  digest(state: S): string;
  /**
   * The whole state as JSON: what a snapshot holds. It shares nothing with the state that a later `decide` changes, so
   * that it can be written out bit by bit while the state goes on.
   */
  toJson(state: S): Json;
  /** The state of such JSON: it decides all later commands as the one it was made of. May throw on any other. */
  fromJson(json: Json): S;
  /** Moves every counter whose values were given away (tokens, revisions) on by `count`, in place. */
  skipAhead(state: S, count: number): void;
}

/** The folded log. */
export interface Fold<S, C> {
  readonly commandSet: CommandSet<S, C>;
  /** The log's identity, and how often it was recovered (1: never). */
  readonly logId: string;
  readonly epoch: number;
  /** Sequence of the last applied entry; at first that of genesis. */
  seq: number;
  term: number;
  /** Who took the office of `term`; null before the first. */
  leader: string | null;
  /** The log's time in ticks. */
  at: number;
  /** Chain hash of the last applied entry. */
  chain: string;
  /** Results by idempotency key. */
  readonly results: Map<string, Json>;
  /** The kept keys in order of their command, as a ring: command n is at n modulo KEPT_KEYS. */
  readonly keyRing: string[];
  /** Commands recorded so far. */
  recorded: number;
  /** Chain hash over all keys and results recorded so far. */
  recordChain: string;
  readonly state: S;
}

/** A log of which nothing but genesis has been applied; by default that is taken as given at sequence 0. */
export function emptyFold<S, C>(
  commandSet: CommandSet<S, C>,
  logId: string,
  { epoch, seq }: Pick<Genesis, "epoch" | "seq"> = { epoch: 1, seq: 0 },
): Fold<S, C> {
  return {
    commandSet,
    logId,
    epoch,
    seq,
    term: 0,
    leader: null,
    at: 0,
    chain: genesisChain(logId, epoch),
    results: new Map(),
    keyRing: [],
    recorded: 0,
    recordChain: "",
    state: commandSet.empty(),
  };
}

/** Why an entry that was read well cannot follow what is applied; undefined when it can. */
export function findMisfit<S, C>(fold: Fold<S, C>, entry: LogEntry<C>): string | undefined {
  if (entry.type === "office-taken") {
    if (entry.term <= fold.term) return `office-taken of term ${entry.term} follows term ${fold.term}`;
  } else if (entry.term !== fold.term) {
    return `entry of term ${entry.term} in the office of term ${fold.term}`;
  }
  if (entry.type === "snapshot" && entry.seq > fold.seq) {
    return `snapshot of ${entry.seq}, which is not before it`;
  }
  return entry.at < fold.at ? `log time falls from ${fold.at} to ${entry.at}` : undefined;
}

/** Applies the next entry, which must fit, and gives the results of its commands in order. */
export function applyEntry<S, C>(fold: Fold<S, C>, entry: LogEntry<C>): Json[] {
  fold.seq++;
  fold.at = entry.at;
  fold.chain = entry.chain;
  if (entry.type === "office-taken") {
    fold.term = entry.term;
    fold.leader = entry.leader;
  }
  return entry.type === "commands" ? entry.commands.map((keyed) => applyCommand(fold, keyed)) : [];
}

/**
 * SHA-256 over all entries and results so far: equal at equal sequence, at no cost. It shows a state that went another
 * way only once that has shown in a result; {@link hashFold} and checkpoints look at the state itself.
 */
export function hashHistory<S, C>(fold: Fold<S, C>): string {
  const { term, leader, at, chain, recorded, recordChain } = fold;
  return sha256(JSON.stringify([term, leader, at, chain, recorded, recordChain]));
}

/** SHA-256 over everything that decides later answers: state, kept keys, term, time and chain. */
export function hashFold<S, C>(fold: Fold<S, C>): string {
  const parts = [
    fold.term,
    fold.leader,
    fold.at,
    fold.chain,
    fold.recorded,
    fold.recordChain,
    fold.commandSet.digest(fold.state),
  ];
  return sha256(JSON.stringify(parts));
}

function applyCommand<S, C>(fold: Fold<S, C>, { key, command }: KeyedCommand<C>): Json {
  const known = fold.results.get(key);
  if (known !== undefined) return known;
  const result = fold.commandSet.decide(fold.state, command, fold.at);
  const slot = fold.recorded % KEPT_KEYS;
  const expired = fold.keyRing[slot];
  if (expired !== undefined) fold.results.delete(expired);
  fold.keyRing[slot] = key;
  fold.results.set(key, result);
  fold.recorded++;
  fold.recordChain = sha256(`${fold.recordChain}\n${canonicalJson([key, result])}`);
  return result;
}
