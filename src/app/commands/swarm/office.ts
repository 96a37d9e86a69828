// `office …`: which coordinator holds the office, handing it over, and recovering its log.
import { table } from "../../cli/terminal.ts";
import { recoverOffice, showOffice, transferOffice } from "../../operations/office.ts";
import { defineFace } from "../face.ts";

const UNAVAILABLE = 3;

export const status = defineFace(showOffice, {
  examples: ["office status", "office status --json"],
  details:
    "The leader is named only when the control log has just confirmed it; otherwise it is null, and the exit code is 3.\nEach member reports its own role; a member that does not answer within 250 ms is silent.",
  exitCode: ({ leader }) => (leader === null ? UNAVAILABLE : 0),
  render: ({ leader, leaderPid, term, since, members, logSeq }) =>
    [
      leader === null
        ? "no coordinator is known to hold the office\n"
        : `leader  ${leader} (pid ${leaderPid})\nterm    ${term}, since ${since}\nlog     ${logSeq} entries\n`,
      table(
        ["ID", "ROLE", "APPLIED", "LAG", "PID", "HOST"],
        members.map(({ id, role, appliedSeq, lag, pid, host }) => [
          id,
          role,
          String(appliedSeq ?? "-"),
          String(lag ?? "-"),
          String(pid ?? "-"),
          host ?? "-",
        ]),
        "no coordinator answers; murmur up or murmur coordinator starts one",
      ),
    ].join("\n"),
});

export const transfer = defineFace(transferOffice, {
  fields: { to: { value: "ID" } },
  examples: ["office transfer", "office transfer --to coordinator-2"],
  details:
    "Answers when the control log has confirmed the successor. Commands wait during the transfer; none is lost.",
  render: ({ from, to, term, tookMs }) => `${from} → ${to} (term ${term}) after ${tookMs} ms`,
});

const REFUSED = 1;

export const recover = defineFace(recoverOffice, {
  examples: ["office recover", "office recover --yes"],
  details:
    "Only for a control log over which coordinators halt; a sound log is refused. Continues from the newest snapshot that can\nbe verified and from the entries of the log behind it. First stop the things that locks protect: a lock holder may have\nlost its lock. Without --yes nothing is changed, and the exit code is 1. Coordinators continue by themselves.",
  exitCode: ({ recovered }) => (recovered ? 0 : REFUSED),
  render({ recovered, audited, problem, snapshotSeq, keptSeq, lost, discarded, epoch, firstSeq, term }) {
    const from = snapshotSeq === null ? "the log's beginning" : `the snapshot of ${snapshotSeq}`;
    const gone =
      lost === null
        ? `no entry is known to be lost; entries behind ${keptSeq} that no coordinator has seen are lost`
        : `${lost.to - lost.from + 1} entries, ${lost.from} to ${lost.to}, as far as is known`;
    return [
      `problem    ${problem}`,
      `kept       all decisions up to ${keptSeq}, from ${from}`,
      `lost       ${gone}`,
      `discarded  ${discarded} stored entries`,
      `begins     at ${firstSeq}, epoch ${epoch}, above term ${term}`,
      recovered
        ? `the control log was recovered; coordinators continue by themselves${audited ? "" : "\nthe audit log has no entry about it: it did not answer"}`
        : "nothing was changed; murmur office recover --yes does it",
    ].join("\n");
  },
});
