// Holds the analysers without a linter to the comments for linters: a comment that names an equivalent rule silences their findings too.
// A comment that names no rule is about linters alone.
import type { Analysis, RawFinding } from "../contract.ts";
import { isCode, readInside } from "../files.ts";
import { isComponent } from "../scripts.ts";
import { readSuppressions } from "./suppressions.ts";

/** Makes the same analysis, without the findings that a comment silences by name. It reads the files with findings once more. */
export function honouring(analysis: Analysis): Analysis {
  return async (input, tools) => {
    const output = await analysis(input, tools);
    const findings: RawFinding[] = [];
    for (const [file, ofFile] of Map.groupBy(output.findings, (finding) => finding.file)) {
      const holdsCode = isCode(file) || isComponent(file);
      const text = holdsCode ? await readInside(input.directory, file) : null;
      const isSilenced = text === null ? () => false : readSuppressions(text, { byNameOnly: true });
      findings.push(...ofFile.filter(({ kind, line }) => !isSilenced(kind, line)));
    }
    return { ...output, findings };
  };
}
