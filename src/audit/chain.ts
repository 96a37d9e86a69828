// The chain of one writer's entries, and the check of a log of such chains. Owns the hashes and signatures, and the list of
// faults that a log can have. writer.ts writes the log, reader.ts reads it. Pure.
//
// C1  Each entry contains the hash of the same writer's previous entry, and is signed with the writer's key. So a check
//     finds every stored entry that was changed, moved, removed from the middle, or added by another process.
// C2  A chain cannot show that entries after its last one were cut off. Only a gap in the stream's sequences shows that.
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import {
  type AuditEntry,
  auditEntrySchema,
  canonicalJson,
  type Json,
  type JsonObject,
  sha256,
} from "../protocol/index.ts";

/** Signed before each entry, so that the signature cannot be valid for other data. The number allows a later version. */
const AUDIT_DOMAIN = "murmur-audit-1";
/** The most faults that a check lists. It only counts further faults. */
export const MAX_LISTED_FAULTS = 100;
/** The most writers of one check. Each takes about 400 bytes of memory. */
export const MAX_WRITERS = 100_000;

/** The key of a writer. It exists as long as the process. */
export interface AuditKey {
  readonly privateKey: KeyObject;
  /** 32 bytes as base64url. */
  readonly publicKey: string;
}

/** The end of a writer's chain: the number of its entries, and the hash of the last entry's bytes. */
export interface ChainTip {
  readonly seq: number;
  readonly hash: string | null;
}

/** A chain without entries. */
export const NO_ENTRIES: ChainTip = { seq: 0, hash: null };

/** The content of an entry, without its place in the chain. */
export type AuditContent = Pick<AuditEntry, "at" | "kind"> & { readonly facts: JsonObject };

/** Makes the entry that follows `tip`, and returns its text and the new tip. @throws RangeError if a number is not finite. */
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

/** Reads a stored message as an entry. Null if its bytes are not exactly those of an entry. Does not check the signature. */
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
  // 86 characters have four spare bits, so other last characters decode to the same bytes. A writer never writes those.
  if (bytes.toString("base64url") !== signature) return false;
  return verify(null, signedBytes(said as unknown as Json), key, bytes);
}

// Verifying

/** One message of the log. */
export interface AuditMessage {
  /** The sequence of the message in the stream. */
  readonly streamSeq: number;
  /** The writer that owns the subject, `<role>.<processId>`. Null if the subject is not one of the audit log. */
  readonly writer: string | null;
  readonly data: Uint8Array;
}

/** The faults that a log can have. */
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

/** One fault of a log. */
export interface AuditFault {
  readonly fault: (typeof AUDIT_FAULTS)[number];
  /** The writer of the chain. Null for a fault of the stream as a whole. */
  readonly writer: string | null;
  /** The number of the entry in its chain. Null if the message does not have one. */
  readonly seq: number | null;
  /** The sequence of the message at which the check found the fault. */
  readonly streamSeq: number;
  /** A description of the fault for people. */
  readonly what: string;
}

/** A writer's chain, as far as the check has read it. */
export interface WriterCheck {
  readonly writer: string;
  /** The number of valid entries. */
  entries: number;
  readonly firstSeq: number;
  lastSeq: number;
  /** The hash of the last entry's bytes. Compare it with the result of a later check. */
  head: string;
  readonly publicKey: string;
  readonly key: KeyObject;
  /** True if the last entry says that the writer stopped in order. */
  isEnded: boolean;
}

/** A check of a log, as far as it has read the log. */
export interface AuditCheck {
  /** True if the check reads every message of the stream. Then a gap in the sequences is a fault. */
  readonly isWhole: boolean;
  /** True if the stream has dropped its oldest messages because of their age. Then a chain may begin with any entry. */
  readonly isTrimmed: boolean;
  messages: number;
  lastStreamSeq: number | null;
  readonly writers: Map<string, WriterCheck>;
  /** The first {@link MAX_LISTED_FAULTS} faults. */
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
 * Checks the next message of the log, in the order of the stream. After a fault the check continues from the state before
 * it, so that one fault does not appear as many.
 * @returns false if the message is from one writer more than {@link MAX_WRITERS}. Then it does not count.
 */
export function checkMessage(check: AuditCheck, message: AuditMessage): boolean {
  const { streamSeq, writer, data } = message;
  const report = (fault: AuditFault["fault"], seq: number | null, what: string) => {
    addFault(check, { fault, writer, seq, streamSeq, what });
  };
  const known = writer === null ? undefined : check.writers.get(writer);
  if (known === undefined && check.writers.size >= MAX_WRITERS) return false;
  check.messages++;
  checkStream(check, streamSeq);

  const read = writer === null ? null : readEntry(data);
  if (writer === null || read === null) {
    report("unreadable", null, "is not a well-formed entry: it was changed, or another program wrote it");
    return true;
  }
  const { entry, text } = read;
  const { seq, previous } = entry;
  if (entry.writer !== writer) {
    report("foreign", seq, `was made for ${entry.writer}`);
    return true;
  }
  if (known !== undefined && entry.key !== known.publicKey) {
    report("foreign", seq, `is not signed with the key of ${writer}: another process wrote it`);
    return true;
  }
  const key = known?.key ?? importKey(entry.key);
  if (key === null || !isSigned(entry, key)) {
    report("changed", seq, "does not match its signature: it was changed, or another process wrote it");
    return true;
  }
  const head = sha256(text);
  const isEnded = entry.kind === "writer-ended";
  if (known === undefined) {
    if (seq > 1 && !check.isTrimmed) report("missing", seq - 1, `${nameEntries(1, seq - 1)} missing`);
    if ((seq === 1) !== (previous === null)) {
      report("broken-link", seq, "is not a valid start of a chain: only entry 1 has no previous hash");
    }
    const publicKey = entry.key;
    const first = { entries: 1, firstSeq: seq, lastSeq: seq, head, publicKey, key, isEnded };
    check.writers.set(writer, { writer, ...first });
    return true;
  }
  if (seq <= known.lastSeq) {
    if (head === known.head) report("repeated", seq, "is stored twice");
    else
      report(
        "misplaced",
        seq,
        `comes after entry ${known.lastSeq}: it was moved, repeated, or forks the chain`,
      );
    return true;
  }
  if (seq > known.lastSeq + 1)
    report("missing", seq - 1, `${nameEntries(known.lastSeq + 1, seq - 1)} missing`);
  else if (previous !== known.head) report("broken-link", seq, `does not continue entry ${known.lastSeq}`);
  known.entries++;
  known.lastSeq = seq;
  known.head = head;
  known.isEnded = isEnded;
  return true;
}

function checkStream(check: AuditCheck, streamSeq: number): void {
  const { lastStreamSeq, isWhole, isTrimmed } = check;
  const expected = lastStreamSeq === null ? (isTrimmed ? streamSeq : 1) : lastStreamSeq + 1;
  check.lastStreamSeq = streamSeq;
  if (!isWhole || streamSeq === expected) return;
  const what = `messages ${expected} to ${streamSeq - 1} of the stream are gone`;
  addFault(check, { fault: "stream-gap", writer: null, seq: null, streamSeq, what });
}

function addFault(check: AuditCheck, fault: AuditFault): void {
  check.faultCount++;
  if (check.faults.length < MAX_LISTED_FAULTS) check.faults.push(fault);
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
