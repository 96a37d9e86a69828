// The shared part of the three linters: groups files by the repository's own configuration, and turns a linter's messages
// into findings. Owns the fallback to the default rules, which the review always notes.
import { realpath, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { AnalysisTools, Linter, RawFinding, ReviewInput, ReviewOutput, Unjudged } from "../contract.ts";
import { anchorOf, isInside, isMissing, linesOf, note, oneLine, onePerFile, readReviewed } from "../files.ts";
import { kindOfRule, knownKind } from "../kinds.ts";
import { confineTools } from "../sandbox.ts";
import { isComponent } from "../scripts.ts";
import { IS_TEMPLATE, isFlow, isTemplate, parseText } from "../syntax.ts";
import { analysersDirectory } from "../toolbox.ts";
import { type ComponentScripts, writeJsxScripts } from "./component-jsx.ts";
import { configsOf } from "./configs.ts";
import { isExtra } from "./equal.ts";
import { hoistedIn } from "./hoisted.ts";
import { isIdiom } from "./idioms.ts";
import { JsxNames } from "./jsx.ts";
import { searchFailures } from "./search.ts";
import { readSuppressions } from "./suppressions.ts";
import { type Region, unusedNames, usedElsewhere } from "./unused.ts";

/** One message of a linter. Its path is absolute, or relative to the linter's working directory. */
export interface LintMessage {
  /** Null for a message without a file. */
  file: string | null;
  line: number;
  rule: string;
  isError: boolean;
  message: string;
  /** The place that the linter underlines, where it tells one. */
  region?: Region | undefined;
}

/** The result of one run of a linter. Its paths are like those of the messages. */
export interface LintRun {
  messages: readonly LintMessage[];
  /** The files that the linter names as not judged. */
  unjudged: readonly Unjudged[];
  /** The number of files that the linter has read, when it tells it. */
  linted?: number | undefined;
}

/** A linter, and how to run it with the repository's rules or with the default rules. */
export interface LinterSpec {
  capability: Linter;
  /** The linter's name for people. */
  name: string;
  /** True when it reads the scripts of components. */
  readsComponents: boolean;
  /** True for a parse message about code that is legal in a file that is no ES module, and that it parses completely. */
  isLegalInScripts?: (message: string) => boolean;
  /**
   * Lints `files` (relative to `cwd`, each starting with `./`). With `ownRules` the linter finds the repository's
   * configuration itself.
   * @throws an error that makes the run useless, such as a configuration that does not load.
   */
  lint(
    tools: AnalysisTools,
    run: { cwd: string; files: readonly string[]; ownRules: boolean },
  ): Promise<LintRun>;
}

/** Biome's rule about uses before the declaration; the other linters have none that is on. */
const EARLY_USE = "/noInvalidUseBeforeDeclaration";
/** The most notes of one answer about messages without a file. */
const MAX_TOOL_NOTES = 10;

/** Runs a linter over the input's files. Each file is judged by the nearest configuration at or above it. */
export async function runLinter(
  spec: LinterSpec,
  input: ReviewInput,
  given: AnalysisTools,
): Promise<ReviewOutput> {
  const directory = await realpath(input.directory);
  const output: ReviewOutput = { findings: [], unsure: [], unjudged: [] };
  const texts = await readTexts(spec, directory, input.files, output.unjudged);
  // By its own configuration the repository decides how its components are read.
  const extracted = spec.readsComponents && !input.trustRepoConfig ? await writeJsxScripts(texts) : null;
  const readable = [directory, await realpath(analysersDirectory()), ...[extracted?.folder ?? []].flat()];
  const tools = confineTools(given, input.sandbox, readable);
  const jsx = new JsxNames(directory);
  try {
    if (extracted !== null) await lintExtracted({ spec, texts, jsx }, tools, extracted, output);
  } finally {
    await extracted?.remove();
  }
  const apart = new Set(extracted?.scripts.map(({ file }) => file));
  const groups = await groupByConfig(
    directory,
    { ...input, files: [...texts.keys()].filter((file) => !apart.has(file)) },
    configsOf(spec.capability),
  );
  let done = apart.size;
  for (const { config, files } of groups) {
    const ran = await lintGroup(spec, tools, directory, config, files);
    const { findings, unjudged } = await toFindings({ spec, texts, jsx }, ran);
    for (const finding of [...findings, ...ran.notes]) output.findings.push(finding);
    output.unjudged = onePerFile([...output.unjudged, ...ran.unjudged, ...unjudged]);
    if (ran.ownRules) output.unsure.push(...files);
    done += files.length;
    tools.progress((100 * done) / input.files.length, `${done} of ${input.files.length} files`);
  }
  return output;
}

/** The context of a linter's messages. */
interface Reading {
  spec: LinterSpec;
  texts: ReadonlyMap<string, string>;
  jsx: JsxNames;
}

/** Kinds that no linter checks in components, because templates use names. */
const USED_BY_TEMPLATES: ReadonlySet<string> = new Set([
  "unused-variable",
  "unused-label",
  "unused-private-member",
]);

/** Lints the scripts of components in their own folder, and adds the findings and failures to the output, for the components. */
async function lintExtracted(
  reading: Reading,
  tools: AnalysisTools,
  { folder, scripts }: ComponentScripts,
  output: ReviewOutput,
): Promise<void> {
  const fileOf = new Map(scripts.map(({ name, file }) => [name, file]));
  const { spec } = reading;
  try {
    const ran = await lintGroup(spec, tools, folder, null, [...fileOf.keys()]);
    const messages = ran.messages.flatMap((message) => {
      const file = message.file === null ? undefined : fileOf.get(message.file);
      const { kind } = kindOfRule(spec.capability, message.rule, message.isError);
      return file === undefined || USED_BY_TEMPLATES.has(kind) ? [] : [{ ...message, file }];
    });
    const { findings, unjudged } = await toFindings(reading, { messages, ownRules: false });
    output.findings.push(...findings, ...ran.notes);
    const own = ran.unjudged.map((each) => ({ ...each, file: fileOf.get(each.file) ?? each.file }));
    output.unjudged = onePerFile([...output.unjudged, ...own, ...unjudged]);
  } catch (error) {
    tools.signal.throwIfAborted();
    const message = oneLine(error instanceof Error ? error.message : String(error)) || "no message";
    output.unjudged.push(...scripts.map(({ file }): Unjudged => ({ file, why: "tool-failed", message })));
  }
}

/** Reads the texts of the files that the linter can read, and adds the others to `unjudged`. */
async function readTexts(
  spec: LinterSpec,
  directory: string,
  files: readonly string[],
  unjudged: Unjudged[],
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const file of files) {
    const read = await readReviewed(directory, file);
    if (!("text" in read)) unjudged.push(read.unjudged);
    else if (!read.isUtf8) unjudged.push({ file, why: "not-utf8", message: "UTF-16 or Latin-1" });
    else if (isComponent(file) && !spec.readsComponents) {
      unjudged.push({ file, why: "not-supported", message: `${spec.name} has no parser for components` });
    } else if (!/\.[cm]?tsx?$/.test(file) && isFlow(read.text)) {
      unjudged.push({ file, why: "not-supported", message: "Flow's types" });
    } else texts.set(file, read.text);
  }
  return texts;
}

interface Group {
  /** The topmost configuration above these files, relative to the directory; null when there is none. */
  config: string | null;
  files: string[];
}

async function groupByConfig(
  directory: string,
  input: ReviewInput,
  configNames: readonly string[],
): Promise<readonly Group[]> {
  const groups = new Map<string | null, string[]>();
  const known = new Map<string, string | null>();
  for (const file of input.files) {
    const config = input.trustRepoConfig
      ? await topmostConfig(directory, dirname(file), configNames, known)
      : null;
    groups.set(config, [...(groups.get(config) ?? []), file]);
  }
  return [...groups].map(([config, files]) => ({ config, files }));
}

/** Returns the configuration nearest to the root, in `folder` or its parents. Linters find nested configurations themselves. */
async function topmostConfig(
  directory: string,
  folder: string,
  configNames: readonly string[],
  known: Map<string, string | null>,
): Promise<string | null> {
  const seen = known.get(folder);
  if (seen !== undefined) return seen;
  const above = folder === "." ? null : await topmostConfig(directory, dirname(folder), configNames, known);
  const config = above ?? (await configIn(directory, folder, configNames));
  known.set(folder, config);
  return config;
}

async function configIn(
  directory: string,
  folder: string,
  configNames: readonly string[],
): Promise<string | null> {
  for (const name of configNames) {
    const config = join(folder, name);
    try {
      const path = await realpath(join(directory, config));
      if (isInside(directory, path) && (await stat(path)).isFile()) return config;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return null;
}

interface GroupRun {
  messages: LintMessage[];
  unjudged: Unjudged[];
  notes: RawFinding[];
  ownRules: boolean;
}

async function lintGroup(
  spec: LinterSpec,
  tools: AnalysisTools,
  directory: string,
  config: string | null,
  files: readonly string[],
): Promise<GroupRun> {
  const notes: RawFinding[] = [];
  if (config !== null) {
    const folder = dirname(config);
    const cwd = join(directory, folder);
    try {
      const own = files.map((file) => `./${relative(folder, file)}`);
      const run = await spec.lint(tools, { cwd, files: own, ownRules: true });
      const inRoot = <Of extends { file: string | null }>(each: Of): Of => ({
        ...each,
        file: each.file === null ? null : join(folder, each.file),
      });
      if (run.linted !== undefined && run.linted < files.length) {
        const message = `${spec.name} judged ${run.linted} of ${files.length} files: its configuration ignores the others.`;
        notes.push(note("files-ignored", config, message));
      }
      return {
        messages: run.messages.map(inRoot),
        unjudged: run.unjudged.map(inRoot),
        notes,
        ownRules: true,
      };
    } catch (error) {
      tools.signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      notes.push(
        note(
          "own-rules-unusable",
          config,
          `${spec.name} cannot use this configuration, so its files were judged by the review's default rules: ${why}`,
        ),
      );
    }
  }
  const { runs, failed } = await searchFailures(
    (part) => spec.lint(tools, { cwd: directory, files: part.map((file) => `./${file}`), ownRules: false }),
    files,
    tools,
  );
  const messages = runs.flatMap((run) => run.messages);
  return {
    messages,
    unjudged: [
      ...failed.map(({ file, message }): Unjudged => ({ file, why: "tool-failed", message })),
      ...runs.flatMap((run) => run.unjudged),
    ],
    notes: [...notes, ...notesOf(spec, messages)],
    ownRules: false,
  };
}

/** Makes notes of the messages without a file: they are about the run, not about the code. */
function notesOf(spec: LinterSpec, messages: readonly LintMessage[]): RawFinding[] {
  const stray = messages.filter(({ file }) => file === null);
  const told = stray.slice(0, MAX_TOOL_NOTES).map(({ message }) => `${spec.name}: ${message}`);
  if (stray.length > told.length)
    told.push(`${spec.name}: ${stray.length - told.length} more messages without a file`);
  return told.map((message) => note("tool-message", ".", message));
}

/**
 * Turns a linter's messages into findings. In a file that the linter cannot parse, its first parse message is a finding; its other
 * messages there are guesses, and are dropped.
 */
async function toFindings(
  { spec, texts, jsx }: Reading,
  { messages, ownRules }: { messages: readonly LintMessage[]; ownRules: boolean },
): Promise<{ findings: RawFinding[]; unjudged: Unjudged[] }> {
  const findings: RawFinding[] = [];
  const unjudged: Unjudged[] = [];
  for (const [file, all] of Map.groupBy(messages, (message) => message.file)) {
    const text = file === null ? undefined : texts.get(file);
    if (file === null || text === undefined) continue;
    const ofFile = all.filter(({ rule, message }) => rule !== "parse" || !isLegal(spec, text, message));
    const broken = ofFile.filter(({ rule }) => rule === "parse").sort((a, b) => a.line - b.line)[0];
    if (broken !== undefined) {
      const { why, isFault } = await judgeParseError(file, text, broken.message);
      unjudged.push(why);
      if (!isFault) continue;
    }
    const isSilenced = readSuppressions(text);
    const lines = linesOf(text);
    const isUnused = ({ rule }: LintMessage) => knownKind(spec.capability, rule) === "unused-variable";
    const isEarly = ({ rule }: LintMessage) => rule.endsWith(EARLY_USE);
    const isHoisted = ofFile.some(isEarly) ? await hoistedIn(file, text) : () => false;
    const isUsed = ofFile.some(isUnused) ? await usedElsewhere(file, text, jsx) : () => false;
    for (const found of broken === undefined ? ofFile : [broken]) {
      const { line, rule, isError, message } = found;
      const kind = kindOfRule(spec.capability, rule, isError);
      const source = lines[line - 1] ?? "";
      if (!ownRules && isExtra(spec.capability, { kind: kind.kind, message, source })) continue;
      if (isIdiom({ kind: kind.kind, file, text, source, lines, line })) continue;
      const names = kind.kind === "unused-variable" ? unusedNames(found, lines) : [];
      const facts = {
        names,
        source,
        get above() {
          return lines.slice(Math.max(0, line - 4), line - 1).join("\n");
        },
      };
      if (isSilenced(kind.kind, line, facts) || isUsed(names, line)) continue;
      if (isEarly(found) && isHoisted(found, lines)) continue;
      findings.push({
        ...kind,
        rule: oneLine(rule).slice(0, 200),
        file,
        line: Math.max(1, line),
        message: oneLine(message),
        anchor: anchorOf(source),
      });
    }
  }
  return { findings, unjudged };
}

/**
 * Judges a linter's parse error. It is a fault of the code only when the review's own parser, which knows every dialect (JSX in the
 * script of a Vue component too), rejects the code as well, and the text is code at all.
 */
async function judgeParseError(
  file: string,
  text: string,
  message: string,
): Promise<{ why: Unjudged; isFault: boolean }> {
  const why: Unjudged = { file, why: "parse-error", message: oneLine(message) || "no message" };
  if ((await parseText(file, text)) !== null) return { why, isFault: false };
  return isTemplate(text)
    ? { why: { file, why: "not-supported", message: IS_TEMPLATE }, isFault: false }
    : { why, isFault: true };
}

/** True for a parse message about code that is legal, because the file is no ES module. */
function isLegal(spec: LinterSpec, text: string, message: string): boolean {
  return spec.isLegalInScripts?.(message) === true && !/^\s*(?:import|export)\b/m.test(text);
}

/** Turns a linter's path, absolute or starting with `./`, into a path relative to `cwd`. */
export function fromCwd(cwd: string, path: string): string {
  return relative(cwd, join(path.startsWith("/") ? "/" : cwd, path));
}

/** Makes {@link fromCwd} for the messages of one run: it remembers the last path, because the messages of a file follow each other. */
export function placer(cwd: string): (path: string) => string {
  let last = { path: "", file: "" };
  return (path) => {
    if (path !== last.path) last = { path, file: fromCwd(cwd, path) };
    return last.file;
  };
}
