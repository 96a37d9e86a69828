// Checks correctness with Biome's linter. The formatter's diagnostics are ignored.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { TerminalError } from "murmur-swarm";
import type { Analysis } from "../contract.ts";
import { analyserFile, analysersDirectory, firstLine, parseOutput, run } from "../toolbox.ts";
import { fromCwd, type LinterSpec, runLinter } from "./linter.ts";

interface BiomeOutput {
  diagnostics: {
    severity: string;
    message: string;
    category: string;
    location?: { path?: string; start?: { line: number }; end?: { line: number } };
    advices?: { start?: { line: number } }[];
  }[];
}

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

function biomeProgram(): string {
  const found = biomePrograms().find((path) => existsSync(path));
  return (
    found ?? analyserFile("node_modules", "@biomejs", `cli-${process.platform}-${process.arch}`, "biome")
  );
}

const SPEC: LinterSpec = {
  capability: "review-biome",
  name: "Biome",
  configNames: ["biome.json", "biome.jsonc", ".biome.json", ".biome.jsonc"],
  async lint(tools, { cwd, files, ownRules }) {
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
    const { diagnostics } = parseOutput<BiomeOutput>("Biome", ran);
    const broken = diagnostics.find(
      ({ category }) => category === "configuration" || category === "deserialize",
    );
    if (broken !== undefined) throw new TerminalError(`Biome: ${broken.message}`);
    return diagnostics
      .filter(({ category }) => category === "parse" || category.startsWith("lint/"))
      .map((found) => ({
        file: fromCwd(cwd, found.location?.path ?? ""),
        line: placeOf(found),
        rule: found.category.replace(/^lint\//, ""),
        isError: found.severity === "error",
        message: found.message,
      }));
  },
};

/**
 * Returns the line that the other linters report too: the assignment to a function, not its declaration; and for a fallthrough
 * the next case, which follows the case that Biome reports.
 */
function placeOf({ category, location, advices }: BiomeOutput["diagnostics"][number]): number {
  const start = location?.start?.line ?? 1;
  if (category.endsWith("/noFunctionAssign"))
    return advices?.find((advice) => advice.start)?.start?.line ?? start;
  if (category.endsWith("/noFallthroughSwitchClause")) return (location?.end?.line ?? start) + 1;
  return start;
}

/** Lints with Biome. */
export const biome: Analysis = (input, tools) => runLinter(SPEC, input, tools);
