// Correctness by Biome. Only what its linter says counts, not its formatter.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { TerminalError } from "murmur";
import type { Analysis } from "./contract.ts";
import { fromCwd, type LinterSpec, runLinter } from "./linter.ts";
import { analyserFile, analysersDirectory, firstLine, parseOutput, run } from "./toolbox.ts";

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
 * Where Biome's native program can be: the package's own launcher script would leave it running when the script is
 * killed. npm installs one of these packages, by platform and C library.
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
 * The line that other linters mark too: where a function is written to, not where it is declared, and the case that is run
 * into, which follows the one that Biome marks.
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
