// The baseline of a repository: its known findings, in a file that --write-baseline makes.
//
//   const entries = await readBaseline(directory, placeBaseline({ directory, named: ".", file: true }));
//   const { known, gone } = compareWithBaseline(findings, entries, (file) => files.has(file));

export { compareWithBaseline } from "./compare.ts";
export {
  BASELINE_FILE,
  type BaselineEntry,
  type BaselinePlace,
  parseBaseline,
  placeBaseline,
  readBaseline,
  renderBaseline,
  showPlace,
  writeBaseline,
} from "./file.ts";
export { type BaselineScope, renderBaselineScope } from "./scope.ts";
