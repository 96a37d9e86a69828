// One entry of the control log: its fields, its seal, and the parser that rejects a bad entry. Owns the hash chain: the
// field `chain` is the SHA-256 over the `chain` of the previous entry and the canonical text of this entry. So a reader
// notices a changed, foreign, missing or reordered entry as soon as it reads it. office.ts seals and reads entries.
// Pure.

import { canonicalJson, isJsonObject, type JsonObject, sha256 } from "../../protocol/index.ts";
import { type Upcasters, upcast } from "./upcast.ts";

/** The newest version of entries. A reader halts at an entry of an unknown version; it never skips one. */
export const ENTRY_VERSION = 2;

/** The version of genesis. It is independent of ENTRY_VERSION, because every chain begins with the hash of genesis. */
const GENESIS_VERSION = 1;

/**
 * The types of entries, and the version that gave each its present shape. An entry is written in that version, so that a
 * reader that is one version behind can read up to the first entry of a type that it does not know.
 */
const TYPES = { "office-taken": 1, commands: 1, barrier: 1, checkpoint: 2, snapshot: 2 } as const;

/** The steps from each older version to the next. 1 → 2: no type of version 1 has changed its shape. */
const ENTRY_UPCASTERS: Upcasters = { 1: (entry) => entry };

interface EntryHead {
  /** The version: see {@link versionOf}. An entry from {@link readEntry} always has the newest version. */
  readonly v: number;
  /** The identity of the log. Every entry has it, so that a reader notices a foreign log. */
  readonly logId: string;
  /** The term of the last office-taken entry. An office-taken entry has its own new term here. */
  readonly term: number;
  /** The log time in ticks. It is never less than the time of the entry before. */
  readonly at: number;
}

/** The entry that gives the office of `term` to `leader`. */
export interface OfficeTaken extends EntryHead {
  readonly type: "office-taken";
  readonly leader: string;
}

/** A command with its idempotency key. The fold keeps the result under this key. */
export interface KeyedCommand<C> {
  readonly key: string;
  readonly command: C;
}

/** A group of commands. The fold decides them in this order. */
export interface Commands<C> extends EntryHead {
  readonly type: "commands";
  readonly commands: readonly KeyedCommand<C>[];
}

/**
 * An entry without content. It proves that its author still holds the office; after it, the office answers waiting
 * reads.
 */
export interface Barrier extends EntryHead {
  readonly type: "barrier";
}

/** A place in the log at which every member hashes its fold, and the holder of the office saves its fold. */
export interface Checkpoint extends EntryHead {
  readonly type: "checkpoint";
}

/** The note of a fold that was saved and read back. This fold and the log after `seq` are as good as the whole log. */
export interface SnapshotNote {
  /** The sequence of the checkpoint whose fold was saved. */
  readonly seq: number;
  /** SHA-256 of the text of the saved fold. Every member's own fold at `seq` must have this hash. */
  readonly hash: string;
  /** The name of the stored object with the text. */
  readonly object: string;
}

/** The entry with a {@link SnapshotNote}. */
export interface Snapshot extends EntryHead, SnapshotNote {
  readonly type: "snapshot";
}

/** An entry without its seal. */
export type EntryBody<C> = OfficeTaken | Commands<C> | Barrier | Checkpoint | Snapshot;

/** An entry as it is stored. */
export type LogEntry<C> = EntryBody<C> & { readonly chain: string };

/** A parsed command, or the reason why the value is not a command. */
export type ParsedCommand<C> = { ok: true; command: C } | { ok: false; error: string };

/** The context that an entry must fit: its log, and the entry before it. */
export interface EntryContext<C> {
  readonly logId: string;
  readonly previousChain: string;
  readonly parseCommand: (value: unknown) => ParsedCommand<C>;
}

/** A valid entry, or its fault. */
export type ReadEntry<C> = { ok: true; entry: LogEntry<C> } | { ok: false; fault: string };

/** The start of a log: its identity, its epoch (1, plus 1 for each recovery), and the sequence of the genesis entry. */
export interface Genesis {
  readonly logId: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Genesis as it is stored. The process that creates or recovers the log writes it; a member never does. */
export function genesisBody({ logId, epoch }: Omit<Genesis, "seq">): JsonObject {
  return { v: GENESIS_VERSION, type: "genesis", logId, epoch };
}

/** Reads genesis from the log, or returns the reason why the log does not begin with genesis. */
export function readGenesis(
  value: unknown,
): { ok: true; logId: string; epoch: number } | { ok: false; fault: string } {
  if (!isJsonObject(value) || value.type !== "genesis")
    return { ok: false, fault: "the log does not begin with genesis" };
  if (value.v !== GENESIS_VERSION) return { ok: false, fault: `genesis version is not ${GENESIS_VERSION}` };
  const { logId, epoch } = value;
  if (typeof logId !== "string" || logId === "" || !isCount(epoch) || epoch === 0) {
    return { ok: false, fault: "genesis has no proper logId and epoch" };
  }
  return { ok: true, logId, epoch: epoch as number };
}

/** The chain hash of genesis. The chain of the first entry builds on it. */
export function genesisChain(logId: string, epoch = 1): string {
  return sha256(canonicalJson(genesisBody({ logId, epoch })));
}

/** The version of newly written entries of this type. */
export function versionOf(type: EntryBody<unknown>["type"]): number {
  return TYPES[type];
}

/**
 * The texts of the entries that this process sealed. The seal builds each text for its hash, and that is most of the
 * cost, so {@link entryText} uses the same text again.
 */
const sealedTexts = new WeakMap<object, string>();

/** Seals an entry: adds its chain hash. */
export function sealEntry<C>(body: EntryBody<C>, previousChain: string): LogEntry<C> {
  const text = canonicalJson(body as unknown as JsonObject);
  const entry = { ...body, chain: chainOf(text, previousChain) };
  sealedTexts.set(entry, `{"chain":"${entry.chain}",${text.slice(1)}`);
  return entry;
}

/** An entry as JSON text, as it is stored. */
export function entryText<C>(entry: LogEntry<C>): string {
  return sealedTexts.get(entry) ?? JSON.stringify(entry);
}

/**
 * True when the entry is unchanged and follows the entry with `previousChain`. Works even if this version of the
 * program cannot read the content of the entry.
 */
export function isSealed({ chain, ...body }: JsonObject, previousChain: string): boolean {
  try {
    return chain === chainOf(canonicalJson(body), previousChain);
  } catch {
    return false; // The value cannot be hashed, so it was never sealed.
  }
}

/**
 * Reads an entry from the log and checks version, identity, type, chain hash and fields, in this order. The returned
 * entry has the newest version.
 */
export function readEntry<C>(value: JsonObject, context: EntryContext<C>): ReadEntry<C> {
  const raised = upcast(value, ENTRY_UPCASTERS, ENTRY_VERSION);
  if (!raised.ok) return bad(`entry ${raised.fault}`);
  if (value.logId !== context.logId) return bad(`entry is not of log "${context.logId}"`);
  const { type } = value;
  if (!isType(type) || versionOf(type) > (value.v as number)) return bad("entry type is unknown");
  const { chain, ...body } = value;
  if (typeof chain !== "string") return bad("entry has no chain hash");
  let expected: string;
  try {
    expected = chainOf(canonicalJson(body), context.previousChain);
  } catch (error) {
    return bad(`entry cannot be hashed: ${(error as Error).message}`);
  }
  if (chain !== expected) return bad(`chain hash is ${chain.slice(0, 64)}, expected ${expected}`);
  const entry = raised.value as unknown as LogEntry<C>;
  if (!isCount(entry.term) || !isCount(entry.at)) return bad("entry has no proper term and time");
  if (entry.type === "office-taken" && typeof entry.leader !== "string")
    return bad("office-taken names no leader");
  if (entry.type === "snapshot" && !isSnapshotNote(entry))
    return bad("snapshot has no proper seq, hash and object");
  if (entry.type !== "commands") return { ok: true, entry };
  return readCommands(entry, context);
}

function readCommands<C>(entry: Commands<C> & { chain: string }, context: EntryContext<C>): ReadEntry<C> {
  if (!Array.isArray(entry.commands)) return bad("entry has no list of commands");
  const commands: KeyedCommand<C>[] = [];
  for (const item of entry.commands as readonly unknown[]) {
    if (!isJsonObject(item) || typeof item.key !== "string") return bad("entry holds a command without key");
    const parsed = context.parseCommand(item.command);
    if (!parsed.ok) return bad(`entry holds a bad command: ${parsed.error}`);
    commands.push({ key: item.key, command: parsed.command });
  }
  return { ok: true, entry: { ...entry, commands } };
}

function isType(type: unknown): type is keyof typeof TYPES {
  return typeof type === "string" && Object.hasOwn(TYPES, type);
}

function isSnapshotNote({ seq, hash, object }: SnapshotNote): boolean {
  return (
    isCount(seq) && typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash) && typeof object === "string"
  );
}

function chainOf(canonicalBody: string, previousChain: string): string {
  return sha256(`${previousChain}\n${canonicalBody}`);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function bad<C>(fault: string): ReadEntry<C> {
  return { ok: false, fault };
}
