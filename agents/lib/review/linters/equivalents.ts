// The rules of other linters and plugins that mean a kind of this review, although none of its linters runs them. A comment that
// silences such a rule shows that the author knows the fault, so it silences the kind. Data and one lookup.

/** The kind, and the names of rules for it. The names of plugins stand before the slash. */
const EQUIVALENTS: readonly { kind: string; plugins?: string; rules: string }[] = [
  // ESLint itself, and typescript-eslint
  { kind: "code-injection", rules: "no-new-func no-implied-eval no-script-url" },
  { kind: "code-injection", plugins: "@typescript-eslint", rules: "no-implied-eval" },
  { kind: "await-in-loop", rules: "no-await-in-loop" },
  { kind: "large-file", rules: "max-lines" },
  { kind: "long-function", rules: "max-lines-per-function max-statements" },
  { kind: "complex-function", rules: "complexity" },
  { kind: "complex-function", plugins: "sonarjs", rules: "cognitive-complexity" },
  { kind: "unused-variable", plugins: "unused-imports", rules: "no-unused-imports no-unused-vars" },
  { kind: "unused-variable", plugins: "sonarjs", rules: "no-unused-vars no-dead-store unused-import" },
  // eslint-plugin-security, eslint-plugin-no-secrets, eslint-plugin-regexp
  { kind: "code-injection", plugins: "security", rules: "detect-eval-with-expression" },
  { kind: "command-injection", plugins: "security", rules: "detect-child-process" },
  { kind: "path-traversal", plugins: "security", rules: "detect-non-literal-fs-filename" },
  { kind: "unsafe-regex", plugins: "security", rules: "detect-unsafe-regex" },
  { kind: "unsafe-regex", plugins: "regexp", rules: "no-super-linear-backtracking no-super-linear-move" },
  { kind: "unsafe-regex", plugins: "redos", rules: "no-vulnerable" },
  { kind: "weak-randomness", plugins: "security", rules: "detect-pseudoRandomBytes" },
  { kind: "weak-randomness", plugins: "sonarjs", rules: "pseudo-random" },
  // eslint-plugin-import and its successor, eslint-plugin-n and its predecessor
  {
    kind: "unresolved-import",
    plugins: "import import-x i",
    rules: "no-unresolved extensions named default namespace",
  },
  { kind: "unresolved-import", plugins: "n node", rules: "no-missing-import no-missing-require" },
  { kind: "undeclared-dependency", plugins: "import import-x i", rules: "no-extraneous-dependencies" },
  {
    kind: "undeclared-dependency",
    plugins: "n node",
    rules: "no-extraneous-import no-extraneous-require no-unpublished-import no-unpublished-require",
  },
  { kind: "import-cycle", plugins: "import import-x i", rules: "no-cycle" },
  { kind: "type-import-cycle", plugins: "import import-x i", rules: "no-cycle" },
  { kind: "orphan-module", plugins: "import import-x i", rules: "no-unused-modules" },
  { kind: "sync-io-in-async", plugins: "n node", rules: "no-sync" },
  // The plugins of test runners
  {
    kind: "focused-test",
    plugins: "jest vitest playwright no-only-tests",
    rules: "no-focused-tests no-focused-test no-only-tests",
  },
  { kind: "focused-test", plugins: "mocha", rules: "no-exclusive-tests" },
  { kind: "skipped-test", plugins: "jest vitest", rules: "no-disabled-tests" },
  {
    kind: "skipped-test",
    plugins: "mocha playwright",
    rules: "no-skipped-tests no-skipped-test no-pending-tests",
  },
  { kind: "test-without-assertion", plugins: "jest vitest playwright", rules: "expect-expect" },
];

const KINDS_BY_RULE: ReadonlyMap<string, readonly string[]> = readEquivalents();

/** Returns the kinds that a rule of another linter means; none for a rule without an equivalent. */
export function equivalentsOf(rule: string): readonly string[] {
  return KINDS_BY_RULE.get(rule) ?? [];
}

function readEquivalents(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { kind, plugins, rules } of EQUIVALENTS) {
    for (const rule of rules.split(" ")) {
      for (const name of plugins?.split(" ").map((plugin) => `${plugin}/${rule}`) ?? [rule])
        found.set(name, [...(found.get(name) ?? []), kind]);
    }
  }
  return found;
}
