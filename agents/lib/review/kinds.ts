// The kinds of findings: chapter, severity, and the rules of each analyser that mean the kind. The table lets findings of
// independent analysers agree. Data and lookups only.
import { LINTERS, type Linter, type ReviewCapability, type Severity } from "./contract.ts";

/** The report's chapters, in this order. */
export const AREAS = [
  "security",
  "correctness",
  "architecture",
  "tests",
  "documentation",
  "performance and size",
  "about this review",
] as const;
export type Area = (typeof AREAS)[number];

export interface Kind {
  area: Area;
  severity: Severity;
  /** The analysers that can report the kind, and their rules for it (empty: the analyser names its rules itself). */
  seenBy: Partial<Record<ReviewCapability, readonly string[]>>;
}

const SECURITY = { "review-security": [] } as const;
const ARCHITECTURE = { "review-architecture": [] } as const;
const PERFORMANCE = { "review-performance": [] } as const;
const TESTS = { "review-tests": [] } as const;
const DOCS = { "review-docs": [] } as const;

/** Every kind that the review knows by name. */
export const KINDS: Readonly<Record<string, Kind>> = {
  // security
  secret: { area: "security", severity: "critical", seenBy: SECURITY },
  "code-injection": {
    area: "security",
    severity: "high",
    seenBy: { ...SECURITY, ...linters(["no-eval"], ["security/noGlobalEval"], ["no-eval"]) },
  },
  "command-injection": { area: "security", severity: "high", seenBy: SECURITY },
  "sql-injection": { area: "security", severity: "high", seenBy: SECURITY },
  "path-traversal": { area: "security", severity: "high", seenBy: SECURITY },
  "tls-check-disabled": { area: "security", severity: "high", seenBy: SECURITY },
  "unsafe-regex": { area: "security", severity: "medium", seenBy: SECURITY },
  "weak-randomness": { area: "security", severity: "medium", seenBy: SECURITY },
  "weak-cipher": { area: "security", severity: "medium", seenBy: SECURITY },
  "lockfile-missing": { area: "security", severity: "medium", seenBy: SECURITY },
  "lockfile-out-of-step": { area: "security", severity: "high", seenBy: SECURITY },
  "lockfile-insecure-source": { area: "security", severity: "high", seenBy: SECURITY },
  "lockfile-foreign-source": { area: "security", severity: "medium", seenBy: SECURITY },
  "lockfile-no-integrity": { area: "security", severity: "medium", seenBy: SECURITY },
  "install-script": { area: "security", severity: "low", seenBy: SECURITY },

  // correctness: oxlint, Biome and ESLint (with typescript-eslint), matched rule by rule
  "syntax-error": correctness("high", ["parse"], ["parse"], ["parse"]),
  "unused-variable": correctness(
    "low",
    ["no-unused-vars"],
    ["correctness/noUnusedVariables", "correctness/noUnusedImports"],
    ["no-unused-vars", "@typescript-eslint/no-unused-vars"],
  ),
  "unused-label": correctness(
    "low",
    ["no-unused-labels"],
    ["correctness/noUnusedLabels"],
    ["no-unused-labels"],
  ),
  "unused-private-member": correctness(
    "low",
    ["no-unused-private-class-members"],
    ["correctness/noUnusedPrivateClassMembers"],
    ["no-unused-private-class-members"],
  ),
  "nan-comparison": correctness("high", ["use-isnan"], ["correctness/useIsNan"], ["use-isnan"]),
  "loop-direction": correctness(
    "high",
    ["for-direction"],
    ["correctness/useValidForDirection"],
    ["for-direction"],
  ),
  "invalid-typeof": correctness("high", ["valid-typeof"], ["correctness/useValidTypeof"], ["valid-typeof"]),
  "unreachable-code": correctness(
    "medium",
    ["no-unreachable"],
    ["correctness/noUnreachable"],
    ["no-unreachable"],
  ),
  "constant-condition": correctness(
    "medium",
    ["no-constant-condition"],
    ["correctness/noConstantCondition"],
    ["no-constant-condition"],
  ),
  "constant-expression": correctness(
    "high",
    ["no-constant-binary-expression"],
    ["suspicious/noConstantBinaryExpressions"],
    ["no-constant-binary-expression"],
  ),
  "const-assignment": correctness(
    "high",
    ["no-const-assign"],
    ["correctness/noConstAssign"],
    ["no-const-assign"],
  ),
  "self-assignment": correctness(
    "medium",
    ["no-self-assign"],
    ["correctness/noSelfAssign"],
    ["no-self-assign"],
  ),
  "self-comparison": correctness(
    "medium",
    ["no-self-compare"],
    ["suspicious/noSelfCompare"],
    ["no-self-compare"],
  ),
  "setter-return": correctness(
    "medium",
    ["no-setter-return"],
    ["correctness/noSetterReturn"],
    ["no-setter-return"],
  ),
  "getter-return": correctness(
    "medium",
    ["getter-return"],
    ["suspicious/useGetterReturn"],
    ["getter-return"],
  ),
  "unsafe-finally": correctness(
    "high",
    ["no-unsafe-finally"],
    ["correctness/noUnsafeFinally"],
    ["no-unsafe-finally"],
  ),
  "unsafe-optional-chaining": correctness(
    "high",
    ["no-unsafe-optional-chaining"],
    ["correctness/noUnsafeOptionalChaining"],
    ["no-unsafe-optional-chaining"],
  ),
  "unsafe-negation": correctness(
    "high",
    ["no-unsafe-negation"],
    ["suspicious/noUnsafeNegation"],
    ["no-unsafe-negation"],
  ),
  "case-declaration": correctness(
    "low",
    ["no-case-declarations"],
    ["correctness/noSwitchDeclarations"],
    ["no-case-declarations"],
  ),
  "case-fallthrough": correctness(
    "medium",
    ["no-fallthrough"],
    ["suspicious/noFallthroughSwitchClause"],
    ["no-fallthrough"],
  ),
  "duplicate-case": correctness(
    "high",
    ["no-duplicate-case"],
    ["suspicious/noDuplicateCase"],
    ["no-duplicate-case"],
  ),
  "duplicate-condition": correctness(
    "high",
    ["no-dupe-else-if"],
    ["suspicious/noDuplicateElseIf"],
    ["no-dupe-else-if"],
  ),
  "duplicate-key": correctness(
    "high",
    ["no-dupe-keys"],
    ["suspicious/noDuplicateObjectKeys"],
    ["no-dupe-keys"],
  ),
  "duplicate-member": correctness(
    "high",
    ["no-dupe-class-members"],
    ["suspicious/noDuplicateClassMembers"],
    ["no-dupe-class-members", "@typescript-eslint/no-dupe-class-members"],
  ),
  redeclaration: correctness(
    "medium",
    ["no-redeclare"],
    ["suspicious/noRedeclare"],
    ["no-redeclare", "@typescript-eslint/no-redeclare"],
  ),
  "debugger-statement": correctness("medium", ["no-debugger"], ["suspicious/noDebugger"], ["no-debugger"]),
  "async-promise-executor": correctness(
    "high",
    ["no-async-promise-executor"],
    ["suspicious/noAsyncPromiseExecutor"],
    ["no-async-promise-executor"],
  ),
  "caught-error-assignment": correctness(
    "medium",
    ["no-ex-assign"],
    ["suspicious/noCatchAssign"],
    ["no-ex-assign"],
  ),
  "function-assignment": correctness(
    "high",
    ["no-func-assign"],
    ["suspicious/noFunctionAssign"],
    ["no-func-assign"],
  ),
  "class-assignment": correctness(
    "high",
    ["no-class-assign"],
    ["suspicious/noClassAssign"],
    ["no-class-assign"],
  ),
  "import-assignment": correctness(
    "high",
    ["no-import-assign"],
    ["suspicious/noImportAssign"],
    ["no-import-assign"],
  ),
  "global-assignment": correctness(
    "high",
    ["no-global-assign"],
    ["suspicious/noGlobalAssign"],
    ["no-global-assign"],
  ),
  "negative-zero-comparison": correctness(
    "medium",
    ["no-compare-neg-zero"],
    ["suspicious/noCompareNegZero"],
    ["no-compare-neg-zero"],
  ),
  "sparse-array": correctness(
    "medium",
    ["no-sparse-arrays"],
    ["suspicious/noSparseArray"],
    ["no-sparse-arrays"],
  ),
  "precision-loss": correctness(
    "medium",
    ["no-loss-of-precision"],
    ["correctness/noPrecisionLoss"],
    ["no-loss-of-precision"],
  ),
  "prototype-builtin": correctness(
    "low",
    ["no-prototype-builtins"],
    ["suspicious/noPrototypeBuiltins"],
    ["no-prototype-builtins"],
  ),
  "irregular-whitespace": correctness(
    "low",
    ["no-irregular-whitespace"],
    ["suspicious/noIrregularWhitespace"],
    ["no-irregular-whitespace"],
  ),
  "misleading-character-class": correctness(
    "medium",
    ["no-misleading-character-class"],
    ["suspicious/noMisleadingCharacterClass"],
    ["no-misleading-character-class"],
  ),
  "empty-character-class": correctness(
    "medium",
    ["no-empty-character-class"],
    ["correctness/noEmptyCharacterClassInRegex"],
    ["no-empty-character-class"],
  ),
  "global-object-call": correctness(
    "high",
    ["no-obj-calls"],
    ["correctness/noGlobalObjectCalls"],
    ["no-obj-calls"],
  ),
  "super-call": correctness(
    "high",
    ["constructor-super", "no-this-before-super"],
    ["correctness/noInvalidConstructorSuper", "correctness/noUnreachableSuper"],
    ["constructor-super", "no-this-before-super"],
  ),
  "with-statement": correctness("high", ["no-with"], ["suspicious/noWith"], ["no-with"]),
  "unsafe-declaration-merging": correctness(
    "medium",
    ["no-unsafe-declaration-merging"],
    ["suspicious/noUnsafeDeclarationMerging"],
    ["@typescript-eslint/no-unsafe-declaration-merging"],
  ),
  "misused-new": correctness(
    "medium",
    ["no-misused-new"],
    ["suspicious/noMisleadingInstantiator"],
    ["@typescript-eslint/no-misused-new"],
  ),
  "duplicate-enum-value": correctness(
    "medium",
    ["no-duplicate-enum-values"],
    ["suspicious/noDuplicateEnumValues"],
    ["@typescript-eslint/no-duplicate-enum-values"],
  ),
  "non-null-asserted-optional-chain": correctness(
    "medium",
    ["no-non-null-asserted-optional-chain"],
    ["suspicious/noNonNullAssertedOptionalChain"],
    ["@typescript-eslint/no-non-null-asserted-optional-chain"],
  ),

  // architecture
  "import-cycle": { area: "architecture", severity: "medium", seenBy: ARCHITECTURE },
  "type-import-cycle": { area: "architecture", severity: "low", seenBy: ARCHITECTURE },
  "unresolved-import": { area: "architecture", severity: "high", seenBy: ARCHITECTURE },
  "undeclared-dependency": { area: "architecture", severity: "medium", seenBy: ARCHITECTURE },
  "orphan-module": { area: "architecture", severity: "low", seenBy: ARCHITECTURE },
  "hub-module": { area: "architecture", severity: "low", seenBy: ARCHITECTURE },

  // tests
  "focused-test": { area: "tests", severity: "high", seenBy: TESTS },
  "skipped-test": { area: "tests", severity: "low", seenBy: TESTS },
  "test-without-assertion": { area: "tests", severity: "low", seenBy: TESTS },
  "untested-source": { area: "tests", severity: "low", seenBy: TESTS },

  // documentation
  "broken-link": { area: "documentation", severity: "medium", seenBy: DOCS },
  "broken-anchor": { area: "documentation", severity: "low", seenBy: DOCS },
  "unknown-command": { area: "documentation", severity: "medium", seenBy: DOCS },

  // performance and size
  "large-file": { area: "performance and size", severity: "low", seenBy: PERFORMANCE },
  "long-function": { area: "performance and size", severity: "low", seenBy: PERFORMANCE },
  "complex-function": { area: "performance and size", severity: "medium", seenBy: PERFORMANCE },
  "heavy-import": { area: "performance and size", severity: "low", seenBy: PERFORMANCE },
  "sync-io-in-async": { area: "performance and size", severity: "medium", seenBy: PERFORMANCE },
  "await-in-loop": { area: "performance and size", severity: "low", seenBy: PERFORMANCE },

  // notes of the review about itself
  "review-note": { area: "about this review", severity: "info", seenBy: {} },
};

/**
 * Returns the kind of a linter's rule, and its severity. A rule that no other analyser has keeps its own name, so no other
 * analyser can agree with it. Its severity is one step below the linter's own, because linters know errors and warnings only.
 */
export function kindOfRule(
  linter: Linter,
  rule: string,
  isError: boolean,
): { kind: string; severity: Severity } {
  const kind = knownKind(linter, rule);
  if (kind !== undefined) return { kind, severity: KINDS[kind]?.severity ?? "low" };
  return { kind: kebab(rule), severity: isError ? "medium" : "low" };
}

/** Returns the kind that a linter's rule shares with other linters; undefined when no other linter has such a rule. */
export function knownKind(linter: Linter, rule: string): string | undefined {
  return KIND_BY_RULE.get(`${linter} ${rule}`);
}

/** Returns the chapter of a kind; a rule that only one linter has belongs to correctness. */
export function areaOf(kind: string): Area {
  return KINDS[kind]?.area ?? "correctness";
}

/** True when every linter has a rule for this kind, so that they can agree on it. */
export function isShared(kind: string): boolean {
  const seenBy = KINDS[kind]?.seenBy;
  return seenBy !== undefined && LINTERS.every((linter) => seenBy[linter] !== undefined);
}

const KIND_BY_RULE: ReadonlyMap<string, string> = new Map(
  Object.entries(KINDS).flatMap(([kind, { seenBy }]) =>
    Object.entries(seenBy).flatMap(([capability, rules]) =>
      rules.map((rule): [string, string] => [`${capability} ${rule}`, kind]),
    ),
  ),
);

function correctness(
  severity: Severity,
  oxlint: readonly string[],
  biome: readonly string[],
  eslint: readonly string[],
): Kind {
  return { area: "correctness", severity, seenBy: linters(oxlint, biome, eslint) };
}

function linters(
  oxlint: readonly string[],
  biome: readonly string[],
  eslint: readonly string[],
): Record<Linter, readonly string[]> {
  return { "review-oxlint": oxlint, "review-biome": biome, "review-eslint": eslint };
}

/** `correctness/noVoidTypeReturn` → `no-void-type-return`; `@typescript-eslint/no-x` → `no-x`. */
function kebab(rule: string): string {
  const name = rule.slice(rule.lastIndexOf("/") + 1);
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .slice(0, 100);
}
