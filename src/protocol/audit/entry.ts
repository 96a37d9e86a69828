// One entry of the audit log as it is stored. Owns its schema; the notes that become entries are in note.ts, and the room
// `audit` chains, writes and verifies entries.
import { z } from "zod";
import { timeSchema } from "../wire/schema.ts";

/** The largest entry, in bytes: the evidence of an equivocation has about 1 KiB, and a ballot keeps at most 128 pieces. */
export const AUDIT_ENTRY_LIMIT_BYTES = 16 * 1024;

/** One entry, stored as canonical JSON (RFC 8785) of exactly these fields. Readers accept kinds that they do not know. */
export const auditEntrySchema = z.strictObject({
  /** The version of this form. */
  v: z.literal(1),
  /** `<role>.<processId>`, as in the subject. */
  writer: z.string(),
  /** The number of the entry in its writer's chain, from 1, without gaps. */
  seq: z.int().min(1),
  /** SHA-256, in lower-case hex, of the stored bytes of the same writer's previous entry. Null in its first entry. */
  previous: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  /** The time of the note, by the writer's clock. */
  at: timeSchema,
  kind: z.string().regex(/^[a-z][a-z-]{0,63}$/),
  /** The facts of the event. Their fields depend on the kind. */
  facts: z.record(z.string(), z.json()),
  /** The writer's Ed25519 public key, 32 bytes as base64url. It is the same in all entries of a writer. */
  key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** Ed25519 over `murmur-audit-1`, a line feed, and the canonical JSON of all other fields; 64 bytes as base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
/** One entry of the audit log. */
export type AuditEntry = z.output<typeof auditEntrySchema>;
