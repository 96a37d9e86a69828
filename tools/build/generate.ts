// Generates files and tables from the sources: `node tools/build/generate.ts [--check]`. Owns docs/schemas, docs/openapi.json, docs/asyncapi.json, the pages of
// docs/review/kinds, the rules of grafana/alerts and the boards of grafana/dashboards
// with their copies in the chart, the script of the console, and the tables of docs/contract.md and docs/operations.md between `<!-- generated: NAME -->` and `<!-- end -->`. A test fails if one of them is stale, so each change
// of the protocol is visible in the diff of its commit.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { kindPages } from "../../agents/lib/review/index.ts";
import { boardFiles } from "../../grafana/src/index.ts";
import { RULES_FILES, rulesFile } from "../../src/app/alerts/rules-file.ts";
import { alertTable } from "../../src/app/alerts/table.ts";
import { realTime } from "../../src/app/alerts/time.ts";
import { COMMANDS } from "../../src/app/commands/index.ts";
import { openApiText } from "../../src/app/http/openapi/document.ts";
import { ROUTES } from "../../src/app/http/routes/table.ts";
import { OPERATIONS } from "../../src/app/operations/index.ts";
import { describeMetrics, EXPORTERS } from "../../src/base/index.ts";
import {
  bucketSpecs,
  describeSubjects,
  ERROR_CATALOGUE,
  jsonSchemaOf,
  SCHEMA_NAMES,
  type StreamSpec,
  SUBJECT_FACTS,
  streamSpecs,
} from "../../src/protocol/index.ts";
import { definitionSchema } from "../../src/workflow/index.ts";
import { reviewConfigJsonSchema } from "../../workflows/review/index.ts";
import { buildConsole, CONSOLE_SCRIPT } from "./console.ts";

const root = join(import.meta.dirname, "../..");
const CONTRACT = "docs/contract.md";
const OPERATIONS_PAGE = "docs/operations.md";
/** The default prefix; the contract shows the names of streams and buckets with it. */
const PREFIX = "murmur";
const DAY_MS = 86_400_000;

/** The tables of docs/contract.md, by the name in their marker. */
const TABLES: Readonly<Record<string, () => string>> = {
  subjects: () =>
    table(
      ["subject", "kind", "use"],
      Object.values(SUBJECT_FACTS).map(({ form, kind, about }) => [code(`<p>.${form}`), kind, about]),
    ),
  streams: () =>
    table(
      ["stream", "subjects", "retention", "settings", "content"],
      streamSpecs(PREFIX).map((spec) => [
        code(spec.name.replace("-DEFAULT", "-<CLASS>")),
        spec.subjects
          .map((subject) => code(subject.replace(PREFIX, "<p>").replace(".default.", ".<class>.")))
          .join(" "),
        spec.retention === "workqueue" ? "work queue" : "limits",
        settingsOf(spec).join(", "),
        sentence(spec.about),
      ]),
    ),
  buckets: () =>
    table(
      ["bucket", "kind", "age limit", "content"],
      bucketSpecs(PREFIX).map(({ name, kind, ttlMs, about }) => [
        code(name),
        kind === "kv" ? "key-value" : "object store",
        ttlMs === 0 ? "none" : showDays(ttlMs),
        sentence(about),
      ]),
    ),
  errors: () =>
    table(
      ["code", "status", "retryable", "meaning"],
      Object.entries(ERROR_CATALOGUE).map(([name, { status, retryable, means }]) => [
        code(name),
        String(status),
        retryable ? "yes" : "no",
        sentence(means),
      ]),
    ),
  operations: () =>
    table(
      ["operation", "access", "effect", "errors of its own"],
      OPERATIONS.map(({ name, access, summary, event, errors }) => [
        code(name),
        access,
        sentence(event === undefined ? summary : `${summary}; yields events`),
        errors.map(code).join(" "),
      ]),
    ),
  routes: () =>
    table(
      ["route", "operation", "access"],
      ROUTES.map(({ method, path, operation, waiting }) => [
        code(`${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`),
        [operation, waiting].flatMap((each) => (each === undefined ? [] : [code(each.name)])).join(" "),
        operation.access,
      ]),
    ),
  commands: () =>
    table(
      ["command", "effect"],
      COMMANDS.map(({ name, summary }) => [
        `[${code(name)}](commands.md#${name.replaceAll(" ", "-")})`,
        sentence(summary),
      ]),
    ),
  metrics: () =>
    table(
      ["metric", "type", "unit", "labels", "processes", "replicas"],
      describeMetrics().map(({ name, type, unit, labels, exporters, replicas }) => [
        code(name),
        type,
        unit,
        labels.map(code).join(" "),
        exporters.length === EXPORTERS.length ? "all" : exporters.join(", "),
        replicas,
      ]),
    ),
};

/** The tables of docs/operations.md. */
const OPERATIONS_TABLES: Readonly<Record<string, () => string>> = {
  metrics: () =>
    table(
      ["name", "labels", "kind", "meaning"],
      describeMetrics().map(({ name, type, labels, help, page, startsAtZero }) => [
        code(name),
        labels.join(", "),
        type,
        `${help}${startsAtZero === true ? " Starts at 0." : ""}${page === undefined ? "" : ` See ${page}.`}`,
      ]),
    ),
  alerts: () =>
    table(
      ["alert", "severity", "meaning"],
      [...new Map(alertTable(realTime).map((alert) => [alert.name, alert])).values()].map(
        ({ name, severity, summary }) => [`[${name}](runbooks/${name}.md)`, severity, summary],
      ),
    ),
};

/** Returns all generated files by their path in the repository. @throws Error if the contract lacks a table's markers. */
export function generatedFiles(): Map<string, string> {
  const schemas = SCHEMA_NAMES.map((name): [string, string] => [
    `docs/schemas/${name}.json`,
    `${JSON.stringify(jsonSchemaOf(name), null, 2)}\n`,
  ]);
  const reviewConfig = `${JSON.stringify(reviewConfigJsonSchema(), null, 2)}\n`;
  return new Map([
    ...schemas,
    ...kindPages(),
    ["docs/schemas/murmur-review.json", reviewConfig],
    ["docs/schemas/murmur-workflow.json", `${JSON.stringify(definitionSchema(), null, 2)}\n`],
    [CONTRACT, fillTables(CONTRACT, TABLES)],
    ...boardFiles(),
    ...RULES_FILES.map((path): [string, string] => [path, rulesFile()]),
    [OPERATIONS_PAGE, fillTables(OPERATIONS_PAGE, OPERATIONS_TABLES)],
    ["docs/openapi.json", openApiText()],
    ["docs/asyncapi.json", `${JSON.stringify(describeSubjects(PREFIX), null, 2)}\n`],
  ]);
}

/** Replaces each table between its markers, and leaves the rest of the page unchanged. */
function fillTables(path: string, tables: Readonly<Record<string, () => string>>): string {
  return Object.entries(tables).reduce(
    (text, [name, makeTable]) => {
      const begin = `<!-- generated: ${name} -->`;
      const from = text.indexOf(begin);
      const to = text.indexOf("<!-- end -->", from);
      if (from < 0 || to < 0) {
        throw new Error(`${path} must contain "${begin}" and then "<!-- end -->"; add both markers`);
      }
      return `${text.slice(0, from + begin.length)}\n${makeTable()}${text.slice(to)}`;
    },
    readFileSync(join(root, path), "utf8"),
  );
}

function settingsOf(spec: StreamSpec): string[] {
  const { discard, maxPerSubject, maxBytes, maxMessageBytes, maxAgeMs, republish } = spec;
  const flags: [boolean | undefined, string][] = [
    [spec.allowSchedules, "schedules"],
    [spec.allowTtl, "TTL of messages"],
    [spec.allowRollup, "rollup"],
    [spec.denyDelete, "no deletes"],
    [spec.denyPurge, "no purges"],
  ];
  return [
    `discard ${discard}`,
    ...(maxPerSubject === undefined ? [] : [`${maxPerSubject} message for each subject`]),
    ...(maxBytes === undefined ? [] : [`at most ${maxBytes / 1024 ** 3} GiB`]),
    ...(maxMessageBytes === undefined ? [] : [`messages up to ${maxMessageBytes / 1024} KiB`]),
    ...(maxAgeMs === undefined ? [] : [showDays(maxAgeMs)]),
    ...flags.flatMap(([isOn, name]) => (isOn === true ? [name] : [])),
    ...(republish === undefined ? [] : [`republished on ${code(republish.to.replace(PREFIX, "<p>"))}`]),
  ];
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |");
  return `${[line(heads), `|${"---|".repeat(heads.length)}`, ...rows.map(line)].join("\n")}\n`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}.`;
}

function showDays(ms: number): string {
  return `${ms / DAY_MS} days`;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  const files = new Map([...generatedFiles(), [CONSOLE_SCRIPT, await buildConsole(root)]]);
  for (const [path, contents] of files) {
    const file = join(root, path);
    if (existsSync(file) && readFileSync(file, "utf8") === contents) continue;
    console.log(`${values.check === true ? "stale" : "written"}: ${path}`);
    if (values.check === true) {
      process.exitCode = 1;
      continue;
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, contents);
  }
}
