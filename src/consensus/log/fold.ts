// The fold: the state computed by applying the entries of the control log in order. It depends on the entries alone:
// time comes from the field `at` of an entry, and chance has no part. The meaning of commands is a parameter (a
// CommandSet), so that every command set follows the same rules of term, time, chain and idempotency. office.ts applies
// the entries.
//
// A fold has one owner, and `applyEntry` changes it in place. A pure signature would copy thousands of keys for each
// entry. Equal entries still give equal folds; `hashFold` proves that two folds are equal.
//
// A1  All members have the same hash at the same sequence.
// A2  If the fold keeps the key of a command, it never applies that command again. The answer is the first result.
// A3  Terms and times never fall.

import { canonicalJson, type Json, sha256 } from "../../protocol/index.ts";
import { type Genesis, genesisChain, type KeyedCommand, type LogEntry, type ParsedCommand } from "./entry.ts";

/**
 * The number of newest commands whose results the fold keeps, so that a repeated command gets its first answer. It is
 * more than the promised 10,000, to leave some room for clients that repeat late.
 */
export const KEPT_KEYS = 16_384;

/** The meaning of commands: the reducer of one kind of office. */
export interface CommandSet<S, C> {
  /** The state before the first entry. */
  empty(): S;
  /** Parses a command. The result has known fields only. */
  parse(value: unknown): ParsedCommand<C>;
  /** True for a command that only reads. Its answer must follow an append that was requested after it arrived. */
  isRead(command: C): boolean;
  /** Decides one command at log time `at` (ticks) and changes `state` in place. Deterministic. */
  decide(state: S, command: C, at: number): Json;
  /** A text that is equal for two states if and only if they decide all later commands equally. */
  digest(state: S): string;
  /**
   * The whole state as JSON, for a snapshot. A later `decide` must not change this value, because a coordinator writes
   * it piece by piece while new commands change the state.
   */
  toJson(state: S): Json;
  /**
   * The state from the JSON of `toJson`. It decides all later commands as the saved state would. May throw on other
   * JSON.
   */
  fromJson(json: Json): S;
  /** Adds `count` to every counter whose values clients have received (tokens, revisions), in place. */
  skipAhead(state: S, count: number): void;
}

/** The state computed from the log up to `seq`. */
export interface Fold<S, C> {
  readonly commandSet: CommandSet<S, C>;
  /** The identity of the log. `epoch` is 1, plus 1 for each recovery. */
  readonly logId: string;
  readonly epoch: number;
  /** The sequence of the last applied entry; at first the sequence of genesis. */
  seq: number;
  term: number;
  /** The member that took the office of `term`; null before the first office-taken entry. */
  leader: string | null;
  /** The log time in ticks. */
  at: number;
  /** The chain hash of the last applied entry. */
  chain: string;
  /** Results by idempotency key. */
  readonly results: Map<string, Json>;
  /** The kept keys as a ring in the order of their commands: the key of command n is at index n modulo KEPT_KEYS. */
  readonly keyRing: string[];
  /** The number of commands recorded so far. */
  recorded: number;
  /** The chain hash over all keys and results recorded so far. */
  recordChain: string;
  readonly state: S;
}

/** The fold of a log before its first entry after genesis. By default genesis is at sequence 0, epoch 1. */
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

/** The reason why a valid entry cannot follow the applied entries; undefined when it can. */
export function findMisfit<S, C>(fold: Fold<S, C>, entry: LogEntry<C>): string | undefined {
  if (entry.type === "office-taken") {
    if (entry.term <= fold.term) return `office-taken of term ${entry.term} follows term ${fold.term}`;
  } else if (entry.term !== fold.term) {
    return `entry of term ${entry.term} in the office of term ${fold.term}`;
  }
  if (entry.type === "snapshot" && entry.seq > fold.seq) {
    return `snapshot of sequence ${entry.seq}, but the log before it ends at ${fold.seq}`;
  }
  return entry.at < fold.at ? `log time falls from ${fold.at} to ${entry.at}` : undefined;
}

/** Applies the next entry, which must fit, and returns the results of its commands in order. */
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
 * SHA-256 over all entries and results so far. Two members have the same hash at the same sequence, and it costs almost
 * nothing. A different state changes this hash only after a result has differed; {@link hashFold} and checkpoints
 * compare the state itself.
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
