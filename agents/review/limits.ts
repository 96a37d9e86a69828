// The bounds of every review agent: how many tasks at once, how many findings in an answer.
import { availableParallelism } from "node:os";
import { MAX_FINDINGS_PER_TASK, type ReviewOutput, SEVERITIES } from "./contract.ts";
import { note } from "./files.ts";

/** Analyses keep a core busy: half the machine for each agent, as several run side by side. */
export const REVIEW_SLOTS = Math.max(1, Math.floor(availableParallelism() / 2));

/** The most severe findings that fit into one answer, with a note when some had to go. */
export function limitFindings(output: ReviewOutput): ReviewOutput {
  const over = output.findings.length - MAX_FINDINGS_PER_TASK;
  if (over <= 0) return output;
  const rank = (severity: (typeof SEVERITIES)[number]) => SEVERITIES.indexOf(severity);
  const kept = output.findings
    .toSorted((a, b) => rank(a.severity) - rank(b.severity))
    .slice(0, MAX_FINDINGS_PER_TASK - 1);
  const first = kept[0]?.file ?? "package.json";
  const message = `One analyser found ${output.findings.length} problems in one part; the ${over + 1} least severe were left out.`;
  return { ...output, findings: [...kept, note("too-many-findings", first, message)] };
}
