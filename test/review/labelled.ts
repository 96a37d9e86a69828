// The labelled findings: the findings of the linters' ballot in test/fixtures/review/labelled, each with its label, defect or
// intended. Reads the labels, splits them into a learning and a held-out half, and runs the review over the set.
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Calibration, confidenceOf } from "../../src/consensus/index.ts";
import {
  type CalibrationSample,
  fitCalibration,
  type ReliabilityBucket,
  reliabilityOf,
} from "../../src/consensus/internal.ts";
import { type Finding, type ReviewReport, runReview } from "../../workflows/review/index.ts";
import { LINTER_ANALYSES, localSwarm } from "./local-swarm.ts";

export const LABELLED = new URL("../fixtures/review/labelled", import.meta.url).pathname;
const LINTERS = ["review-oxlint", "review-biome", "review-eslint"] as const;

/** A label. The lines below it are wrong on purpose, or look wrong but are intended. */
export interface Label {
  isDefect: boolean;
  kind: string;
  why: string;
  file: string;
  /** The label's paragraph: from the label to the next empty line. */
  from: number;
  to: number;
}

/** A finding of the review with its label. */
export interface Judged {
  finding: Finding;
  label: Label;
}

/** Reads every label of the set. */
export async function readLabels(): Promise<Label[]> {
  const entries = await readdir(LABELLED, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const all = await Promise.all(
    files.sort().map(async (file) => labelsIn(file, await readFile(file, "utf8"))),
  );
  return all.flat();
}

function labelsIn(path: string, text: string): Label[] {
  const file = path.slice(LABELLED.length + 1);
  const lines = text.trimEnd().split("\n");
  const labels: Label[] = [];
  let open: Label[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") open = [];
    // Linters report a missing bracket one line after the last line of a file.
    for (const label of open) label.to = index + 1 === lines.length ? index + 2 : index + 1;
    const found = /^\/\/ (defect|intended) ([\w-]+): (.+)$/.exec(line);
    if (found === null) continue;
    const [, verdict, kind = "", why = ""] = found;
    const label = { isDefect: verdict === "defect", kind, why, file, from: index + 1, to: index + 1 };
    labels.push(label);
    open.push(label);
  }
  return labels;
}

/** Reviews the set with the three linters, by the review's own rules. */
export async function reviewLabelled(): Promise<ReviewReport> {
  // The set is copied first, because a review ignores fixtures.
  const directory = await mkdtemp(join(tmpdir(), "review-labelled-"));
  try {
    await cp(LABELLED, directory, { recursive: true });
    const options = { directory, only: LINTERS };
    return await runReview(localSwarm(LINTER_ANALYSES), options);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Splits the findings of the linters' ballot into findings with a label and findings without one. */
export function judge(
  report: ReviewReport,
  labels: readonly Label[],
): { judged: Judged[]; unlabelled: Finding[] } {
  const judged: Judged[] = [];
  const unlabelled: Finding[] = [];
  for (const finding of report.findings) {
    if (finding.confidence === null) continue; // a rule that one linter alone has
    const label = labels.find(
      ({ file, kind, from, to }) =>
        file === finding.file && kind === finding.kind && from <= finding.line && finding.line <= to,
    );
    if (label === undefined) unlabelled.push(finding);
    else judged.push({ finding, label });
  }
  return { judged, unlabelled };
}

/**
 * Returns the labels that are held out from learning: every second label in the order of verdict, kind and a hash of its words.
 * So the choice is not a person's, and both halves have the same mix of defects and look-alikes. That mix is fixed by design and
 * must not be learnt; the linters' agreement on the halves is left to chance.
 */
export function heldOutOf(labels: readonly Label[]): ReadonlySet<Label> {
  const order = ({ kind, isDefect, why, file }: Label) =>
    `${isDefect} ${kind} ${createHash("sha256").update(`${file} ${why}`).digest("hex")}`;
  const sorted = labels.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
  return new Set(sorted.filter((_, index) => index % 2 === 1));
}

/**
 * Learns the calibration from judged findings: for all three linters, and for any two and any one of them, because the silence of
 * a linter with the repository's own configuration does not count.
 */
export function learn(judged: readonly Judged[]): Calibration {
  return fitCalibration(judged.flatMap(({ finding, label }) => samplesOf(finding, label.isDefect)));
}

function samplesOf({ agreedBy }: Finding, isRight: boolean): CalibrationSample[] {
  const panels: readonly (readonly string[])[] = [
    LINTERS,
    ...LINTERS.map((left) => LINTERS.filter((linter) => linter !== left)),
    ...LINTERS.map((only) => [only]),
  ];
  return panels.flatMap((panel) => {
    const votes = panel.filter((linter) => agreedBy.includes(linter)).length;
    return votes === 0 ? [] : [{ votes, of: panel.length, isRight }];
  });
}

/** Compares the confidence with the precision of judged findings, in buckets of 0.1. */
export function reliabilityIn(judged: readonly Judged[], calibration: Calibration): ReliabilityBucket[] {
  return reliabilityOf(
    judged.map(({ finding, label }) => ({
      confidence: confidenceOf(calibration, finding.agreedBy.length, LINTERS.length),
      isRight: label.isDefect,
    })),
  );
}

/** Reviews the set, learns from one half, and checks the calibration with the other half. */
export async function calibrate() {
  const labels = await readLabels();
  const report = await reviewLabelled();
  const { judged, unlabelled } = judge(report, labels);
  const kept = heldOutOf(labels);
  const learning = judged.filter(({ label }) => !kept.has(label));
  const heldOut = judged.filter(({ label }) => kept.has(label));
  const calibration = learn(learning);
  const levels = [3, 2, 1].map((agreeing) => {
    const atLevel = judged.filter(({ finding }) => finding.agreedBy.length === agreeing);
    const right = atLevel.filter(({ label }) => label.isDefect).length;
    return { agreeing, able: LINTERS.length, right, total: atLevel.length };
  });
  const reliability = reliabilityIn(heldOut, calibration);
  return { labels, report, unlabelled, learning, heldOut, calibration, reliability, levels };
}
