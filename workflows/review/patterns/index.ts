// Patterns of paths: one matcher for `.gitignore`, `.gitattributes`, the linters' ignore lists and murmur-review.yaml.
//
//   const list = new IgnoreList(parsePatterns(["legacy/", "**/*.{gen,pb}.ts"]));
//   list.ignores("legacy/a.ts"); // true

export { compileGlob, expandBraces, type Glob, MAX_PATTERN_CHARACTERS, matchesGlob } from "./glob.ts";
export {
  IgnoreList,
  type IgnoreRule,
  isIgnored,
  parseIgnore,
  parsePatterns,
  parseRule,
} from "./ignore.ts";
