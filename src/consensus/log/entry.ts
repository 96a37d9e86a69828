// One entry of the control log: its shape, its seal and the border that refuses a bad one. Owns the hash chain:
// `chain` is the SHA-256 over the `chain` of the entry before and the canonical text of this one, so a changed,
// foreign, missing or exchanged entry is noticed by whoever reads it, at that entry.

import { canonicalJson, isJsonObject, type JsonObject, sha256 } from "../../protocol/index.ts";
import { type Upcasters, upcast } from "./upcast.ts";

/** The newest version of entries. An unknown one halts the reader rather than being skipped. */
export const ENTRY_VERSION = 2;

/** Version of genesis: it stands alone, because every chain begins with the hash of its text. */
const GENESIS_VERSION = 1;

/**
 * The types of entries, and the version in which each got its present shape. An entry is written in that version, so
 * that a reader that is a version behind reads on until there is something that it does not know.
 */
const TYPES = { "office-taken": 1, commands: 1, barrier: 1, checkpoint: 2, snapshot: 2 } as const;

/** What a reader does to an entry of an older version. 1 → 2: nothing that there was has another shape. */
const UPCASTERS: Upcasters = { 1: (entry) => entry };

interface EntryHead {
  /** See {@link versionOf}; of an entry that was read, the newest. */
  readonly v: number;
  /** The log's identity: in every entry, so that a foreign log is noticed. */
  readonly logId: string;
  /** The term of the last office-taken entry; of an office-taken entry, its own. */
  readonly term: number;
  /** The log's time in ticks: never less than that of the entry before. */
  readonly at: number;
}

/** From here on `leader` holds the office of `term`. */
export interface OfficeTaken extends EntryHead {
  readonly type: "office-taken";
  readonly leader: string;
}

/** A command and the idempotency key under which its result is kept. */
export interface KeyedCommand<C> {
  readonly key: string;
  readonly command: C;
}

/** A group of commands, decided in this order. */
export interface Commands<C> extends EntryHead {
  readonly type: "commands";
  readonly commands: readonly KeyedCommand<C>[];
}

/** Nothing but a proof that its author still holds the office: what waiting reads wait for. */
export interface Barrier extends EntryHead {
  readonly type: "barrier";
}

/** A place in the log at which every member hashes its fold, and the holder of the office saves it. */
export interface Checkpoint extends EntryHead {
  readonly type: "checkpoint";
}

/** A fold that was saved and read back: from `seq` on the log and this are as good as the whole log. */
export interface SnapshotNote {
  /** The checkpoint whose fold was saved. */
  readonly seq: number;
  /** SHA-256 of the saved fold's text: what every member's own fold at `seq` must have. */
  readonly hash: string;
  /** Where the text is stored. */
  readonly object: string;
}

/** See {@link SnapshotNote}. */
export interface Snapshot extends EntryHead, SnapshotNote {
  readonly type: "snapshot";
}

/** An entry before it is sealed. */
export type EntryBody<C> = OfficeTaken | Commands<C> | Barrier | Checkpoint | Snapshot;

/** An entry as it is stored. */
export type LogEntry<C> = EntryBody<C> & { readonly chain: string };

/** A command read at a border, or why it is none. */
export type ParsedCommand<C> = { ok: true; command: C } | { ok: false; error: string };

/** What an entry must fit: the log it is said to come from and the entry before it. */
export interface EntryContext<C> {
  readonly logId: string;
  readonly previousChain: string;
  readonly parseCommand: (value: unknown) => ParsedCommand<C>;
}

/** A read entry, or what is wrong with it. */
export type ReadEntry<C> = { ok: true; entry: LogEntry<C> } | { ok: false; fault: string };

/** Where a log begins: its identity, how often it was recovered (1: never), and the sequence at which that stands. */
export interface Genesis {
  readonly logId: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Genesis as it is stored. It is written once, by whoever creates the log, and never by a member. */
export function genesisBody({ logId, epoch }: Omit<Genesis, "seq">): JsonObject {
  return { v: GENESIS_VERSION, type: "genesis", logId, epoch };
}

/** Reads genesis from the log, or says why the log does not begin with one. */
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

/** The chain hash of genesis, which stands before the first entry. */
export function genesisChain(logId: string, epoch = 1): string {
  return sha256(canonicalJson(genesisBody({ logId, epoch })));
}

/** The version in which an entry of this type is written. */
export function versionOf(type: EntryBody<unknown>["type"]): number {
  return TYPES[type];
}

/** The texts of entries that were sealed here: made for the hash anyway, and most of what storing them takes. */
const sealedTexts = new WeakMap<object, string>();

/** Adds the chain hash. */
export function sealEntry<C>(body: EntryBody<C>, previousChain: string): LogEntry<C> {
  const text = canonicalJson(body as unknown as JsonObject);
  const entry = { ...body, chain: chainOf(text, previousChain) };
  sealedTexts.set(entry, `{"chain":"${entry.chain}",${text.slice(1)}`);
  return entry;
}

/** An entry as JSON text: how it is stored. */
export function entryText<C>(entry: LogEntry<C>): string {
  return sealedTexts.get(entry) ?? JSON.stringify(entry);
}

/** True for an entry that is whole and stands behind the right one, whether or not this version can read it. */
export function isSealed({ chain, ...body }: JsonObject, previousChain: string): boolean {
  try {
    return chain === chainOf(canonicalJson(body), previousChain);
  } catch {
    return false; // it cannot be hashed, so nobody sealed it
  }
}

/**
 * Reads an entry from the log and checks version, identity, type, chain hash and fields, in this order. What is given is
 * in the newest version.
 */
export function readEntry<C>(value: JsonObject, context: EntryContext<C>): ReadEntry<C> {
  const raised = upcast(value, UPCASTERS, ENTRY_VERSION);
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
