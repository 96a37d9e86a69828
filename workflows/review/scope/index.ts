// The scope of a review of a change: its base, its files and lines, and the place of each finding in it.
//
//   const change = await readChange({ directory, base: "origin/main" });
//   placeInChange(change, { file: "src/a.ts", line: 3 }); // "line"

export { type Change, readAtBase, readChange } from "./change.ts";
export { type LineRange, readPatch } from "./patch.ts";
export {
  type ChangeScope,
  isInScope,
  placeInChange,
  renderScope,
  scopeOf,
} from "./place.ts";
