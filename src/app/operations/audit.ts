// Operations on the audit log: list its entries, and verify that no entry was changed.
import { z } from "zod";
import { AUDIT_FAULTS, listAudit, verifyAudit } from "../../audit/index.ts";
import { parse, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { yieldReports } from "./event-queue.ts";
import { defineOperation } from "./operation.ts";
import { readSince } from "./since.ts";

/** The most lines of one list: with the largest entries 16 MiB. */
const MAX_AUDIT_LINES = 1_000;

const filters = {
  role: tokenSchema.optional().meta({ description: "only processes of this role: coordinator, cli, …" }),
  writer: z
    .string()
    .optional()
    .meta({ description: "only this process: its id, or ROLE.ID as a list shows it" }),
};

/** How far the reading is. */
const progressSchema = z.object({
  /** Messages that were read. */
  seen: z.int(),
  /** About how many there are. */
  total: z.int(),
});
type Progress = z.output<typeof progressSchema>;

const lineSchema = z.object({
  /** The sequence of the entry in the stream. */
  streamSeq: z.int(),
  /** `<role>.<processId>`. */
  writer: z.string(),
  /** The number of the entry in the writer's chain; null for a message that is no entry. */
  seq: z.int().nullable(),
  at: z.string(),
  kind: z.string(),
  facts: z.record(z.string(), z.unknown()),
});

export const listAuditEntries = defineOperation({
  name: "audit-list",
  summary: "list refused votes, operations and changes of the office",
  input: z.strictObject({
    ...filters,
    kind: z
      .string()
      .optional()
      .meta({ description: "only entries of this kind: vote-refused, operation, …" }),
    user: z
      .string()
      .max(64)
      .optional()
      .meta({ description: "only entries about this caller", value: "NAME" }),
    since: z
      .string()
      .optional()
      .meta({ description: "only what was stored since then: 90m, 12h, 7d, or an ISO 8601 time" }),
    limit: z
      .int()
      .min(1)
      .max(MAX_AUDIT_LINES)
      .default(100)
      .meta({ description: "at most this many, the newest" }),
  }),
  output: z.object({ entries: z.array(lineSchema) }),
  event: progressSchema,
  errors: [],
  access: "read",
  takesLong: true,
  async *run({ transport }, { role, writer, kind, user, since, limit }) {
    const sinceMs = since === undefined ? undefined : readSince(since, Date.now());
    const filter = { ...readWriter(role, writer), kind, by: user, sinceMs, limit };
    const entries = yield* yieldReports<Progress, Awaited<ReturnType<typeof listAudit>>>((report) =>
      listAudit(transport, { ...filter, onProgress: (seen, total) => report({ seen, total }) }),
    );
    return { entries };
  },
});

export const verifyAuditLog = defineOperation({
  name: "audit-verify",
  summary: "check the audit log",
  input: z.strictObject(filters),
  output: z.object({
    intact: z.boolean(),
    messages: z.int(),
    /** The stream dropped its oldest messages because of their age, so chains may begin in their middle. */
    isTrimmed: z.boolean(),
    writers: z.array(
      z.object({
        writer: z.string(),
        entries: z.int(),
        firstSeq: z.int(),
        lastSeq: z.int(),
        /** SHA-256 of the last entry. A later check can be compared with it. */
        head: z.string(),
        publicKey: z.string(),
        /** The writer stopped in order, and its chain is complete. */
        isEnded: z.boolean(),
      }),
    ),
    faultCount: z.int(),
    /** The first hundred faults. */
    faults: z.array(
      z.object({
        fault: z.enum(AUDIT_FAULTS),
        writer: z.string().nullable(),
        seq: z.int().nullable(),
        streamSeq: z.int(),
        what: z.string(),
      }),
    ),
  }),
  event: progressSchema,
  errors: [],
  access: "read",
  takesLong: true,
  async *run({ transport }, { role, writer }) {
    const filter = readWriter(role, writer);
    const check = yield* yieldReports<Progress, Awaited<ReturnType<typeof verifyAudit>>>((report) =>
      verifyAudit(transport, { ...filter, onProgress: (seen, total) => report({ seen, total }) }),
    );
    const { messages, isTrimmed, faultCount, faults } = check;
    const writers = [...check.writers.values()].map(({ key: _key, ...shown }) => shown);
    return { intact: faultCount === 0, messages, isTrimmed, writers, faultCount, faults };
  },
});

/** @throws SwarmError `invalid_input` when role and writer contradict each other, or are no tokens. */
function readWriter(role: string | undefined, writer: string | undefined) {
  if (writer === undefined) return { role };
  const [first = "", processId] = writer.split(".", 2);
  if (processId === undefined) return { role, processId: parse(tokenSchema, writer, "audit", "writer") };
  if (role !== undefined && role !== first) {
    throw new SwarmError("invalid_input", `the writer ${writer} is not of role ${role}: leave \`role\` out`, {
      field: "writer",
    });
  }
  return {
    role: parse(tokenSchema, first, "audit", "writer"),
    processId: parse(tokenSchema, processId, "audit", "writer"),
  };
}
