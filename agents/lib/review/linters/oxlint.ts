// Checks correctness with oxlint, which reads nested configurations itself.
import { TerminalError } from "murmur-swarm";
import type { Analysis } from "../contract.ts";
import { analyserFile, firstLine, parseOutput, runNode } from "../toolbox.ts";
import { fromCwd, type LinterSpec, runLinter } from "./linter.ts";

interface OxlintOutput {
  diagnostics: {
    message: string;
    help?: string;
    code?: string;
    severity: string;
    filename: string;
    labels: { span: { line: number } }[];
  }[];
}

const SPEC: LinterSpec = {
  capability: "review-oxlint",
  name: "oxlint",
  configNames: [".oxlintrc.json", ".oxlintrc.jsonc", "oxlint.config.ts"],
  async lint(tools, { cwd, files, ownRules }) {
    const rules = ownRules ? [] : ["-c", analyserFile("rules", "oxlint.json"), "--disable-nested-config"];
    const ran = await runNode(tools, cwd, analyserFile("node_modules", "oxlint", "bin", "oxlint"), [
      "--format=json",
      "--no-error-on-unmatched-pattern",
      ...rules,
      ...files,
    ]);
    if (!ran.stdout.trimStart().startsWith("{")) throw new TerminalError(`oxlint: ${firstLine(ran)}`);
    return parseOutput<OxlintOutput>("oxlint", ran).diagnostics.map((found) => ({
      file: fromCwd(cwd, found.filename),
      line: placeOf(found),
      // `eslint(no-unused-vars)`, `typescript-eslint(no-this-alias)`; a syntax error has no code.
      rule: found.code?.match(/\(([^)]+)\)$/)?.[1] ?? found.code ?? "parse",
      isError: found.severity === "error",
      message:
        found.help === undefined ? found.message : `${found.message.replace(/\.?$/, ".")} ${found.help}`,
    }));
  },
};

/**
 * Returns the line that the other linters report too. For a pair such as "first defined here", "defined again here" it is the
 * later line. For a syntax error or an unused name it is oxlint's first line.
 */
function placeOf({ code, labels }: OxlintOutput["diagnostics"][number]): number {
  const lines = labels.map(({ span }) => span.line);
  const isFirstLine = code === undefined || code.includes("(no-unused-vars)");
  return isFirstLine ? (lines[0] ?? 1) : Math.max(1, ...lines);
}

/** Lints with oxlint. */
export const oxlint: Analysis = (input, tools) => runLinter(SPEC, input, tools);
