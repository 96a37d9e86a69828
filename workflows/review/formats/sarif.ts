// SARIF 2.1.0, as GitHub code scanning reads it. Pure. Section numbers (§) are those of the OASIS standard.
import { pathToFileURL } from "node:url";
import { areaOf, describeKind, KINDS, pageOf, type Severity } from "../../../agents/lib/review/index.ts";
import type { Finding } from "../finding.ts";
import { partsOf, type ReviewReport } from "../report/index.ts";
import type { Suppressed } from "../suppress/index.ts";
import {
  type Checkout,
  describeAgreement,
  describeFailures,
  describeOmitted,
  describePage,
  describeScope,
  encodePath,
  fileInCheckout,
  helpUrl,
  type Surroundings,
  shortName,
} from "./format.ts";

/** The schema that GitHub checks an upload against. */
const SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json";
/** The root of the checkout. The same name is in the output of CodeQL and ESLint. */
const ROOT = "%SRCROOT%";
/** The most results of one run that GitHub takes (docs.github.com, "SARIF support for code scanning", limits). */
export const MAX_SARIF_RESULTS = 25_000;

/** The most files that were not judged and have a notification each; readers of a log do not go through more. */
const MAX_UNJUDGED = 500;

const LEVELS: Record<Severity, "error" | "warning" | "note"> = {
  critical: "error",
  high: "error",
  medium: "warning",
  low: "note",
  info: "note",
};
/** The middle of each band of CVSS scores. GitHub calls a security alert critical above 9.0, high above 7.0, medium above 4.0. */
const SECURITY_SEVERITIES: Record<Severity, string> = {
  critical: "9.5",
  high: "8.0",
  medium: "5.5",
  low: "2.0",
  info: "0.0",
};

/** Renders a report as one SARIF log with one run, and at most `maxResults` results. */
export function toSarif(
  report: ReviewReport,
  around: Surroundings,
  maxResults: number = MAX_SARIF_RESULTS,
): string {
  const { shown, known, silenced } = partsOf(report);
  const all: Result[] = [...shown, ...known, ...silenced];
  const listed = all.slice(0, maxResults);
  const byKind = Map.groupBy(listed, ({ kind }) => kind);
  const rules = [...byKind].map(([kind, [first]]) => toRule(kind, first as Finding, around));
  const indexes = new Map([...byKind.keys()].map((kind, index) => [kind, index]));
  const { checkout } = around;
  return JSON.stringify(
    {
      $schema: SCHEMA,
      version: "2.1.0",
      runs: [
        {
          tool: {
            driver: {
              name: "Murmur",
              semanticVersion: around.version,
              ...(around.pagesUrl === null ? {} : { informationUri: `${around.pagesUrl}docs/review.md` }),
              rules,
            },
          },
          // GitHub keeps the alerts of several reviewed folders of one repository apart by this id.
          automationDetails: { id: `murmur-review/${encodePath(checkout?.prefix ?? "")}` },
          originalUriBaseIds: { [ROOT]: { uri: rootUri(report.directory, checkout) } },
          columnKind: "utf16CodeUnits",
          invocations: [invocation(report, around, all.length - listed.length)],
          ...(checkout === null ? {} : provenance(checkout)),
          results: listed.map((finding) => toResult(finding, indexes.get(finding.kind) ?? -1, around)),
        },
      ],
    },
    null,
    2,
  );
}

/** A finding of the log: shown, or silenced by a comment. */
type Result = Finding | Suppressed<Finding>;

/** A rule is a kind (§3.49). */
function toRule(kind: string, finding: Finding, around: Surroundings): object {
  // A kind that only one linter has is not in the table; then the finding tells its severity.
  const severity = KINDS[kind]?.severity ?? finding.severity;
  const area = areaOf(kind);
  const { title, text, markdown } = describeKind(kind);
  const url = helpUrl(finding, around);
  // Without a web address, the help names the page's place in the package.
  const page = url === null && pageOf(kind) !== null ? `Its page is ${describePage(kind, null)}.` : null;
  return {
    id: kind,
    shortDescription: { text: title },
    help:
      page === null ? { text, markdown } : { text: `${text} ${page}`, markdown: `${markdown}\n\n${page}` },
    ...(url === null ? {} : { helpUri: url }),
    defaultConfiguration: { level: LEVELS[severity] },
    properties: {
      tags: [area.replaceAll(" ", "-")],
      ...(area === "security"
        ? { "security-severity": SECURITY_SEVERITIES[severity] }
        : { "problem.severity": PROBLEM_SEVERITIES[LEVELS[severity]] }),
    },
  };
}

/** GitHub's words for the severity of an alert that is not about security. */
const PROBLEM_SEVERITIES = { error: "error", warning: "warning", note: "recommendation" } as const;

/** The states of a result (§3.27.24). `absent` is left out: GitHub would open an alert for a finding that is gone. */
const STATES = { known: "unchanged", new: "new" } as const;

function toResult(finding: Result, ruleIndex: number, around: Surroundings): object {
  const {
    kind,
    rule,
    severity,
    message,
    line,
    fingerprint,
    agreedBy,
    silent,
    confidence,
    measured,
    baseline,
  } = finding;
  return {
    ruleId: kind,
    ruleIndex,
    level: LEVELS[severity],
    message: { text: `${message} (${describeAgreement(finding)})` },
    locations: [{ physicalLocation: { ...locationOf(finding, around), region: { startLine: line } } }],
    // GitHub's upload adds a fingerprint of its own, from the lines around.
    partialFingerprints: { "murmurFinding/v1": fingerprint },
    ...(baseline === undefined ? {} : { baselineState: STATES[baseline] }),
    // Readers that know this property (§3.35) show no silenced finding. GitHub does not know it: docs/review.md.
    ...("reason" in finding
      ? { suppressions: [{ kind: "inSource", status: "accepted", justification: finding.reason }] }
      : {}),
    properties: { severity, rule, agreedBy, silent, confidence, measured },
  };
}

function locationOf(finding: Pick<Finding, "file">, around: Surroundings): object {
  return { artifactLocation: { uri: encodePath(fileInCheckout(finding, around)), uriBaseId: ROOT } };
}

/** Tells the missing parts: failed analysers, files that were not judged, the review's notes, and omitted results (§3.20). */
function invocation(report: ReviewReport, around: Surroundings, omitted: number): object {
  const { notes } = partsOf(report);
  const failureLevel = report.status === "failed" ? "error" : "warning";
  const told = [
    ...describeFailures(report.failedTasks).map((text) => notification("not-judged", failureLevel, text)),
    ...unjudged(report, around),
    ...notes.map(({ rule, file, message }) => ({
      ...notification(rule, "note", file === "." ? message : `${file}: ${message}`),
      ...(file === "." ? {} : { locations: [{ physicalLocation: locationOf({ file }, around) }] }),
    })),
    ...describeScope(report).map((text) => notification("scope", "note", text)),
    ...describeOmitted(report).map((text) => notification("not-shown", "note", text)),
    ...(omitted === 0
      ? []
      : [
          notification(
            "too-many-results",
            "warning",
            `${omitted} findings are only in the format json: the limit of a run is reached.`,
          ),
        ]),
  ];
  return {
    // A partial review is no success: a reader of the log must not take missing findings for clean code.
    executionSuccessful: report.status === "completed",
    toolExecutionNotifications: told,
  };
}

function unjudged({ coverage, failedTasks }: ReviewReport, around: Surroundings): object[] {
  // Failed tasks name their files by a count; the others are named one by one.
  const failed = new Set(failedTasks.map(({ capability }) => capability));
  const all = coverage.analysers.flatMap(({ capability, unjudged: files }) =>
    files
      .filter(({ why }) => why !== "tool-failed" || !failed.has(capability))
      .map(({ file, why, message }) => ({
        ...notification(
          "not-judged",
          "warning",
          `${shortName(capability)} has not judged ${file}: ${why}${message === undefined ? "" : `. ${message}`}`,
        ),
        locations: [{ physicalLocation: locationOf({ file }, around) }],
      })),
  );
  const left = all.length - MAX_UNJUDGED;
  if (left <= 0) return all;
  const more = notification(
    "not-judged",
    "warning",
    `${left} more files were not judged; the format json names them.`,
  );
  return [...all.slice(0, MAX_UNJUDGED), more];
}

function notification(id: string, level: "error" | "warning" | "note", text: string): object {
  return { descriptor: { id }, level, message: { text } };
}

/** The address of the root of the checkout; of the directory itself outside a checkout. */
function rootUri(directory: string, checkout: Checkout | null): string {
  const depth = (checkout?.prefix ?? "").split("/").length - 1;
  const parts = directory.split("/");
  const root = depth === 0 ? directory : parts.slice(0, parts.length - depth).join("/");
  return pathToFileURL(`${root}/`).href;
}

/** The commit of the reviewed code (§3.14.15); none when the address of the repository is unknown, because it is required. */
function provenance({ revision, branch, webUrl }: Checkout): object {
  if (webUrl === null) return {};
  return {
    versionControlProvenance: [
      {
        repositoryUri: webUrl,
        ...(revision === null ? {} : { revisionId: revision }),
        ...(branch === null ? {} : { branch }),
        mappedTo: { uriBaseId: ROOT },
      },
    ],
  };
}
