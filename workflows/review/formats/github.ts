// Annotations on the changed files of a pull request: workflow commands of GitHub Actions, in the log of the job. Pure.
import type { Severity } from "../../../agents/lib/review/index.ts";
import type { Finding } from "../finding.ts";
import { partsOf } from "../report/index.ts";
import {
  describeAgreement,
  describeMissing,
  describeOmitted,
  describeScope,
  type Format,
  fileInCheckout,
  inLog,
  plural,
} from "./format.ts";

/** The most annotations of each level that GitHub shows for one step (docs.github.com, "Workflow commands", limits). */
export const MAX_ANNOTATIONS_PER_LEVEL = 10;

const LEVELS = {
  critical: "error",
  high: "error",
  medium: "warning",
  low: "notice",
  info: "notice",
} as const;
type Level = (typeof LEVELS)[Severity];

/** Renders a report as workflow commands, the most important findings first, and counts the findings without one. */
export const toGithub: Format = (report, around) => {
  const { shown, notes } = partsOf(report);
  const missing = describeMissing(report);
  const given: Record<Level, number> = { error: 0, warning: 0, notice: 0 };
  const left: Record<Level, number> = { error: 0, warning: 0, notice: 0 };
  const commands: string[] = [];
  // Missing findings come first: they must not be the annotations that GitHub drops.
  if (missing.length > 0) {
    const level = report.status === "failed" ? "error" : "warning";
    given[level] += 1;
    commands.push(toCommand(level, { title: `review ${report.status}` }, missing.join("\n")));
  }
  for (const finding of shown) {
    const level = LEVELS[finding.severity];
    if (given[level] === MAX_ANNOTATIONS_PER_LEVEL) {
      left[level] += 1;
      continue;
    }
    given[level] += 1;
    commands.push(annotate(level, finding, fileInCheckout(finding, around)));
  }
  const counts = (Object.keys(left) as Level[]).filter((level) => left[level] > 0);
  return [
    `Review: ${report.status}; ${shown.length === 0 ? "no findings" : plural(shown.length, "finding")} in ${plural(report.files, "file")}`,
    ...describeScope(report).map(inLog),
    ...commands,
    ...notes.map(({ file, message }) => inLog(`${file}: ${message}`)),
    ...describeOmitted(report).map(inLog),
    ...(counts.length === 0
      ? []
      : [
          `Not annotated: ${counts.map((level) => plural(left[level], level)).join(", ")}. GitHub shows ${MAX_ANNOTATIONS_PER_LEVEL} of each level for a step; --format text or json lists all.`,
        ]),
  ].join("\n");
};

function annotate(level: Level, finding: Finding, file: string): string {
  const { line, kind, message } = finding;
  return toCommand(
    level,
    { file, line: String(line), title: kind },
    `${message} (${describeAgreement(finding)})`,
  );
}

/** Makes a workflow command. The escapes are those of the runner (actions/toolkit, command.ts). */
function toCommand(level: Level, properties: Readonly<Record<string, string>>, message: string): string {
  const named = Object.entries(properties).map(([name, value]) => `${name}=${inProperty(value)}`);
  return `::${level} ${named.join(",")}::${inData(message)}`;
}

function inData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function inProperty(text: string): string {
  return inData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
