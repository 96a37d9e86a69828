// Makes one list of findings out of many answers: puts together what several analysers say of the same line, tells how far the
// linters' ballot agrees, gives each finding a lasting name, and ranks. Pure.
import { createHash } from "node:crypto";
import {
  AREAS,
  areaOf,
  isAside,
  isShared,
  isTest,
  LINTERS,
  type Linter,
  type RawFinding,
  type ReviewCapability,
  type Severity,
} from "../../agents/lib/review/index.ts";
import { type AgreedPlace, roundConfidence, worthOf } from "./ballot.ts";

/** What one analyser said in one task. */
export interface Answer {
  capability: ReviewCapability;
  files: readonly string[];
  findings: readonly RawFinding[];
  unsure: readonly string[];
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
  /** The linters that know the kind, looked at the file by the review's own rules, and did not report it; sorted. */
  silent: string[];
  /**
   * How likely it is right, 0 to 1, by the agreement of the linters (docs/review.md); null where one analyser alone can see such a
   * thing, so that nothing agrees or disagrees with it.
   */
  confidence: number | null;
}

/** Merges the answers of the tasks that completed, and what the linters' ballots agreed on; most important first. */
export function mergeFindings(answers: readonly Answer[], agreed: readonly AgreedPlace[] = []): Finding[] {
  const reports = withoutGuesses(
    answers.flatMap(({ capability, findings }) => findings.map((finding) => ({ capability, finding }))),
  );
  const agreedByPlace = new Map(agreed.map((place) => [placeKey(place), place]));
  const isUnsure = whoIsUnsure(answers);
  const problems = [...Map.groupBy(reports, ({ finding }) => placeKey(finding))].flatMap(([key, group]) =>
    toFinding(group, agreedByPlace.get(key), isUnsure),
  );
  return [...Map.groupBy(problems, ({ kind, file }) => JSON.stringify([kind, file])).values()]
    .flatMap(withFingerprints)
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
/** What a finding weighs that nothing can agree with: nothing is known of it, for or against. */
const UNKNOWN_CONFIDENCE = 0.5;

function importanceOf({ severity, confidence, file, kind }: Finding): number {
  const aside = kind !== "secret" && areaOf(kind) !== "tests" && (isTest(file) || isAside(file));
  return WEIGHTS[severity] * (confidence ?? UNKNOWN_CONFIDENCE) * (aside ? 0.5 : 1);
}

/** Whether as many linters that could see it are silent as report it: told in `--json` alone, and tripping nothing. */
export function isDoubtful({ agreedBy, silent }: Pick<Finding, "agreedBy" | "silent">): boolean {
  return silent.length > 0 && silent.length >= agreedBy.length;
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

/** One line is one problem of its kind: a line is what a person looks at. */
function placeKey({ file, line, kind }: { file: string; line: number; kind: string }): string {
  return JSON.stringify([file, line, kind]);
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

/** Nothing where the ballot, which holds so many findings only, has left the place out. */
function toFinding(
  group: readonly Report[],
  agreed: AgreedPlace | undefined,
  isUnsure: (linter: Linter, file: string) => boolean,
): Merged[] {
  const [speaker] = group.toSorted((a, b) => speakerRank(a) - speakerRank(b));
  if (speaker === undefined) throw new RangeError("a problem has at least one report");
  const { kind, rule, file, line, message, anchor } = speaker.finding;
  const isVotedOn = isShared(kind) && group.some(({ capability }) => isLinter(capability));
  if (isVotedOn && agreed === undefined) return [];
  const silent = (agreed?.answered ?? []).filter(
    (linter) => !agreed?.agreedBy.includes(linter) && !isUnsure(linter, file),
  );
  const said = group.filter(({ capability }) => capability === speaker.capability);
  const more = new Set(said.map((report) => report.finding.message)).size - 1;
  return [
    {
      fingerprint: "",
      kind,
      rule,
      severity: severityOf(speaker.finding),
      file,
      line,
      message: more > 0 ? `${message} (and ${more} more on this line)` : message,
      agreedBy: [...new Set(group.map(({ capability }) => capability))].sort(),
      silent: silent.sort(),
      confidence: isVotedOn && agreed !== undefined ? roundConfidence(confidenceIn(agreed, silent)) : null,
      anchor,
    },
  ];
}

/** The verdict's confidence; counted anew where a seat's silence says nothing. */
function confidenceIn({ agreedBy, answered, confidence }: AgreedPlace, silent: readonly Linter[]): number {
  const able = agreedBy.length + silent.length;
  return able === answered.length ? confidence : worthOf(agreedBy.length, able);
}

function isLinter(capability: ReviewCapability): capability is Linter {
  return (LINTERS as readonly string[]).includes(capability);
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

/** Whether the linter's silence about the file says nothing. */
function whoIsUnsure(answers: readonly Answer[]): (linter: Linter, file: string) => boolean {
  const unsure = new Set(
    answers.flatMap(({ capability, unsure: files }) => files.map((file) => `${capability} ${file}`)),
  );
  return (linter, file) => unsure.has(`${linter} ${file}`);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
