// A fold as text and back, so that nobody must read the whole log: what a snapshot holds, and what a log that was lost
// begins with again. Owns the format; where texts are stored, and when, is a driver's.
//
//   const text = saveFold(fold);                     // or, bit by bit: canonicalPieces(viewFold(fold))
//   const loaded = loadFold(commandSet, text);       // a fold of its own that decides as the first
//
// F1  A loaded fold has the hash of the saved one, and goes on with equal results.
// F2  Equal folds have equal texts, so the text's hash (SHA-256) is a name for the fold.

import { canonicalJson, isJsonObject, type Json, type JsonObject } from "../../protocol/index.ts";
import { genesisChain } from "./entry.ts";
import { type CommandSet, type Fold, KEPT_KEYS } from "./fold.ts";
import { type Upcasters, upcast } from "./upcast.ts";

/** Version of the text; an unknown one is no snapshot for this reader. The state in it is versioned by its owners. */
export const SNAPSHOT_VERSION = 1;

/** No older version has been. */
const UPCASTERS: Upcasters = {};

/** The fold as JSON: everything that decides later answers. Shares nothing that applying an entry changes. */
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

/** A fold of its own, or why the text is none. */
export type LoadedFold<S, C> = { ok: true; fold: Fold<S, C> } | { ok: false; fault: string };

/** Reads a fold from the text of {@link saveFold}. Whether the text is the one that was saved, its hash says. */
export function loadFold<S, C>(commandSet: CommandSet<S, C>, text: string): LoadedFold<S, C> {
  try {
    return { ok: true, fold: readFold(commandSet, JSON.parse(text)) };
  } catch (error) {
    return { ok: false, fault: `snapshot cannot be read: ${(error as Error).message}` };
  }
}

function readFold<S, C>(commandSet: CommandSet<S, C>, json: unknown): Fold<S, C> {
  if (!isJsonObject(json)) throw new Error("it is no object");
  const raised = upcast(json, UPCASTERS, SNAPSHOT_VERSION);
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

/** A writer may have kept more than this reader, or fewer: the newest count. */
function restoreKept<S, C>(fold: Fold<S, C>, kept: readonly (readonly [string, Json])[]): void {
  const newest = kept.slice(-KEPT_KEYS);
  for (const [index, [key, result]] of newest.entries()) {
    fold.keyRing[(fold.recorded - newest.length + index) % KEPT_KEYS] = key;
    fold.results.set(key, result);
  }
}

/** What a log begins with again after entries of it were lost. */
export interface Renewal {
  /** Of the new genesis: above every epoch, and its sequence above every sequence that ever was. */
  readonly epoch: number;
  readonly seq: number;
  /** Above every term that ever was. */
  readonly term: number;
  /** Counters are moved on by this: more than can have been given away by the lost entries. */
  readonly skip: number;
}

/**
 * Makes `fold` the beginning of a new epoch of its log: it then is what stands at the new genesis. Log time goes on from
 * where it was, so leases last longer than was said and never shorter.
 */
export function renewFold<S, C>(fold: Fold<S, C>, { epoch, seq, term, skip }: Renewal): Fold<S, C> {
  fold.commandSet.skipAhead(fold.state, skip);
  return { ...fold, epoch, seq, term, leader: null, chain: genesisChain(fold.logId, epoch) };
}
