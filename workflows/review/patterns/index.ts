// Patterns of paths: one matcher for `.gitignore`, `.gitattributes`, the linters' ignore lists and murmur-review.yaml. The matcher
// itself is in agents/lib/review/patterns, because the import graph of the agents matches the patterns of bundlers with it.
//
//   const list = new IgnoreList(parsePatterns(["legacy/", "**/*.{gen,pb}.ts"]));
//   list.ignores("legacy/a.ts"); // true

export {
  compileGlob,
  expandBraces,
  type Glob,
  IgnoreList,
  type IgnoreRule,
  isIgnored,
  MAX_PATTERN_CHARACTERS,
  matchesGlob,
  parseIgnore,
  parsePatterns,
  parseRule,
} from "../../../agents/lib/review/index.ts";
