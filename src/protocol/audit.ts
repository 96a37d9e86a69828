// What stands in the audit log: entries, and the kinds of notes that Murmur's processes write. Owns their shapes; how
// entries are chained, written and verified is the room `audit`.
import { z } from "zod";
import { timeSchema } from "./schema.ts";
import type { Result } from "./task.ts";
import type { Evidence } from "./verdict.ts";

/** The largest entry, in bytes: the evidence of an equivocation has about 1 KiB, and a ballot keeps at most 128 pieces. */
export const AUDIT_ENTRY_LIMIT_BYTES = 16 * 1024;

/** One entry, as it is stored: canonical JSON (RFC 8785) of exactly these fields. Readers take kinds that they do not know. */
export const auditEntrySchema = z.strictObject({
  /** The version of this form. */
  v: z.literal(1),
  /** `<role>.<processId>`, as in the subject. */
  writer: z.string(),
  /** Counts this writer's entries, from 1, without gaps. */
  seq: z.int().min(1),
  /** SHA-256, in lower-case hex, of the stored bytes of this writer's entry before; null in its first. */
  previous: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  /** When it was noted, by the writer's clock. */
  at: timeSchema,
  kind: z.string().regex(/^[a-z][a-z-]{0,63}$/),
  /** What happened, by kind. */
  facts: z.record(z.string(), z.json()),
  /** The writer's Ed25519 public key, 32 bytes as base64url: the same in all its entries. */
  key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Ed25519 over `murmur-audit-1`, a line feed, and the canonical JSON of all other fields; 64 bytes as base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
/** One entry of the audit log. */
export type AuditEntry = z.output<typeof auditEntrySchema>;

/** What is noted, by kind. */
export interface AuditFacts {
  /** The first entry of a writer, before its first note. */
  "writer-started": { pid: number; host: string; version: string };
  /** The last entry of a writer that stopped in order. */
  "writer-ended": Record<string, never>;
  /** So many notes found no room between these times, and are nowhere. */
  "entries-dropped": { count: number; from: string; to: string };
  /** Something else stands on this writer's subject: its sequence in the stream. */
  "foreign-message": { streamSeq: number };
  /** A signed vote was refused. */
  "vote-refused": { ballot: string; capability: string; evidence: Evidence };
  /** Somebody answered a question of a ballot who was not asked; `agent` is who it says it is. */
  "answer-refused": { ballot: string; capability: string; taskId: string; agent: string };
  /** An agent contradicted itself with its signature, and gets no seat in signed ballots any more. */
  "agent-marked": { agent: string; ballot: string };
  "office-taken": { coordinator: string; term: number };
  "office-left": { coordinator: string; term: number };
  /**
   * The control log refused an append, because something else stands where it belonged: the writer was deposed, or beaten
   * to the office. Where an acknowledgement was lost, it may be the append's own entry.
   */
  "append-refused": { coordinator: string; term: number; expectedLastSeq: number; lastSeq: number };
  /** The control log was lost, and begun again with what was left of it. */
  "office-recovered": {
    by: string;
    problem: string;
    keptSeq: number;
    knownSeq: number;
    epoch: number;
    term: number;
  };
  /** A command that changes something was decided. What it put in stands where it was put, and not here. */
  operation: { command: string; outcome: string; [about: string]: unknown };
  /** A second result of a task was refused; `standing` is the first. */
  "result-refused": {
    taskId: string;
    capability: string;
    refused: Pick<Result, "status" | "attempt" | "agent" | "finishedAt">;
    standing: Pick<Result, "status" | "attempt" | "agent" | "finishedAt"> | null;
  };
}

/** Something to be audited. */
export type AuditNote = {
  [K in keyof AuditFacts]: { readonly kind: K; readonly facts: AuditFacts[K] };
}[keyof AuditFacts];

/**
 * Takes a note for the audit log, at once and without waiting: it never throws, and what it records goes on whatever becomes
 * of the note. Facts must be JSON and hold no secret.
 */
export type Audit = (note: AuditNote) => void;
