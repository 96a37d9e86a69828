// The limits of every review agent: its slots, and the size of an answer. Also makes a linter's answer for the ballot.
import { availableParallelism } from "node:os";
import {
  type LintOutput,
  MAX_FINDINGS_PER_TASK,
  MAX_PLACES_BYTES,
  type Place,
  type RawFinding,
  type ReviewOutput,
  SEVERITIES,
} from "./contract.ts";
import { note } from "./files.ts";
import { isShared } from "./kinds.ts";

/** The slots of each review agent: half the machine's cores, because analyses keep a core busy and several agents run. */
export const REVIEW_SLOTS = Math.max(1, Math.floor(availableParallelism() / 2));

/** Keeps the most severe findings that fit into one answer, and adds a note when some are left out. */
export function limitFindings(output: ReviewOutput): ReviewOutput {
  return fitAnswer(output).output;
}

/** Makes a linter's answer: its findings, and their places for the ballot. */
export function castVote(output: ReviewOutput): LintOutput {
  const fitted = fitAnswer(output);
  return { ...fitted.output, places: fitted.places };
}

function fitAnswer(output: ReviewOutput): { output: ReviewOutput; places: Place[] } {
  const rank = ({ severity }: RawFinding) => SEVERITIES.indexOf(severity);
  const kept: RawFinding[] = [];
  const left: RawFinding[] = [];
  const places = new Map<string, Place>();
  const most =
    output.findings.length > MAX_FINDINGS_PER_TASK ? MAX_FINDINGS_PER_TASK - 1 : MAX_FINDINGS_PER_TASK;
  let bytes = 2;
  for (const finding of output.findings.toSorted((a, b) => rank(a) - rank(b))) {
    const { file, line, kind } = finding;
    const place = { file, line, kind };
    const text = JSON.stringify(place);
    const cost = isShared(kind) && !places.has(text) ? Buffer.byteLength(text) + 1 : 0;
    if (kept.length >= most || bytes + cost > MAX_PLACES_BYTES) {
      left.push(finding);
      continue;
    }
    kept.push(finding);
    bytes += cost;
    if (cost > 0) places.set(text, place);
  }
  if (left.length === 0) return { output, places: [...places.values()] };
  const first = kept[0]?.file ?? "package.json";
  const message = `One analyser found ${output.findings.length} problems in one task; the ${left.length} least severe were left out.`;
  const unsure = [...new Set([...output.unsure, ...left.map(({ file }) => file)])];
  const findings = [...kept, note("too-many-findings", first, message)];
  return { output: { ...output, findings, unsure }, places: [...places.values()] };
}
