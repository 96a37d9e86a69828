// A comment on a pull request. Its first line is a hidden marker: the next run finds the comment by it, and writes it again. Pure.
import { areaOf, pageOf, SEVERITIES } from "../../../agents/lib/review/index.ts";
import type { Finding } from "../finding.ts";
import { partsOf, type ReviewReport } from "../report/index.ts";
import {
  describeAgreement,
  describeMissing,
  describeOmitted,
  describePage,
  describeScope,
  encodePath,
  type Format,
  fileInCheckout,
  helpUrl,
  plural,
  type Surroundings,
} from "./format.ts";

/** The first line of a comment. It has no version, so that a newer program finds the comment of an older one. */
export const COMMENT_MARKER = "<!-- murmur-review -->";
/** The most characters of a comment (GitHub's API rejects a longer body: "Body is too long"). */
export const MAX_COMMENT_CHARACTERS = 65_536;
/** The most remarks, and the most texts about missing findings: the findings need the room. */
const MAX_REMARKS = 20;

/** Renders a report as the body of a comment: the count by severity, then the findings in folds. */
export const toMarkdown: Format = (report, around) => {
  const { shown, notes } = partsOf(report);
  const head = [COMMENT_MARKER, ...summary(report, shown)];
  const foot = [
    ...fold("Not judged", describeMissing(report)),
    ...fold("Not shown", describeOmitted(report)),
    ...fold(
      "About this review",
      notes.map(({ file, message }) => (file === "." ? message : `${file}: ${message}`)),
    ),
    "",
    `<sub>Murmur ${around.version} · ${plural(report.files, "file")} · ${(report.durationMs / 1000).toFixed(1)} s${pagesHint(shown, around)}</sub>`,
  ];
  const room = MAX_COMMENT_CHARACTERS - lengthOf(head) - lengthOf(foot) - lengthOf([cut(shown.length)]);
  const fitting = takeFitting(shown, around, room);
  const left = shown.length - fitting.length;
  return [...head, ...chapters(fitting, around), ...(left === 0 ? [] : [cut(left)]), ...foot].join("\n");
};

/** Tells where the kinds are explained, when their names are no links. */
function pagesHint(shown: readonly Finding[], { pagesUrl }: Surroundings): string {
  if (pagesUrl !== null || !shown.some(({ kind }) => pageOf(kind) !== null)) return "";
  return ` · each kind is explained in ${inText(describePage("<kind>", null))}`;
}

function summary(report: ReviewReport, shown: readonly Finding[]): string[] {
  const { status } = report;
  const title = `### Review: ${shown.length === 0 ? "no findings" : plural(shown.length, "finding")}${status === "completed" ? "" : ` (${status})`}`;
  const counts = SEVERITIES.map((severity) => ({
    severity,
    count: shown.filter((finding) => finding.severity === severity).length,
  })).filter(({ count }) => count > 0);
  const head = [title, ...describeScope(report).flatMap((line) => ["", inText(line)])];
  if (counts.length === 0) return head;
  return [
    ...head,
    "",
    "| severity | findings |",
    "| --- | ---: |",
    ...counts.map(({ severity, count }) => `| ${severity} | ${count} |`),
  ];
}

function cut(left: number): string {
  return `\n**${left} more** have no room in this comment (${MAX_COMMENT_CHARACTERS.toLocaleString("en")} characters); \`--format json\` has all.`;
}

/** Returns the most important findings whose chapters fit into `room` characters. */
function takeFitting(findings: readonly Finding[], around: Surroundings, room: number): Finding[] {
  const seen = new Set<string>();
  let used = 0;
  const end = findings.findIndex((finding) => {
    const area = areaOf(finding.kind);
    const lines = [
      // The count in a fold's title has at most as many digits as the count of all findings.
      ...(seen.has(area) ? [] : [...openFold(area, findings.length), ...CLOSE_FOLD]),
      ...(seen.has(`kind ${finding.kind}`) ? [] : kindLines(finding, around)),
      toItem(finding, around),
    ];
    seen.add(area).add(`kind ${finding.kind}`);
    used += lengthOf(lines);
    return used > room;
  });
  return end === -1 ? [...findings] : findings.slice(0, end);
}

function chapters(findings: readonly Finding[], around: Surroundings): string[] {
  return [...Map.groupBy(findings, ({ kind }) => areaOf(kind))].flatMap(([area, inArea]) => [
    ...openFold(area, inArea.length),
    ...[...Map.groupBy(inArea, ({ kind }) => kind).values()].flatMap((ofKind) => [
      ...kindLines(ofKind[0] as Finding, around),
      ...ofKind.map((finding) => toItem(finding, around)),
    ]),
    ...CLOSE_FOLD,
  ]);
}

function kindLines(finding: Finding, around: Surroundings): string[] {
  const url = helpUrl(finding, around);
  const name = `**${inText(finding.kind)}**`;
  return ["", `${url === null ? name : `[${name}](${url})`} (${finding.severity})`, ""];
}

function toItem(finding: Finding, around: Surroundings): string {
  return `- ${toPlace(finding, around)} ${inText(finding.message)} <sub>${inText(describeAgreement(finding))}</sub>`;
}

/** The place of a finding, as a link where the checkout has an address on GitHub. */
function toPlace(finding: Finding, around: Surroundings): string {
  const text = inCode(`${finding.file}:${finding.line}`);
  const { webUrl = null, revision = null } = around.checkout ?? {};
  if (webUrl === null || revision === null || !/^https:\/\/github\./.test(webUrl)) return text;
  return `[${text}](${webUrl}/blob/${revision}/${encodePath(fileInCheckout(finding, around))}#L${finding.line})`;
}

function fold(title: string, texts: readonly string[]): string[] {
  if (texts.length === 0) return [];
  const left = texts.length - MAX_REMARKS;
  return [
    ...openFold(title, texts.length),
    "",
    ...texts.slice(0, MAX_REMARKS).map((text) => `- ${inText(text)}`),
    ...(left > 0 ? [`- and ${left} more in the format json`] : []),
    ...CLOSE_FOLD,
  ];
}

function openFold(title: string, count: number): string[] {
  const name = title.charAt(0).toUpperCase() + title.slice(1);
  return ["", `<details><summary>${name} (${count})</summary>`];
}

const CLOSE_FOLD = ["", "</details>"];

/** Foreign text as a code span: no markup, mention or link works there. */
function inCode(text: string): string {
  const line = text.replace(/\p{Cc}/gu, "�");
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return longest === 0 ? `${fence}${line}${fence}` : `${fence} ${line} ${fence}`;
}

/**
 * Foreign text as plain text: markup becomes entities, and a zero-width space after `@` and `#` keeps GitHub from mentioning
 * people and from linking issues.
 */
function inText(text: string): string {
  return (
    text
      .replace(/\p{Cc}/gu, "�")
      // In one pass, because an entity has a `#` of its own.
      .replace(/[@#](?=\w)|[&<>`*_~[\]\\|!$]|:(?=\/\/|\w)|(?<=\bwww)\./g, (mark) =>
        mark === "@" || mark === "#" ? `${mark}&#8203;` : `&#${mark.charCodeAt(0)};`,
      )
  );
}

/** The characters of lines, with a line break for each. */
function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + 1, 0);
}
