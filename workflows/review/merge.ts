// Merges many answers into one list of findings: joins the reports of several analysers about one line, adds the agreement of
// the linters' ballot, gives each finding a lasting fingerprint, and ranks the findings. Pure.
import { hash } from "node:crypto";
import {
  AREAS,
  areaOf,
  countsOf,
  type FilePurpose,
  type FindingSort,
  isShared,
  LINTERS,
  type Linter,
  printedCountsOf,
  purposeOf,
  type RawFinding,
  type ReviewCapability,
  type Severity,
  whyHidden,
} from "../../agents/lib/review/index.ts";
import { type AgreedPlace, calibratedConfidence, roundConfidence } from "./ballot.ts";
import type { Answer, Finding } from "./finding.ts";

/** Merges the answers of the completed tasks with the agreed places of the linters' ballots; most important first. */
export function mergeFindings(answers: readonly Answer[], agreed: readonly AgreedPlace[] = []): Finding[] {
  const reports = answers.flatMap(({ capability, findings }) =>
    findings.map((finding) => ({ capability, finding })),
  );
  const agreedByPlace = new Map(agreed.map((place) => [placeKey(place), place]));
  const uncounted = new Set(answers.flatMap(({ uncounted: files }) => files ?? []));
  const lintersOf = readLinters(answers);
  const isUnsure = readUnsure(answers);
  const problems = [...Map.groupBy(reports, ({ finding }) => placeKey(finding))].map(([key, group]) => {
    const file = group[0]?.finding.file ?? "";
    const voted = agreedByPlace.get(key);
    // In a file without all its places the ballot would take a missing place for silence; and it has no seat for the referee.
    const isWhole =
      !uncounted.has(file) && lintersOf(file).every((linter) => voted?.answered.includes(linter));
    return toFinding(group, isWhole ? voted : countHere(group, lintersOf(file)), isUnsure);
  });
  const findings = [...Map.groupBy(problems, ({ kind, file }) => `${file}\0${kind}`).values()]
    .flatMap((ofKind) => withFingerprints(joinNeighbours(ofKind)))
    .map(judgeFinding);
  return rankFindings(findings);
}

/** Orders findings by severity times usefulness, halved for code that supports the project; then by chapter, file and line. */
export function rankFindings(findings: readonly Finding[]): Finding[] {
  return findings
    .map((finding) => ({ finding, importance: importanceOf(finding) }))
    .sort(byImportance)
    .map(({ finding }) => finding);
}

function byImportance(left: Ranked, right: Ranked): number {
  const { finding: a } = left;
  const { finding: b } = right;
  return (
    right.importance - left.importance ||
    AREAS.indexOf(areaOf(a.kind)) - AREAS.indexOf(areaOf(b.kind)) ||
    compare(a.kind, b.kind) ||
    compare(a.file, b.file) ||
    a.line - b.line
  );
}

interface Ranked {
  finding: Finding;
  importance: number;
}

/** The weight of each severity. A step is worth three of the next: three useful medium findings weigh as much as one high. */
const WEIGHTS: Record<Severity, number> = { critical: 27, high: 9, medium: 3, low: 1, info: 0 };
/** The usefulness, for the order only, of a finding without labels that no other analyser can confirm or deny. */
const UNKNOWN_USEFULNESS = 0.5;

function importanceOf(finding: Finding): number {
  const { severity, file, kind } = finding;
  const aside = kind !== "secret" && areaOf(kind) !== "tests" && purposeOf(file) !== "production";
  return WEIGHTS[severity] * usefulnessOf(finding) * (aside ? 0.5 : 1);
}

/** Returns the expected usefulness: by the labels of its kind, smoothed by Laplace's rule; else by the linters' agreement. */
function usefulnessOf(finding: Finding): number {
  const counts = countsOf(sortOf(finding));
  if (counts !== null) return (counts.useful + 1) / (counts.labelled + 2);
  const linters = finding.agreedBy.filter(isLinterName).length;
  if (!isShared(finding.kind) || linters === 0) return UNKNOWN_USEFULNESS;
  return calibratedConfidence(linters, linters + finding.silent.length);
}

/** Returns the sort of a finding: labels of one sort say how useful its findings are. */
export function sortOf({ kind, file, silent }: Pick<Finding, "kind" | "file" | "silent">): FindingSort {
  return { kind, purpose: purposeOf(file), agreement: silent.length === 0 ? "all" : "some" };
}

/** Adds the measured usefulness, and the decision to show the finding or not. */
export function judgeFinding(finding: Finding): Finding {
  const sort = sortOf(finding);
  const measured = printedCountsOf(sort);
  const confidence = measured === null ? null : roundConfidence(measured.useful / measured.labelled);
  const reason = finding.severity === "info" ? null : isDoubtful(finding) ? "outvoted" : whyHidden(sort);
  return { ...finding, confidence, measured, shown: reason === null, whyHidden: reason };
}

/** True when at least as many linters are silent as report the finding. */
export function isDoubtful({ agreedBy, silent }: Pick<Finding, "agreedBy" | "silent">): boolean {
  return silent.length > 0 && silent.length >= agreedBy.length;
}

/** The purposes of code that no attacker reaches. A build script is not one of them: it runs on code of others, with the rights to publish. */
const UNREACHED: ReadonlySet<FilePurpose> = new Set(["test", "benchmark", "example"]);

/** Returns the severity. Risky code that no attacker reaches is low; a secret is critical in any file. */
function severityOf({ kind, file, severity }: RawFinding): Severity {
  const isReached = areaOf(kind) !== "security" || kind === "secret" || !UNREACHED.has(purposeOf(file));
  return isReached ? severity : "low";
}

interface Report {
  capability: ReviewCapability;
  finding: RawFinding;
}

/**
 * Returns the key of a place. All reports of one kind on one line are one problem, because a person looks at the line. A path has no
 * NUL, so the parts cannot run into each other.
 */
function placeKey({ file, line, kind }: { file: string; line: number; kind: string }): string {
  return `${line} ${file}\0${kind}`;
}

/** The analysers whose message is shown first when several report the same problem: the best explanations first. */
const SPEAKERS: readonly ReviewCapability[] = [
  "review-security",
  "review-oxlint",
  "review-eslint",
  "review-biome",
];

/**
 * Counts the agreement about one place as the ballot does, for a place that the ballot has no room for. Undefined when the linters do
 * not vote on it.
 */
function countHere(group: readonly Report[], answered: readonly Linter[]): AgreedPlace | undefined {
  const [first] = group;
  const agreedBy = answered.filter((linter) => group.some(({ capability }) => capability === linter));
  if (first === undefined || agreedBy.length === 0 || !isShared(first.finding.kind)) return undefined;
  const { file, line, kind } = first.finding;
  return { file, line, kind, agreedBy, answered };
}

/** Merges the reports of one place. */
function toFinding(
  group: readonly Report[],
  agreed: AgreedPlace | undefined,
  isUnsure: (linter: Linter, file: string) => boolean,
): Finding {
  const [speaker] = group.length === 1 ? group : group.toSorted((a, b) => speakerRank(a) - speakerRank(b));
  if (speaker === undefined) throw new RangeError("a problem has at least one report");
  const { kind, rule, file, line, message, anchor } = speaker.finding;
  const silent = (agreed?.answered ?? []).filter(
    (linter) => !agreed?.agreedBy.includes(linter) && !isUnsure(linter, file),
  );
  const ofSpeaker = group.filter(({ capability }) => capability === speaker.capability);
  const targets = [...new Set(ofSpeaker.flatMap(({ finding: { target } }) => target ?? []))];
  const more = new Set(ofSpeaker.map((report) => report.finding.message)).size - 1;
  return {
    fingerprint: "",
    kind,
    rule,
    severity: severityOf(speaker.finding),
    file,
    line,
    message: more > 0 ? `${message} (and ${more} more on this line)` : message,
    agreedBy: [...new Set(group.map(({ capability }) => capability))].sort(),
    silent: silent.sort(),
    confidence: null,
    measured: null,
    shown: true,
    whyHidden: null,
    anchor,
    ...(targets.length === 0 ? {} : { targets }),
  };
}

/** The largest distance of one fault in the reports of two linters: one names the statement, the other its second line. */
const NEIGHBOUR_LINES = 1;

/**
 * Joins findings of one kind and file on neighbouring lines, when different linters report them: that is one fault, which the
 * linters place differently. Two faults of one linter stay two. One pass over the findings in the order of their lines.
 */
function joinNeighbours(problems: readonly Finding[]): Finding[] {
  const joined: Finding[] = [];
  for (const problem of problems.toSorted((a, b) => a.line - b.line)) {
    const last = joined.at(-1);
    if (last === undefined || !areOneFault(last, problem)) joined.push(problem);
    else joined[joined.length - 1] = join(last, problem);
  }
  return joined;
}

function areOneFault(a: Finding, b: Finding): boolean {
  return (
    b.line - a.line <= NEIGHBOUR_LINES &&
    isShared(a.kind) &&
    // Each is silent where the other reports, and none reports both.
    b.agreedBy.every((each) => a.silent.includes(each)) &&
    a.agreedBy.every((each) => b.silent.includes(each))
  );
}

function join(a: Finding, b: Finding): Finding {
  const [best] = [a, b].toSorted(
    (x, y) => y.agreedBy.length - x.agreedBy.length || speakersOf(x) - speakersOf(y),
  );
  return {
    ...(best as Finding),
    agreedBy: [...a.agreedBy, ...b.agreedBy].sort(),
    silent: a.silent.filter((each) => b.silent.includes(each)),
  };
}

function speakersOf({ agreedBy }: Finding): number {
  return Math.min(...agreedBy.map((capability) => rankOf(capability)));
}

function isLinter(capability: ReviewCapability): capability is Linter {
  return isLinterName(capability);
}

function isLinterName(capability: string): boolean {
  return (LINTERS as readonly string[]).includes(capability);
}

function speakerRank({ capability }: Report): number {
  return rankOf(capability);
}

function rankOf(capability: string): number {
  const rank = (SPEAKERS as readonly string[]).indexOf(capability);
  return rank === -1 ? SPEAKERS.length : rank;
}

/** Adds a fingerprint of kind, file and anchor to each problem. Equal problems are numbered from the top of the file. */
function withFingerprints(problems: readonly Finding[]): Finding[] {
  const seen = new Map<string, number>();
  return problems
    .toSorted((a, b) => a.line - b.line)
    .map((finding) => {
      const { anchor } = finding;
      const number = seen.get(anchor) ?? 0;
      seen.set(anchor, number + 1);
      const name = JSON.stringify([finding.kind, finding.file, anchor, number]);
      return { ...finding, fingerprint: hash("sha256", name, "hex").slice(0, 16) };
    });
}

/** Returns a function that gives the linters that answered about a file. */
function readLinters(answers: readonly Answer[]): (file: string) => readonly Linter[] {
  const byFile = new Map<string, Linter[]>();
  for (const { capability, files } of answers) {
    if (!isLinter(capability)) continue;
    for (const file of files) byFile.set(file, [...(byFile.get(file) ?? []), capability]);
  }
  return (file) => byFile.get(file) ?? [];
}

/**
 * Returns a function that is true when a linter's silence about a file proves nothing: its rule may be off there, or it has not
 * judged the file.
 */
function readUnsure(answers: readonly Answer[]): (linter: Linter, file: string) => boolean {
  const unsure = new Set(
    answers.flatMap(({ capability, unsure: files, unjudged }) =>
      [...files, ...unjudged.map(({ file }) => file)].map((file) => `${capability} ${file}`),
    ),
  );
  return (linter, file) => unsure.has(`${linter} ${file}`);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
