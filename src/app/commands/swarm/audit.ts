// `audit …`: list refused votes, operations and changes of the office, and check that no entry was changed.
import type { z } from "zod";
import type { AuditLine } from "../../../audit/index.ts";
import { printable, type Terminal, table } from "../../cli/terminal.ts";
import { listAuditEntries, verifyAuditLog } from "../../operations/audit.ts";
import { defineFace } from "../face.ts";

/** The most characters of an entry's facts in a list for people. */
const MAX_FACTS = 160;

const writer = { value: "ID" } as const;

export const ls = defineFace(listAuditEntries, {
  fields: { writer, since: { value: "WHEN" }, limit: { value: "N" } },
  examples: [
    "audit ls",
    "audit ls --kind vote-refused --since 7d",
    "audit ls --user anna --since 24h",
    "audit ls --role cli --json",
  ],
  details:
    "The newest entries, the oldest of them first. Nothing is verified: audit verify does that. With --json each entry has\nall its facts; for a refused vote, the vote itself.",
  onEvent: showProgress("read"),
  render: ({ entries }) =>
    table(
      ["AT", "WRITER", "ENTRY", "KIND", "WHAT"],
      entries.map((line) => [line.at, line.writer, String(line.seq ?? "-"), line.kind, showFacts(line)]),
      "no entries",
    ),
});

export const verify = defineFace(verifyAuditLog, {
  fields: { writer },
  examples: ["audit verify", "audit verify --role coordinator", "audit verify --json"],
  details:
    "For a CronJob: one line when the log is intact; else its first line names the first fault, and the exit code is 1.\nReads the whole log and checks each writer's chain: hashes, signatures, numbers, and that the stream itself has no gap.\nExit code 1 when anything is wrong; the answer names the writer, the entry and the fault. With --role or --writer it\nchecks only those chains, and not the stream.",
  onEvent: showProgress("verified"),
  exitCode: ({ intact }) => (intact ? 0 : 1),
  render({ intact, messages, isTrimmed, writers, faultCount, faults }, { colors }) {
    const writerCount = `${writers.length} ${writers.length === 1 ? "writer" : "writers"}`;
    const read = `${messages} ${messages === 1 ? "message" : "messages"} of ${writerCount}${isTrimmed ? "; older ones were dropped for their age" : ""}`;
    if (intact) return `${colors.green("intact")}  ${read}`;
    const rows = faults.map(({ writer: name, seq, streamSeq, fault, what }) => [
      name ?? "(the stream)",
      seq === null ? "-" : String(seq),
      String(streamSeq),
      fault,
      what,
    ]);
    const more = faultCount > faults.length ? [`and ${faultCount - faults.length} more`] : [];
    return [
      `${colors.red("BROKEN")}  ${faultCount} ${faultCount === 1 ? "fault" : "faults"} in ${read}${describeFirst(faults)}`,
      table(["WRITER", "ENTRY", "MESSAGE", "FAULT", "WHAT"], rows, ""),
      ...more,
    ].join("\n");
  },
});

/** The first fault, for the first line: the only line that many logs keep. */
function describeFirst(faults: z.output<typeof verifyAuditLog.output>["faults"]): string {
  const [first] = faults;
  if (first === undefined) return "";
  return `; first: ${first.fault} at message ${first.streamSeq} of ${first.writer ?? "the stream"}`;
}

function showProgress(verb: string) {
  return (
    { seen, total }: z.output<NonNullable<typeof listAuditEntries.event>>,
    { status }: Terminal,
  ): void => status(`${verb} ${seen} of about ${total} messages`);
}

/** The facts of an entry, on one line. */
function showFacts({ kind, facts }: AuditLine): string {
  const { evidence } = facts as { evidence?: Record<string, unknown> };
  const shown =
    kind === "vote-refused" && evidence !== undefined
      ? `${evidence.kind}: seat ${evidence.seat} (${evidence.agent ?? "-"}) in round ${evidence.round} of ballot ${facts.ballot}: ${evidence.reason}`
      : Object.entries(facts)
          .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
          .join(", ");
  return printable(shown.slice(0, MAX_FACTS));
}
