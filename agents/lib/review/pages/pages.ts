// The explanation of each kind of finding: its page in docs/review/kinds, its text in other formats, and its address. Pure. Leaves
// the words and examples to texts/.
import type { ReviewCapability } from "../contract.ts";
import { AREAS, areaOf, KINDS } from "../kinds.ts";
import { type Example, KIND_TEXTS, type KindText } from "./texts/index.ts";

/** The folder of the pages, from the root of this package. */
export const PAGES_FOLDER = "docs/review/kinds";
/** The name of a single example. */
export const EXAMPLE_FILE = "example.js";
/** Lines of an example's file that a page shows; longer files are cut in the middle of the page, and the cut is told. */
const SHOWN_LINES = 24;
/** Files of an example that a page shows. */
const SHOWN_FILES = 6;

/** The word that begins the review's own comments. The review itself (workflows/review/suppress) reads them. */
const IGNORE_WORD = "murmur-ignore";
/** The kinds whose findings are in package.json or a lockfile. */
const JSON_KINDS: ReadonlySet<string> = new Set([
  "lockfile-missing",
  "lockfile-out-of-step",
  "lockfile-insecure-source",
  "lockfile-foreign-source",
  "lockfile-no-integrity",
  "install-script",
]);
/** The findings that a comment above their line does not reach, and the reason; a comment for the whole file silences them. */
const WHOLE_FILE_REASONS: Readonly<Record<string, string>> = {
  "large-file": "The finding is about the whole file.",
  "orphan-module": "The finding is about the whole file.",
  "hub-module": "The finding is about the whole file.",
  "untested-source": "The finding is about the whole file.",
  "unknown-command":
    "Most of these commands stand in a block of code, which cannot have a comment of the review.",
};
/** The comments of the files that findings are in; null where a file cannot have one. */
const COMMENT_FORMS = {
  code: { language: "js", open: "//", close: "" },
  page: { language: "markdown", open: "<!--", close: " -->" },
  json: null,
} as const;

/** A kind in words, as formats with room for it show it. */
export interface KindDescription {
  /** One line. */
  title: string;
  text: string;
  markdown: string;
}

/** Describes a kind; a rule that only one linter has by its name alone. */
export function describeKind(kind: string): KindDescription {
  const explained = KIND_TEXTS[kind];
  if (explained === undefined) {
    const title = nameOf(kind);
    const text = `${title}: a rule that only one linter has. Its documentation explains it.`;
    return { title, text, markdown: text };
  }
  const { what, why } = explained;
  return { title: what, text: `${what} ${why}`, markdown: bodyOf(kind, explained) };
}

/** Returns the page about a kind, from the root of this package; null for a rule that only one linter has. */
export function pageOf(kind: string): string | null {
  return KIND_TEXTS[kind] === undefined ? null : `${PAGES_FOLDER}/${kind}.md`;
}

/** Returns the files of an example by name. */
export function exampleFiles(example: Example): Readonly<Record<string, string>> {
  return typeof example === "string" ? { [EXAMPLE_FILE]: example } : example;
}

/** Makes all pages, by their path from the root of this package: one for each kind, and the list of them. */
export function kindPages(): Map<string, string> {
  const pages = Object.entries(KIND_TEXTS).map(([kind, text]): [string, string] => [
    `${PAGES_FOLDER}/${kind}.md`,
    `# ${kind}\n\n${bodyOf(kind, text)}\n`,
  ]);
  return new Map([[`${PAGES_FOLDER}/README.md`, listPage()], ...pages]);
}

function listPage(): string {
  const chapters = AREAS.flatMap((area) => {
    const kinds = Object.keys(KIND_TEXTS).filter((kind) => areaOf(kind) === area);
    if (kinds.length === 0) return [];
    const rows = kinds.map(
      (kind) => `| [${kind}](${kind}.md) | ${KINDS[kind]?.severity} | ${KIND_TEXTS[kind]?.what} |`,
    );
    return ["", `## ${nameOf(area)}`, "", "| kind | severity | problem |", "|---|---|---|", ...rows];
  });
  return [
    "# The kinds of findings",
    "",
    "One page for each kind that the [review](../../review.md) knows by name. A finding with another kind comes from a rule that only one",
    "linter has: the documentation of that linter explains it.",
    ...chapters,
    "",
  ].join("\n");
}

function bodyOf(kind: string, { what, why, wrong, right }: KindText): string {
  const { area, severity, seenBy } = KINDS[kind] ?? {};
  return [
    what,
    "",
    `Severity ${severity}, chapter ${area}.`,
    "",
    "## Why",
    "",
    why,
    "",
    "## Wrong",
    "",
    ...show(wrong),
    "## Right",
    "",
    ...show(right),
    "## Reported by",
    "",
    ...reporters(seenBy ?? {}),
    "",
    "## Switch it off",
    "",
    ...switchOff(kind, seenBy?.["review-eslint"]?.[0]),
  ].join("\n");
}

function show(example: Example): string[] {
  const files = Object.entries(exampleFiles(example));
  const left = files.length - SHOWN_FILES;
  return [
    ...files.slice(0, SHOWN_FILES).flatMap(([file, text]) => {
      const isPage = file.endsWith(".md");
      const fence = isPage ? "~~~~" : "```";
      const name = file === EXAMPLE_FILE ? [] : [`\`${file}\``, ""];
      return [...name, `${fence}${isPage ? "markdown" : languageOf(file)}`, ...shorten(text), fence, ""];
    }),
    ...(left > 0 ? [`And ${left} more file${left === 1 ? "" : "s"} of this form.`, ""] : []),
  ];
}

function shorten(text: string): string[] {
  const lines = text.replace(/\n$/, "").split("\n");
  if (lines.length <= SHOWN_LINES) return lines;
  return [...lines.slice(0, 3), `… ${lines.length - 4} more lines …`, lines.at(-1) ?? ""];
}

function languageOf(file: string): string {
  const extension = file.slice(file.lastIndexOf(".") + 1);
  return extension === "cjs" ? "js" : extension;
}

function reporters(seenBy: Partial<Record<ReviewCapability, readonly string[]>>): string[] {
  return Object.entries(seenBy).map(([capability, rules]) => {
    const names = rules.map((rule) => {
      const url = ruleUrl(rule, [capability]);
      return url === null || url.endsWith(".html") ? `\`${rule}\`` : `[\`${rule}\`](${url})`;
    });
    return `- \`${capability}\`${names.length === 0 ? "" : `: ${names.join(", ")}`}`;
  });
}

function switchOff(kind: string, rule: string | undefined): string[] {
  const form = COMMENT_FORMS[placeOf(kind)];
  const lines: string[] = [];
  if (form === null) lines.push("JSON has no comments, so only the configuration switches this kind off.");
  else {
    const whole = WHOLE_FILE_REASONS[kind];
    const word = whole === undefined ? IGNORE_WORD : `${IGNORE_WORD}-file`;
    lines.push(
      whole === undefined
        ? "A comment with a reason silences the finding on the next line:"
        : `${whole} A comment for the file, with a reason, silences it:`,
      "",
      `\`\`\`${form.language}`,
      `${form.open} ${word} ${kind} -- the reason${form.close}`,
      "```",
    );
  }
  if (rule !== undefined && kind !== "syntax-error") {
    lines.push(
      "",
      `A comment of one linter silences the findings of all: \`// eslint-disable-next-line ${rule} -- the reason\`.`,
    );
  }
  return [
    ...lines,
    "",
    "`murmur-review.yaml` switches the kind off everywhere, or with `paths` in some files:",
    "",
    "```yaml",
    "kinds:",
    `  - kind: ${kind}`,
    "    severity: off",
    "    reason: the reason",
    "```",
  ];
}

function placeOf(kind: string): keyof typeof COMMENT_FORMS {
  if (JSON_KINDS.has(kind)) return "json";
  return KINDS[kind]?.area === "documentation" ? "page" : "code";
}

function nameOf(kind: string): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1).replaceAll("-", " ")}`;
}

/** Returns the address of the documentation of a linter's rule; null when the linter's rules have no address of their own. */
export function ruleUrl(rule: string, agreedBy: readonly string[]): string | null {
  const name = rule.slice(rule.lastIndexOf("/") + 1);
  if (!/^[\w-]+$/.test(name)) return null;
  if (rule.startsWith("@typescript-eslint/")) return `https://typescript-eslint.io/rules/${name}`;
  if (rule.includes("/")) {
    if (!agreedBy.includes("review-biome")) return null;
    const words = name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();
    return `https://biomejs.dev/linter/rules/${words}/`;
  }
  if (agreedBy.includes("review-eslint")) return `https://eslint.org/docs/latest/rules/${name}`;
  // oxlint's rules have their plugin in the address, which its messages may omit.
  return agreedBy.includes("review-oxlint") ? "https://oxc.rs/docs/guide/usage/linter/rules.html" : null;
}
