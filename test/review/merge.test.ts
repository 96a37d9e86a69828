import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RawFinding, ReviewCapability } from "../../agents/review/index.ts";
import { confidenceOf, mergeFindings } from "../../workflows/review/index.ts";

const FILE = "src/a.ts";

function raw(facts: Partial<RawFinding> = {}): RawFinding {
  const defaults = { kind: "unused-variable", rule: "no-unused-vars", severity: "low", file: FILE } as const;
  return { ...defaults, line: 3, message: "'a' is never used.", anchor: "const a = 1;", ...facts };
}

function answer(capability: ReviewCapability, findings: RawFinding[] = [], ownRules: string[] = []) {
  return { capability, files: [FILE], findings, ownRules };
}

describe("matching", () => {
  test("the same kind on the same line by three linters is one finding that all three agree on", () => {
    const merged = mergeFindings([
      answer("review-oxlint", [raw()]),
      answer("review-biome", [raw({ rule: "correctness/noUnusedVariables" })]),
      answer("review-eslint", [raw({ rule: "@typescript-eslint/no-unused-vars" })]),
    ]);
    expect(merged).toHaveLength(1);
    expect(merged[0]).toMatchObject({
      agreedBy: ["review-biome", "review-eslint", "review-oxlint"],
      confidence: 0.8,
      rule: "no-unused-vars",
    });
  });

  test("findings two lines apart by different linters are one, three lines apart are two", () => {
    const at = (line: number) => [
      answer("review-oxlint", [raw()]),
      answer("review-eslint", [raw({ line, anchor: "other" })]),
    ];
    expect(mergeFindings(at(5))).toHaveLength(1);
    expect(mergeFindings(at(6))).toHaveLength(2);
  });

  test("neighbouring findings of one linter stay apart, each matched with its own twin", () => {
    const both = [raw({ line: 3, anchor: "a" }), raw({ line: 4, anchor: "b" })];
    const merged = mergeFindings([answer("review-oxlint", both), answer("review-biome", both)]);
    expect(merged.map(({ line, agreedBy }) => [line, agreedBy.length])).toEqual([
      [3, 2],
      [4, 2],
    ]);
  });

  test("several findings of one kind on one line become one that says so", () => {
    const merged = mergeFindings([answer("review-oxlint", [raw(), raw({ message: "'b' is never used." })])]);
    expect(merged.map(({ message }) => message)).toEqual(["'a' is never used. (and 1 more on this line)"]);
  });

  test("where a file does not parse, other findings about its code are dropped", () => {
    const broken = raw({ kind: "syntax-error", severity: "high", line: 9 });
    const merged = mergeFindings([answer("review-biome", [raw(), broken])]);
    expect(merged.map(({ kind }) => kind)).toEqual(["syntax-error"]);
  });
});

describe("confidence", () => {
  test("a linter that looked and was silent lowers it", () => {
    expect(mergeFindings([answer("review-oxlint", [raw()]), answer("review-eslint")])[0]?.confidence).toBe(
      0.5,
    );
  });

  test("a linter that did not look, or looked by the repository's own rules, does not", () => {
    const merged = mergeFindings([answer("review-oxlint", [raw()]), answer("review-eslint", [], [FILE])]);
    expect(merged[0]?.confidence).toBe(0.67);
  });

  test("it grows with agreement and shrinks with silence", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(8), (agreeing, silent) => {
        const able = agreeing + silent;
        expect(confidenceOf(agreeing + 1, able + 1)).toBeGreaterThan(confidenceOf(agreeing, able));
        expect(confidenceOf(agreeing, able + 1)).toBeLessThan(confidenceOf(agreeing, able));
      }),
    );
  });
});

describe("fingerprints", () => {
  test("a finding that moved with its line keeps its fingerprint", () => {
    const before = mergeFindings([answer("review-oxlint", [raw({ line: 3 })])]);
    const after = mergeFindings([answer("review-oxlint", [raw({ line: 40 })])]);
    expect(after[0]?.fingerprint).toBe(before[0]?.fingerprint);
  });

  test("equal lines in one file get different fingerprints", () => {
    const merged = mergeFindings([answer("review-oxlint", [raw({ line: 3 }), raw({ line: 30 })])]);
    expect(new Set(merged.map(({ fingerprint }) => fingerprint)).size).toBe(2);
  });

  test("the order in which answers arrive changes nothing", () => {
    const finding = fc.record({
      kind: fc.constantFrom("unused-variable", "nan-comparison", "code-injection"),
      line: fc.integer({ min: 1, max: 12 }),
    });
    const capability = fc.constantFrom<ReviewCapability>("review-oxlint", "review-biome", "review-eslint");
    const answers = fc.array(fc.tuple(capability, fc.array(finding, { maxLength: 6 })), { maxLength: 3 });
    fc.assert(
      fc.property(answers, (given) => {
        const all = given
          .filter(([name], at) => given.findIndex(([other]) => other === name) === at)
          .map(([name, found]) =>
            answer(
              name,
              found.map((facts) =>
                raw({ ...facts, anchor: String(facts.line), message: `${facts.kind} ${facts.line}` }),
              ),
            ),
          );
        expect(mergeFindings(all.toReversed())).toEqual(mergeFindings(all));
      }),
    );
  });
});

describe("ranking", () => {
  test("severity times agreement decides, and code outranks its tests", () => {
    const merged = mergeFindings([
      answer("review-oxlint", [raw({ kind: "nan-comparison", severity: "high", line: 9 }), raw()]),
      { ...answer("review-tests"), files: [FILE] },
      {
        ...answer("review-biome", [
          raw({ kind: "nan-comparison", severity: "high", file: "test/a.test.ts" }),
        ]),
        files: ["test/a.test.ts"],
      },
    ]);
    expect(merged.map(({ file, kind }) => `${file} ${kind}`)).toEqual([
      "src/a.ts nan-comparison",
      "test/a.test.ts nan-comparison",
      "src/a.ts unused-variable",
    ]);
  });

  test("risky code in a test is low, a secret in a test stays critical", () => {
    const file = "test/a.test.ts";
    const merged = mergeFindings([
      answer("review-security", [
        raw({ kind: "code-injection", severity: "high", file, line: 1 }),
        raw({ kind: "secret", severity: "critical", file, line: 2 }),
      ]),
    ]);
    expect(merged.map(({ kind, severity }) => [kind, severity])).toEqual([
      ["secret", "critical"],
      ["code-injection", "low"],
    ]);
  });
});
