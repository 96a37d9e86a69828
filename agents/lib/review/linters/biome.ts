// Checks correctness with Biome's linter. The formatter's diagnostics are ignored.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { TerminalError } from "murmur-swarm";
import { z } from "zod";
import type { Analysis } from "../contract.ts";
import { oneLine } from "../files.ts";
import { sandboxPrograms } from "../sandbox.ts";
import { isComponent } from "../scripts.ts";
import { analyserFile, analysersDirectory, firstLine, parseOutput, run } from "../toolbox.ts";
import { findCrowded } from "./crowded.ts";
import { type LinterSpec, type LintMessage, placer, runLinter } from "./linter.ts";
import type { Region } from "./unused.ts";

const placeSchema = z.object({ line: z.number(), column: z.number() }).nullish();
const diagnosticSchema = z.object({
  severity: z.string(),
  message: z.string(),
  category: z.string().nullish(),
  location: z.object({ path: z.string().nullish(), start: placeSchema, end: placeSchema }).nullish(),
  advices: z.array(z.object({ start: placeSchema })).nullish(),
});
type Diagnostic = z.infer<typeof diagnosticSchema>;

/** The output of `biome lint --reporter=json`, version 2. */
const outputSchema = z.object({ diagnostics: z.array(diagnosticSchema) });

/**
 * Messages about code that is legal in a script and in CommonJS. Biome parses every file as an ES module, and repairs its tree
 * completely after these errors.
 */
const LEGAL_IN_SCRIPTS =
  /^(?:Illegal return statement outside of a function|`with` statements are not allowed in strict mode|"0"-prefixed octal literals are deprecated|the target for a delete operator cannot be a single identifier|Illegal use of `await` as an identifier)/;

/**
 * Returns the possible paths of Biome's native program. npm installs one of these packages, by platform and C library. The
 * package's launcher script is not used, because the program would keep running after a kill of the script.
 */
export function biomePrograms(): string[] {
  const platform = `cli-${process.platform}-${process.arch}`;
  const program = process.platform === "win32" ? "biome.exe" : "biome";
  return [platform, `${platform}-musl`].map((name) =>
    join(analysersDirectory(), "node_modules", "@biomejs", name, program),
  );
}

/** The programs of all linters' agents: Biome's, Node for oxlint and ESLint, and the sandboxes. */
export function linterPrograms(): string[] {
  return [...biomePrograms(), process.execPath, ...sandboxPrograms()];
}

function biomeProgram(): string {
  const found = biomePrograms().find((path) => existsSync(path));
  return (
    found ?? analyserFile("node_modules", "@biomejs", `cli-${process.platform}-${process.arch}`, "biome")
  );
}

const SPEC: LinterSpec = {
  capability: "review-biome",
  name: "Biome",
  readsComponents: true,
  isLegalInScripts: (message) => LEGAL_IN_SCRIPTS.test(message),
  async lint(tools, { cwd, files: given, ownRules }) {
    const crowded = await findCrowded(tools, cwd, given);
    const files = given.filter((file) => !crowded.has(file));
    const unjudged = [...crowded.values()];
    // Without a file Biome would judge the whole directory.
    if (files.length === 0) return { messages: [], unjudged };
    const rules = ownRules ? [] : [`--config-path=${analyserFile("rules", "biome-default.json")}`];
    const ran = await run(tools, cwd, [
      biomeProgram(),
      "lint",
      "--reporter=json",
      "--max-diagnostics=none",
      "--colors=off",
      "--no-errors-on-unmatched",
      "--files-ignore-unknown=true",
      ...rules,
      ...files,
    ]);
    if (!ran.stdout.trimStart().startsWith("{")) throw new TerminalError(`Biome: ${firstLine(ran)}`);
    const { diagnostics } = parseOutput("Biome", ran, outputSchema);
    const broken = diagnostics.find(
      ({ category }) => category === "configuration" || category === "deserialize",
    );
    if (broken !== undefined) throw new TerminalError(`Biome: ${broken.message}`);
    const messages: LintMessage[] = [];
    const place = placer(cwd);
    for (const found of diagnostics) {
      const { category, location, message } = found;
      const path = location?.path ?? "";
      const file = path === "" ? null : place(path);
      const isError = found.severity === "error" || found.severity === "fatal";
      if (category === "parse" || category?.startsWith("lint/") === true) {
        // Biome's parser of templates is experimental: an error there is no fault of the component.
        if (category === "parse" && file !== null && isComponent(file)) {
          unjudged.push({ file, why: "parse-error", message: oneLine(message) || "no message" });
        } else {
          messages.push({
            file,
            line: placeOf(found),
            rule: category.replace(/^lint\//, ""),
            isError,
            message,
            region: regionOf(found),
          });
        }
      } else if (file === null && isError) messages.push({ file, line: 1, rule: "tool", isError, message });
      else if (file !== null && isError) {
        unjudged.push({ file, why: "tool-failed", message: oneLine(message) || "no message" });
      }
    }
    return { messages, unjudged };
  },
};

function regionOf({ location }: Diagnostic): Region | undefined {
  const { start, end } = location ?? {};
  return start == null || end == null ? undefined : { start, end };
}

/**
 * Returns the line that the other linters report too: the assignment to a function, not its declaration; and for a fallthrough
 * the next case, which follows the case that Biome reports.
 */
function placeOf({ category, location, advices }: Diagnostic): number {
  const start = location?.start?.line ?? 1;
  if (category?.endsWith("/noFunctionAssign") === true)
    return advices?.find((advice) => advice.start)?.start?.line ?? start;
  if (category?.endsWith("/noFallthroughSwitchClause") === true) return (location?.end?.line ?? start) + 1;
  return start;
}

/** Lints with Biome. */
export const biome: Analysis = (input, tools) => runLinter(SPEC, input, tools);
