// The shared part of the three linters: groups files by the repository's own configuration, and turns a linter's messages
// into findings. Owns the fallback to the default rules, which the review always notes.
import { realpath, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { AnalysisTools, Linter, RawFinding, ReviewInput, ReviewOutput, Unjudged } from "../contract.ts";
import { anchorOfLine, isInside, isMissing, note, oneLine, onePerFile, readInside } from "../files.ts";
import { kindOfRule } from "../kinds.ts";
import { readSuppressions } from "./suppressions.ts";

/** One message of a linter. Its path is absolute, or relative to the linter's working directory. */
export interface LintMessage {
  file: string;
  line: number;
  rule: string;
  isError: boolean;
  message: string;
}

/** A linter, and how to run it with the repository's rules or with the default rules. */
export interface LinterSpec {
  capability: Linter;
  /** The linter's name for people. */
  name: string;
  /** The names of its configuration files. */
  configNames: readonly string[];
  /**
   * Lints `files` (relative to `cwd`, each starting with `./`). With `ownRules` the linter finds the repository's
   * configuration itself.
   * @throws an error that makes the run useless, such as a configuration that does not load.
   */
  lint(
    tools: AnalysisTools,
    run: { cwd: string; files: readonly string[]; ownRules: boolean },
  ): Promise<readonly LintMessage[]>;
}

/** Runs a linter over the input's files. Each file is judged by the nearest configuration at or above it. */
export async function runLinter(
  spec: LinterSpec,
  input: ReviewInput,
  tools: AnalysisTools,
): Promise<ReviewOutput> {
  const directory = await realpath(input.directory);
  const groups = await groupByConfig(directory, input, spec.configNames);
  const output: ReviewOutput = { findings: [], unsure: [], unjudged: [] };
  let done = 0;
  for (const { config, files } of groups) {
    const ran = await lintGroup(spec, tools, directory, config, files);
    output.findings.push(
      ...(await toFindings(spec.capability, directory, files, ran.messages)),
      ...ran.notes,
    );
    output.unjudged.push(...unparsed(files, ran.messages));
    if (ran.ownRules) output.unsure.push(...files);
    done += files.length;
    tools.progress((100 * done) / input.files.length, `${done} of ${input.files.length} files`);
  }
  return output;
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

async function lintGroup(
  spec: LinterSpec,
  tools: AnalysisTools,
  directory: string,
  config: string | null,
  files: readonly string[],
): Promise<{ messages: readonly LintMessage[]; notes: RawFinding[]; ownRules: boolean }> {
  const notes: RawFinding[] = [];
  if (config !== null) {
    const folder = dirname(config);
    const cwd = join(directory, folder);
    try {
      const own = files.map((file) => `./${relative(folder, file)}`);
      const messages = await spec.lint(tools, { cwd, files: own, ownRules: true });
      return {
        messages: messages.map((message) => ({ ...message, file: join(folder, message.file) })),
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
  const messages = await spec.lint(tools, {
    cwd: directory,
    files: files.map((file) => `./${file}`),
    ownRules: false,
  });
  return { messages, notes, ownRules: false };
}

/** Returns the files with a parse message: the linter's rules did not run there, or their results are guesses. */
function unparsed(files: readonly string[], messages: readonly LintMessage[]): Unjudged[] {
  const asked = new Set(files);
  return onePerFile(
    messages
      .filter(({ file, rule }) => rule === "parse" && asked.has(file))
      .map(({ file, message }) => ({ file, why: "parse-error", message: oneLine(message) || "no message" })),
  );
}

async function toFindings(
  capability: Linter,
  directory: string,
  files: readonly string[],
  messages: readonly LintMessage[],
): Promise<RawFinding[]> {
  const asked = new Set(files);
  const byFile = Map.groupBy(messages, ({ file }) => file);
  const findings: RawFinding[] = [];
  for (const [file, all] of byFile) {
    if (!asked.has(file)) continue;
    const text = (await readInside(directory, file)) ?? "";
    const isSilenced = readSuppressions(text);
    for (const { line, rule, isError, message } of all) {
      const kind = kindOfRule(capability, rule, isError);
      if (isSilenced(kind.kind, line)) continue;
      findings.push({
        ...kind,
        rule: oneLine(rule).slice(0, 200),
        file,
        line: Math.max(1, line),
        message: oneLine(message),
        anchor: anchorOfLine(text, line),
      });
    }
  }
  return findings;
}

/** Turns a linter's path, absolute or starting with `./`, into a path relative to `cwd`. */
export function fromCwd(cwd: string, path: string): string {
  return relative(cwd, join(path.startsWith("/") ? "/" : cwd, path));
}
