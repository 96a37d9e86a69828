// Reviews checkouts of public repositories, and compares the findings with labels that were given by hand or by a model:
// node tools/rigs/review-trial.ts [--help]. Owns files and reviews; leaves labels and counts to trial/. The checkouts are yours:
// nothing of them is part of this project.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { promisify } from "node:util";
import {
  architecture,
  docs,
  performance as performanceAnalysis,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
  security,
  tests,
} from "../../agents/lib/review/index.ts";
import { learnCalibration } from "../../test/review/calibrate.ts";
import { LINTER_ANALYSES, localSwarm } from "../../test/review/local-swarm.ts";
import { judgeFinding, type ReviewReport, runReview } from "../../workflows/review/index.ts";
import { readFlags, tellProgress } from "./office/flags.ts";
import { createJudge, drawSample, type Label, parseLabels, renderUnlabelled } from "./trial/labels.ts";
import { measureRows, withCalibration, withRows } from "./trial/table.ts";
import { agreementOf, type Judged, purposeOfFinding, renderTallies, tally } from "./trial/tally.ts";

const flags = readFlags(
  `node tools/rigs/review-trial.ts: reviews checkouts, and compares the findings with labels.
The analyses and linters run in this process, without a swarm, by the review's own rules (--murmur: through the command).
--write-table needs no --shown: findings that are hidden today count too.
A label file has one JSON object a line: {"file", "line", "kind", "verdict": "useful" | "true-but-noise" | "false" | null}.`,
  {
    checkout: { type: "paths", value: "DIR", about: "a checkout; may be repeated" },
    labels: { type: "paths", value: "FILE", about: "the labels of the checkout in the same position" },
    folder: {
      type: "paths",
      value: "DIR",
      about: "a folder of checkouts, with <checkout>.labels.jsonl beside them",
    },
    reports: {
      type: "paths",
      value: "DIR",
      about: "keeps each report there, and takes kept reports instead of a review",
    },
    only: {
      type: "names",
      names: REVIEW_CAPABILITIES,
      about: "just these analysers; the import graph alone takes a second for a repository",
    },
    murmur: { type: "switch", about: "reviews with `./murmur review --json`" },
    shown: { type: "switch", about: "counts and samples only the findings that the text report can show" },
    sample: {
      type: "paths",
      value: "FILE",
      about: "writes unlabelled findings there, to be labelled by hand",
    },
    size: { type: "count", default: 50, about: "number of findings of a sample, for each checkout" },
    "per-kind": { type: "count", default: 5, about: "most findings of one kind and agreement in a sample" },
    "write-table": {
      type: "switch",
      about: "writes the tables of the review from the labels of all checkouts",
    },
    seed: { type: "count", default: 1, about: "seed of the sample" },
  },
);

/** The longest review through the command; the review itself ends earlier. */
const MURMUR_LIMIT_MS = 15 * 60_000;
/** The largest report in JSON that is read from the command. */
const MURMUR_OUTPUT_BYTES = 256 * 1024 * 1024;

interface Pair {
  directory: string;
  labels: string | undefined;
}

const pairs = listPairs();
const present = pairs.filter(({ directory }) => existsSync(directory));
for (const { directory } of pairs) {
  if (!existsSync(directory)) tellProgress(`${directory} is absent; fetch your own checkout to measure it`);
}
if (present.length === 0) {
  process.stderr.write(
    "expected a checkout to review, got none: name one with --checkout DIR, or a folder of them with --folder DIR\n",
  );
  process.exit(2);
}
const judged: Judged[] = [];
const sampled: string[] = [];
for (const pair of present) {
  const report = await reportOf(pair.directory);
  tellProgress(`${pair.directory}: ${report.status}, ${report.findings.length} findings`);
  const own = judge(pair, report);
  judged.push(...own);
  if (flags.paths("sample").length > 0) sampled.push(...sampleOf(pair.directory, own));
}
for (const file of flags.paths("sample")) writeFileSync(file, sampled.map((line) => `${line}\n`).join(""));
if (flags.has("write-table")) {
  write("agents/lib/review/measured.ts", (text) => withRows(text, measureRows(judged)));
  write("workflows/review/calibration.ts", (text) => withCalibration(text, learnCalibration(judged)));
}
const tallies = {
  kind: tally(judged, (each) => [
    each.finding.kind,
    purposeOfFinding(each.finding),
    agreementOf(each.finding),
  ]),
  agreement: tally(judged, ({ finding }) => [agreementOf(finding)]),
  purpose: tally(judged, ({ finding }) => [purposeOfFinding(finding)]),
  repository: tally(judged, ({ repository }) => [repository]),
  all: tally(judged, () => ["all"]),
};
if (flags.json) process.stdout.write(`${JSON.stringify({ through: through(), ...tallies }, null, 2)}\n`);
else {
  const tables = Object.entries(tallies).map(([heading, rows]) => renderTallies(heading, rows));
  process.stdout.write(`${[`reviewed ${through()}`, ...tables].join("\n\n")}\n`);
}

function write(path: string, change: (text: string) => string): void {
  const file = join(import.meta.dirname, "../..", path);
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

function through(): string {
  return flags.has("murmur") ? "with ./murmur review --json" : "in this process, without a swarm";
}

function listPairs(): Pair[] {
  const labels = flags.paths("labels");
  const named = flags.paths("checkout").map((directory, index) => ({ directory, labels: labels[index] }));
  const inFolders = flags.paths("folder").flatMap((folder) =>
    (existsSync(folder) ? readdirSync(folder).sort() : [])
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isDirectory())
      .map((directory) => ({ directory, labels: `${directory}.labels.jsonl` })),
  );
  return [...named, ...inFolders].map(({ directory, labels: file }) => ({
    directory: resolve(directory),
    labels: file,
  }));
}

function readLabelsOf({ labels }: Pair): Label[] {
  return labels === undefined || !existsSync(labels) ? [] : parseLabels(readFileSync(labels, "utf8"), labels);
}

function judge(pair: Pair, report: ReviewReport): Judged[] {
  const verdictOf = createJudge(readLabelsOf(pair));
  return (
    report.findings
      .filter(({ severity }) => severity !== "info")
      // A kept report may be older than the tables.
      .map(judgeFinding)
      .map((finding) => ({
        repository: basename(pair.directory),
        finding,
        verdict: verdictOf(finding),
        isShown: finding.shown,
      }))
      .filter(({ isShown }) => isShown || !flags.has("shown"))
  );
}

function sampleOf(directory: string, own: readonly Judged[]): string[] {
  const open = own.filter(({ verdict }) => verdict === undefined).map(({ finding }) => finding);
  const options = { size: flags.count("size"), perKind: flags.count("per-kind"), seed: flags.count("seed") };
  return drawSample(open, options, (finding) => JSON.stringify([finding.kind, agreementOf(finding)])).map(
    (finding) => renderUnlabelled(basename(directory), finding, sourceOf(directory, finding.file)),
  );
}

function sourceOf(directory: string, file: string): string {
  const path = join(directory, file);
  return existsSync(path) && statSync(path).isFile() ? readFileSync(path, "utf8") : "";
}

async function reportOf(directory: string): Promise<ReviewReport> {
  const [folder] = flags.paths("reports");
  const kept = folder === undefined ? undefined : join(folder, `${basename(directory)}.json`);
  if (kept !== undefined && existsSync(kept)) return JSON.parse(readFileSync(kept, "utf8")) as ReviewReport;
  tellProgress(`reviewing ${directory}`);
  const report = await (flags.has("murmur") ? reviewWithMurmur(directory) : reviewHere(directory));
  if (kept !== undefined && folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(kept, JSON.stringify(report));
  }
  return report;
}

/** Reviews with every analysis in this process. */
async function reviewHere(directory: string): Promise<ReviewReport> {
  const swarm = localSwarm({
    ...LINTER_ANALYSES,
    "review-security": security,
    "review-architecture": architecture,
    "review-performance": performanceAnalysis,
    "review-tests": tests,
    "review-docs": docs,
  });
  return await runReview(swarm, { directory, only: chosenAnalysers() });
}

/** The analysers that the user names; undefined for all, because ESLint is a referee only then. */
function chosenAnalysers(): readonly ReviewCapability[] | undefined {
  const chosen = flags.names("only") as readonly ReviewCapability[];
  return chosen.length === REVIEW_CAPABILITIES.length ? undefined : chosen;
}

async function reviewWithMurmur(directory: string): Promise<ReviewReport> {
  const launcher = join(import.meta.dirname, "../../murmur");
  const { stdout } = await promisify(execFile)(
    launcher,
    ["review", directory, "--json", ...(chosenAnalysers() ?? []).flatMap((name) => ["--only", name])],
    // From another directory, so that a swarm of this checkout is not used.
    { cwd: directory, timeout: MURMUR_LIMIT_MS, maxBuffer: MURMUR_OUTPUT_BYTES },
  );
  return JSON.parse(stdout) as ReviewReport;
}
