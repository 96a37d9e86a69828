// One writer's chain of entries, and how a log of such chains is verified. Owns what is hashed and signed, and every way in
// which a log can be wrong; who writes and reads it is writer.ts and reader.ts. Pure.
//
// C1  An entry names the hash of the bytes of its writer's entry before, and is signed with the writer's key. So what was
//     stored can be neither changed, nor removed from the middle, nor moved, nor added to by anybody else, unseen.
// C2  A chain says nothing of entries behind its last one: that they were cut off shows only in the stream's sequences.
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import {
  type AuditEntry,
  auditEntrySchema,
  canonicalJson,
  type Json,
  type JsonObject,
  sha256,
} from "../protocol/index.ts";

/** Keeps a signature over an entry from ever meaning anything else (and the number makes room for another form). */
const AUDIT_DOMAIN = "murmur-audit-1";
/** Faults that a check tells one by one; of more it tells the number. */
export const MAX_TOLD_FAULTS = 100;
/** Writers that one check can hold, each about 400 bytes. */
export const MAX_WRITERS = 100_000;

/** The key of a writer: it lives as long as its process. */
export interface AuditKey {
  readonly privateKey: KeyObject;
  /** 32 bytes as base64url. */
  readonly publicKey: string;
}

/** The end of a writer's chain: how many entries it has, and the hash of the last one's bytes. */
export interface ChainTip {
  readonly seq: number;
  readonly hash: string | null;
}

/** A chain without entries. */
export const NO_ENTRIES: ChainTip = { seq: 0, hash: null };

/** What an entry says, besides its place in the chain. */
export type AuditContent = Pick<AuditEntry, "at" | "kind"> & { readonly facts: JsonObject };

/** Makes the entry that follows `tip`, and the tip that it makes. @throws RangeError when a fact is no finite number. */
export function sealEntry(
  tip: ChainTip,
  { writer, key, content }: { writer: string; key: AuditKey; content: AuditContent },
): { text: string; tip: ChainTip } {
  const { at, kind, facts } = content;
  const { publicKey } = key;
  const seq = tip.seq + 1;
  const said = { v: 1, writer, seq, previous: tip.hash, at, kind, facts, key: publicKey } as const;
  const signature = sign(null, signedBytes(said), key.privateKey).toString("base64url");
  const text = canonicalJson({ ...said, signature });
  return { text, tip: { seq, hash: sha256(text) } };
}

function signedBytes(said: Json): Buffer {
  return Buffer.from(`${AUDIT_DOMAIN}\n${canonicalJson(said)}`);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads a stored message as an entry; null when it is not one, byte for byte. Its signature is not looked at. */
export function readEntry(data: Uint8Array): { entry: AuditEntry; text: string } | null {
  try {
    const text = utf8.decode(data);
    const entry = auditEntrySchema.parse(JSON.parse(text));
    return canonicalJson(entry as unknown as Json) === text ? { entry, text } : null;
  } catch {
    return null;
  }
}

function isSigned(entry: AuditEntry, key: KeyObject): boolean {
  const { signature, ...said } = entry;
  const bytes = Buffer.from(signature, "base64url");
  // 86 characters have four bits to spare: other last characters stand for the same bytes, and were never written.
  if (bytes.toString("base64url") !== signature) return false;
  return verify(null, signedBytes(said as unknown as Json), key, bytes);
}

// Verifying

/** One message of the log. */
export interface AuditMessage {
  /** Its sequence in the stream. */
  readonly streamSeq: number;
  /** Who may write on its subject, as `<role>.<processId>`; null when the subject is none of an audit log. */
  readonly writer: string | null;
  readonly data: Uint8Array;
}

/** What can be wrong. */
export const AUDIT_FAULTS = [
  "unreadable",
  "changed",
  "foreign",
  "missing",
  "broken-link",
  "repeated",
  "misplaced",
  "stream-gap",
] as const;

/** Something that is wrong. */
export interface AuditFault {
  readonly fault: (typeof AUDIT_FAULTS)[number];
  /** Whose chain; null of the stream as a whole. */
  readonly writer: string | null;
  /** The entry of that chain; null where a message does not say. */
  readonly seq: number | null;
  /** The message of the stream at which it shows. */
  readonly streamSeq: number;
  readonly what: string;
}

/** A writer's chain as far as it was read. */
export interface WriterCheck {
  readonly writer: string;
  /** Entries of its that fit. */
  entries: number;
  readonly firstSeq: number;
  lastSeq: number;
  /** Hash of the last one's bytes: with it a later check can be compared. */
  head: string;
  readonly publicKey: string;
  readonly key: KeyObject;
  /** It stopped in order, and said so. */
  isEnded: boolean;
}

/** A check of a log, as far as it was read. */
export interface AuditCheck {
  /** Every message is given: then a gap in the stream's sequences is a fault. */
  readonly isWhole: boolean;
  /** Messages at the beginning of the stream are gone, as they are after their time: chains may begin anywhere. */
  readonly isTrimmed: boolean;
  messages: number;
  lastStreamSeq: number | null;
  readonly writers: Map<string, WriterCheck>;
  /** The first {@link MAX_TOLD_FAULTS}. */
  readonly faults: AuditFault[];
  faultCount: number;
}

/** Begins a check. */
export function beginCheck({ isWhole, isTrimmed }: Pick<AuditCheck, "isWhole" | "isTrimmed">): AuditCheck {
  return {
    isWhole,
    isTrimmed,
    messages: 0,
    lastStreamSeq: null,
    writers: new Map(),
    faults: [],
    faultCount: 0,
  };
}

/**
 * Takes the next message of the log, in the order of the stream. Goes on behind whatever is wrong, so that one fault is
 * not told as many.
 * @returns false when it is of one writer more than a check can hold; it is not counted then.
 */
export function checkMessage(check: AuditCheck, message: AuditMessage): boolean {
  const { streamSeq, writer, data } = message;
  const tell = (fault: AuditFault["fault"], seq: number | null, what: string) => {
    check.faultCount++;
    if (check.faults.length < MAX_TOLD_FAULTS) check.faults.push({ fault, writer, seq, streamSeq, what });
  };
  const known = writer === null ? undefined : check.writers.get(writer);
  if (known === undefined && check.writers.size >= MAX_WRITERS) return false;
  check.messages++;
  checkStream(check, streamSeq);

  const read = writer === null ? null : readEntry(data);
  if (writer === null || read === null) {
    tell("unreadable", null, "is no entry as a writer writes it: changed, or written by something else");
    return true;
  }
  const { entry, text } = read;
  const { seq, previous } = entry;
  if (entry.writer !== writer) {
    tell("foreign", seq, `was made for ${entry.writer}`);
    return true;
  }
  if (known !== undefined && entry.key !== known.publicKey) {
    tell("foreign", seq, `is not signed with the key of ${writer}: somebody else wrote it`);
    return true;
  }
  const key = known?.key ?? importKey(entry.key);
  if (key === null || !isSigned(entry, key)) {
    tell("changed", seq, "is not what its writer signed: changed, or written by somebody else");
    return true;
  }
  const head = sha256(text);
  const isEnded = entry.kind === "writer-ended";
  if (known === undefined) {
    if (seq > 1 && !check.isTrimmed) tell("missing", seq - 1, `${nameEntries(1, seq - 1)} missing`);
    if ((seq === 1) !== (previous === null)) tell("broken-link", seq, "does not begin as a chain begins");
    const publicKey = entry.key;
    const first = { entries: 1, firstSeq: seq, lastSeq: seq, head, publicKey, key, isEnded };
    check.writers.set(writer, { writer, ...first });
    return true;
  }
  if (seq <= known.lastSeq) {
    if (head === known.head) tell("repeated", seq, "stands twice");
    else tell("misplaced", seq, `stands behind entry ${known.lastSeq}: moved, repeated, or a fork`);
    return true;
  }
  if (seq > known.lastSeq + 1) tell("missing", seq - 1, `${nameEntries(known.lastSeq + 1, seq - 1)} missing`);
  else if (previous !== known.head) tell("broken-link", seq, `does not continue entry ${known.lastSeq}`);
  known.entries++;
  known.lastSeq = seq;
  known.head = head;
  known.isEnded = isEnded;
  return true;
}

function checkStream(check: AuditCheck, streamSeq: number): void {
  const { lastStreamSeq, isWhole, isTrimmed, faults } = check;
  const expected = lastStreamSeq === null ? (isTrimmed ? streamSeq : 1) : lastStreamSeq + 1;
  check.lastStreamSeq = streamSeq;
  if (!isWhole || streamSeq === expected) return;
  check.faultCount++;
  const what = `messages ${expected} to ${streamSeq - 1} of the stream are gone`;
  if (faults.length < MAX_TOLD_FAULTS)
    faults.push({ fault: "stream-gap", writer: null, seq: null, streamSeq, what });
}

function importKey(publicKey: string): KeyObject | null {
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
  } catch {
    return null;
  }
}

function nameEntries(from: number, to: number): string {
  return from === to ? `entry ${from} is` : `entries ${from} to ${to} are`;
}
