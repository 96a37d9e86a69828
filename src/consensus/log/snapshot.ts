// Writes a fold as text and reads it back: the content of a snapshot, and the start of a recovered log. With it a
// member need not read the whole log. Owns the format; the driver decides where and when to store texts. Pure.
//
//   const text = saveFold(fold);                     // or, bit by bit: canonicalPieces(viewFold(fold))
//   const loaded = loadFold(commandSet, text);       // an independent fold that decides like the first
//
// F1  A loaded fold has the hash of the saved fold, and gives the same results for the same later entries.
// F2  Equal folds have equal texts, so the hash of the text (SHA-256) identifies the fold.

import { canonicalJson, isJsonObject, type Json, type JsonObject } from "../../protocol/index.ts";
import { genesisChain } from "./entry.ts";
import { type CommandSet, type Fold, KEPT_KEYS } from "./fold.ts";
import { type Upcasters, upcast } from "./upcast.ts";

/**
 * The version of the text. A reader ignores a snapshot of an unknown version. The owners of the state version it
 * themselves.
 */
export const SNAPSHOT_VERSION = 1;

/** There is no older version. */
const SNAPSHOT_UPCASTERS: Upcasters = {};

/** The fold as JSON: everything that decides later answers. It shares nothing that a later entry changes. */
export function viewFold<S, C>(fold: Fold<S, C>): JsonObject {
  const { logId, epoch, seq, term, leader, at, chain, recorded, recordChain } = fold;
  return {
    v: SNAPSHOT_VERSION,
    logId,
    epoch,
    seq,
    term,
    leader,
    at,
    chain,
    recorded,
    recordChain,
    kept: listKept(fold),
    state: fold.commandSet.toJson(fold.state),
  };
}

/** The fold as text. */
export function saveFold<S, C>(fold: Fold<S, C>): string {
  return canonicalJson(viewFold(fold));
}

/** An independent fold, or the reason why the text is not a fold. */
export type LoadedFold<S, C> = { ok: true; fold: Fold<S, C> } | { ok: false; fault: string };

/**
 * Reads a fold from the text of {@link saveFold}. The caller checks the hash of the text to know that it is unchanged.
 */
export function loadFold<S, C>(commandSet: CommandSet<S, C>, text: string): LoadedFold<S, C> {
  try {
    return { ok: true, fold: readFold(commandSet, JSON.parse(text)) };
  } catch (error) {
    return { ok: false, fault: `snapshot cannot be read: ${(error as Error).message}` };
  }
}

function readFold<S, C>(commandSet: CommandSet<S, C>, json: unknown): Fold<S, C> {
  if (!isJsonObject(json)) throw new Error("it is no object");
  const raised = upcast(json, SNAPSHOT_UPCASTERS, SNAPSHOT_VERSION);
  if (!raised.ok) throw new Error(raised.fault);
  const { logId, epoch, seq, term, leader, at, chain, recorded, recordChain, kept, state } = raised.value;
  const isWhole =
    [logId, chain, recordChain].every((field) => typeof field === "string") &&
    [epoch, seq, term, at, recorded].every((field) => Number.isSafeInteger(field)) &&
    (leader === null || typeof leader === "string") &&
    Array.isArray(kept) &&
    state !== undefined;
  if (!isWhole) throw new Error("a field is missing or of another type");
  const fold = {
    commandSet,
    logId,
    epoch,
    seq,
    term,
    leader,
    at,
    chain,
    recorded,
    recordChain,
    results: new Map<string, Json>(),
    keyRing: [] as string[],
    state: commandSet.fromJson(state as Json),
  } as Fold<S, C>;
  restoreKept(fold, kept as unknown as readonly (readonly [string, Json])[]);
  return fold;
}

/** The kept keys and results, the oldest first. */
function listKept<S, C>({ keyRing, results, recorded }: Fold<S, C>): Json[] {
  const list: Json[] = [];
  for (let index = Math.max(0, recorded - KEPT_KEYS); index < recorded; index++) {
    const key = keyRing[index % KEPT_KEYS];
    if (key !== undefined) list.push([key, results.get(key) as Json]);
  }
  return list;
}

/** Restores the newest kept keys. A writer may have kept more or fewer keys than this reader keeps. */
function restoreKept<S, C>(fold: Fold<S, C>, kept: readonly (readonly [string, Json])[]): void {
  const newest = kept.slice(-KEPT_KEYS);
  for (const [index, [key, result]] of newest.entries()) {
    fold.keyRing[(fold.recorded - newest.length + index) % KEPT_KEYS] = key;
    fold.results.set(key, result);
  }
}

/** The start of a new epoch after entries of the log were lost. */
export interface Renewal {
  /** Epoch and sequence of the new genesis. Both must exceed every earlier one. */
  readonly epoch: number;
  readonly seq: number;
  /** The term of the new genesis. It must exceed every earlier term. */
  readonly term: number;
  /** The amount to add to all counters. It must exceed the number of values that the lost entries can have given out. */
  readonly skip: number;
}

/**
 * Turns `fold` into the start of a new epoch of its log, at the new genesis. Log time continues from the last entry, so
 * a lease may last longer than promised but never shorter.
 */
export function renewFold<S, C>(fold: Fold<S, C>, { epoch, seq, term, skip }: Renewal): Fold<S, C> {
  fold.commandSet.skipAhead(fold.state, skip);
  return { ...fold, epoch, seq, term, leader: null, chain: genesisChain(fold.logId, epoch) };
}
