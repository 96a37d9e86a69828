// `audit …`: see what was refused, decided and done, and whether anybody touched the record of it.
import { z } from "zod";
import { AUDIT_FAULTS, type AuditLine, listAudit, verifyAudit } from "../../../audit/index.ts";
import { parse, SwarmError, timeSchema, tokenSchema } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { printable, table } from "../../cli/terminal.ts";

/** The most lines of one list: with the largest entries 16 MiB. */
const MAX_LINES = 1_000;
/** Characters of what an entry says, in a list for people. */
const MAX_SAID = 160;

const filters = {
  role: tokenSchema.optional().meta({ description: "only processes of this role: coordinator, cli, …" }),
  writer: z.string().optional().meta({
    description: "only this process: its id, or ROLE.ID as a list shows it",
    value: "ID",
  }),
};

const lineSchema = z.object({
  /** Its sequence in the stream. */
  streamSeq: z.int(),
  /** `<role>.<processId>`. */
  writer: z.string(),
  /** Its number in the writer's chain; null of what cannot be read as an entry. */
  seq: z.int().nullable(),
  at: z.string(),
  kind: z.string(),
  facts: z.record(z.string(), z.unknown()),
});

export const ls = defineCommand({
  input: z.strictObject({
    ...filters,
    kind: z
      .string()
      .optional()
      .meta({ description: "only entries of this kind: vote-refused, operation, …" }),
    since: z.string().optional().meta({
      description: "only what was stored since then: 90m, 12h, 7d, or an ISO 8601 time",
      value: "WHEN",
    }),
    limit: z
      .int()
      .min(1)
      .max(MAX_LINES)
      .default(100)
      .meta({ description: "at most this many, the newest", value: "N" }),
  }),
  output: z.object({ entries: z.array(lineSchema) }),
  examples: ["audit ls", "audit ls --kind vote-refused --since 7d", "audit ls --role cli --json"],
  details:
    "The newest entries, the oldest of them first. Nothing is verified: audit verify does that. With --json each entry has\nall its facts, of a refused vote the vote itself.",
  async run(ports, { role, writer, kind, since, limit }) {
    const transport = await ports.transport();
    const sinceMs = since === undefined ? undefined : readSince(since, Date.now());
    const onProgress = tellProgress(ports, "read");
    const filter = readWriter(role, writer);
    return { entries: await listAudit(transport, { ...filter, kind, sinceMs, limit, onProgress }) };
  },
  render: ({ entries }) =>
    table(
      ["AT", "WRITER", "ENTRY", "KIND", "WHAT"],
      entries.map((line) => [line.at, line.writer, String(line.seq ?? "-"), line.kind, sayFacts(line)]),
      "no entries",
    ),
});

export const verify = defineCommand({
  input: z.strictObject(filters),
  output: z.object({
    intact: z.boolean(),
    messages: z.int(),
    /** The beginning of the log went with time: chains may begin in their middle. */
    isTrimmed: z.boolean(),
    writers: z.array(
      z.object({
        writer: z.string(),
        entries: z.int(),
        firstSeq: z.int(),
        lastSeq: z.int(),
        /** SHA-256 of the last entry: what a later check can be compared with. */
        head: z.string(),
        publicKey: z.string(),
        /** It stopped in order, and its chain is complete. */
        isEnded: z.boolean(),
      }),
    ),
    faultCount: z.int(),
    /** The first hundred. */
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
  examples: ["audit verify", "audit verify --role coordinator", "audit verify --json"],
  details:
    "Reads the whole log and checks each writer's chain: hashes, signatures, numbers, and that the stream itself has no gap.\nExit code 1 when anything is wrong, naming writer, entry and what it is. With --role or --writer only those chains are\nchecked, and not the stream.",
  async run(ports, { role, writer }) {
    const transport = await ports.transport();
    const onProgress = tellProgress(ports, "verified");
    const check = await verifyAudit(transport, { ...readWriter(role, writer), onProgress });
    const { messages, isTrimmed, faultCount, faults } = check;
    const writers = [...check.writers.values()].map(({ key: _key, ...shown }) => shown);
    return { intact: faultCount === 0, messages, isTrimmed, writers, faultCount, faults };
  },
  exitCode: ({ intact }) => (intact ? 0 : 1),
  render({ intact, messages, isTrimmed, writers, faultCount, faults }, { colors }) {
    const writerCount = `${writers.length} ${writers.length === 1 ? "writer" : "writers"}`;
    const read = `${messages} ${messages === 1 ? "message" : "messages"} of ${writerCount}${isTrimmed ? "; older ones went with time" : ""}`;
    if (intact) return `${colors.green("intact")}  ${read}`;
    const rows = faults.map(({ writer, seq, streamSeq, fault, what }) => [
      writer ?? "(the stream)",
      seq === null ? "-" : String(seq),
      String(streamSeq),
      fault,
      what,
    ]);
    const more = faultCount > faults.length ? [`and ${faultCount - faults.length} more`] : [];
    return [
      `${colors.red("BROKEN")}  ${faultCount} ${faultCount === 1 ? "fault" : "faults"} in ${read}`,
      table(["WRITER", "ENTRY", "MESSAGE", "FAULT", "WHAT"], rows, ""),
      ...more,
    ].join("\n");
  },
});

/** @throws SwarmError `invalid_input` when they contradict each other, or are no tokens. */
function readWriter(role: string | undefined, writer: string | undefined) {
  if (writer === undefined) return { role };
  const [first = "", processId] = writer.split(".", 2);
  if (processId === undefined) return { role, processId: parse(tokenSchema, writer, "--writer", "writer") };
  if (role !== undefined && role !== first) {
    throw new SwarmError("invalid_input", `--writer ${writer} is not of role ${role}: leave --role out`, {
      field: "writer",
    });
  }
  return {
    role: parse(tokenSchema, first, "--writer", "writer"),
    processId: parse(tokenSchema, processId, "--writer", "writer"),
  };
}

const AGE = /^(\d+)(s|m|h|d)$/;
const AGE_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @throws SwarmError `invalid_input`. */
function readSince(text: string, nowMs: number): number {
  const [, amount, unit] = AGE.exec(text) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * AGE_MS[unit as keyof typeof AGE_MS];
  if (timeSchema.safeParse(text).success) return Date.parse(text);
  throw new SwarmError(
    "invalid_input",
    `--since must be an age such as 90m, 12h or 7d, or an ISO 8601 time, got ${JSON.stringify(text.slice(0, 80))}`,
    { field: "since" },
  );
}

function tellProgress({ terminal }: Ports, what: string) {
  return (seen: number, of: number) => terminal.status(`${what} ${seen} of about ${of} messages`);
}

/** What an entry says, on one line. */
function sayFacts({ kind, facts }: AuditLine): string {
  const { evidence } = facts as { evidence?: Record<string, unknown> };
  const said =
    kind === "vote-refused" && evidence !== undefined
      ? `${evidence.kind}: seat ${evidence.seat} (${evidence.agent ?? "-"}) in round ${evidence.round} of ballot ${facts.ballot}: ${evidence.reason}`
      : Object.entries(facts)
          .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
          .join(", ");
  return printable(said.slice(0, MAX_SAID));
}
