// Makes one list of findings out of many answers: matches what several analysers say of the same place, tells how far they
// agree, gives each finding a lasting name, and ranks. Pure.
import { createHash } from "node:crypto";
import {
  AREAS,
  areaOf,
  capableOf,
  isAside,
  isTest,
  type RawFinding,
  type ReviewCapability,
  type Severity,
} from "../../agents/review/index.ts";

/** What one analyser said in one task. */
export interface Answer {
  capability: ReviewCapability;
  files: readonly string[];
  findings: readonly RawFinding[];
  ownRules: readonly string[];
}

/** A finding of the review. */
export interface Finding {
  /** 16 hex digits; the same for the same problem in the next review, also when its line moved. */
  fingerprint: string;
  kind: string;
  /** The rule of the analyser whose message is shown. */
  rule: string;
  severity: Severity;
  file: string;
  line: number;
  message: string;
  /** The capabilities that reported it, sorted. */
  agreedBy: string[];
  /** 0–1, see {@link confidenceOf}. */
  confidence: number;
}

/** Linters place the same problem a line or two apart: one marks the name, the other the statement. */
export const LINE_TOLERANCE = 2;

/**
 * How far the analysers agree: Laplace's rule of succession, (agreeing + 1) / (able + 2), the estimate that one more
 * independent analyser would report it too. `able` counts those that know the kind and did look at the file by rules in which
 * it is on. One of one gives 0.67, three of three 0.8, one of three 0.4.
 */
export function confidenceOf(agreeing: number, able: number): number {
  return Math.round((100 * (agreeing + 1)) / (Math.max(agreeing, able) + 2)) / 100;
}

/** Merges the answers of the tasks that completed; most important first. */
export function mergeFindings(answers: readonly Answer[]): Finding[] {
  const able = whoLooked(answers);
  const reports = withoutGuesses(
    answers.flatMap(({ capability, findings }) => findings.map((finding) => ({ capability, finding }))),
  );
  const byPlace = Map.groupBy(reports, ({ finding }) => JSON.stringify([finding.kind, finding.file]));
  return [...byPlace.values()]
    .flatMap((sameKind) => withFingerprints(cluster(sameKind).map((group) => toFinding(group, able))))
    .sort(byImportance);
}

/** Orders findings: severity times confidence, halved for tests and examples; then chapter, file and line. */
export function byImportance(a: Finding, b: Finding): number {
  return (
    importanceOf(b) - importanceOf(a) ||
    AREAS.indexOf(areaOf(a.kind)) - AREAS.indexOf(areaOf(b.kind)) ||
    compare(a.kind, b.kind) ||
    compare(a.file, b.file) ||
    a.line - b.line
  );
}

/** Each step is worth three of the next: three agreed medium findings weigh as much as one high. */
const WEIGHTS: Record<Severity, number> = { critical: 27, high: 9, medium: 3, low: 1, info: 0 };

function importanceOf({ severity, confidence, file, kind }: Finding): number {
  const aside = kind !== "secret" && areaOf(kind) !== "tests" && (isTest(file) || isAside(file));
  return WEIGHTS[severity] * confidence * (aside ? 0.5 : 1);
}

/** In a file that does not parse, whatever else linters say about its code is a guess. */
function withoutGuesses(reports: readonly Report[]): Report[] {
  const broken = new Set(
    reports.filter(({ finding }) => finding.kind === "syntax-error").map(({ finding }) => finding.file),
  );
  return reports.filter(
    ({ finding: { file, kind } }) =>
      !broken.has(file) || kind === "syntax-error" || areaOf(kind) !== "correctness",
  );
}

/** Attacks need an attacker: in tests, risky code is a habit to know about. A secret is one wherever it lies. */
function severityOf({ kind, file, severity }: RawFinding): Severity {
  return areaOf(kind) === "security" && kind !== "secret" && isTest(file) ? "low" : severity;
}

interface Report {
  capability: ReviewCapability;
  finding: RawFinding;
}

/**
 * Splits reports of one kind in one file into problems. Reports on the same line are one problem, whoever made them (a
 * line is what a person looks at). Then neighbouring problems within {@link LINE_TOLERANCE} that no analyser reported
 * twice are one, nearest first.
 */
function cluster(reports: readonly Report[]): Report[][] {
  const byLine = Map.groupBy(reports, ({ finding }) => finding.line);
  const problems = [...byLine].sort(([a], [b]) => a - b).map(([, group]) => group);
  for (let distance = 1; distance <= LINE_TOLERANCE; distance++) {
    for (let at = 0; at + 1 < problems.length; ) {
      const [upper, lower] = [problems[at] ?? [], problems[at + 1] ?? []];
      if (gap(upper, lower) <= distance && areDisjoint(upper, lower))
        problems.splice(at, 2, [...upper, ...lower]);
      else at += 1;
    }
  }
  return problems;
}

function gap(upper: readonly Report[], lower: readonly Report[]): number {
  return Math.min(...lower.map(lineOf)) - Math.max(...upper.map(lineOf));
}

function lineOf({ finding }: Report): number {
  return finding.line;
}

function areDisjoint(a: readonly Report[], b: readonly Report[]): boolean {
  return !a.some(({ capability }) => b.some((other) => other.capability === capability));
}

/** Whose words are shown where several report the same: the one that explains most comes first. */
const SPEAKERS: readonly ReviewCapability[] = [
  "review-security",
  "review-oxlint",
  "review-eslint",
  "review-biome",
];

interface Merged extends Finding {
  anchor: string;
}

function toFinding(
  group: readonly Report[],
  able: (kind: string, file: string) => ReadonlySet<string>,
): Merged {
  const ordered = group.toSorted(
    (a, b) => speakerRank(a) - speakerRank(b) || a.finding.line - b.finding.line,
  );
  const speaker = ordered[0];
  if (speaker === undefined) throw new RangeError("a problem has at least one report");
  const { kind, rule, file, message } = speaker.finding;
  const { line, anchor } = (mostSaid(ordered) ?? speaker).finding;
  const agreedBy = [...new Set(group.map(({ capability }) => capability))].sort();
  const lookers = new Set([...able(kind, file), ...agreedBy]);
  const said = group.filter(({ capability }) => capability === speaker.capability);
  const more = new Set(said.map((report) => report.finding.message)).size - 1;
  return {
    fingerprint: "",
    kind,
    rule,
    severity: severityOf(speaker.finding),
    file,
    line,
    message: more > 0 ? `${message} (and ${more} more on this line)` : message,
    agreedBy,
    confidence: confidenceOf(agreedBy.length, lookers.size),
    anchor,
  };
}

/** The report whose line most analysers name; among equals the speaker's. */
function mostSaid(ordered: readonly Report[]): Report | undefined {
  const votes = (line: number) => ordered.filter((report) => lineOf(report) === line).length;
  return ordered.toSorted((a, b) => votes(lineOf(b)) - votes(lineOf(a)))[0];
}

function speakerRank({ capability }: Report): number {
  const rank = SPEAKERS.indexOf(capability);
  return rank === -1 ? SPEAKERS.length : rank;
}

/** Names each problem by kind, file and anchor; equal ones are numbered from the top of the file. */
function withFingerprints(problems: readonly Merged[]): Finding[] {
  const seen = new Map<string, number>();
  return problems
    .toSorted((a, b) => a.line - b.line)
    .map(({ anchor, ...finding }) => {
      const number = seen.get(anchor) ?? 0;
      seen.set(anchor, number + 1);
      const name = JSON.stringify([finding.kind, finding.file, anchor, number]);
      return { ...finding, fingerprint: createHash("sha256").update(name).digest("hex").slice(0, 16) };
    });
}

/** For a kind and file: the capabilities that know the kind and looked at the file by the review's own rules. */
function whoLooked(answers: readonly Answer[]): (kind: string, file: string) => ReadonlySet<string> {
  const looked = new Map<string, Set<string>>();
  for (const { capability, files, ownRules } of answers) {
    const own = new Set(ownRules);
    for (const file of files) {
      if (own.has(file)) continue;
      const lookers = looked.get(file) ?? new Set();
      looked.set(file, lookers.add(capability));
    }
  }
  return (kind, file) =>
    new Set(capableOf(kind).filter((capability) => looked.get(file)?.has(capability) === true));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
