import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anchorOf } from "../../../agents/lib/review/files.ts";
import {
  castVote,
  LINTERS,
  printedCountsOf,
  type RawFinding,
  type ReviewCapability,
} from "../../../agents/lib/review/index.ts";
import {
  type Answer,
  type Finding,
  isDoubtful,
  lintBallot,
  mergeFindings,
  readVerdict,
  sortOf,
} from "../../../workflows/review/index.ts";
import { countVotes } from "../local-swarm.ts";

const FILE = "src/a.ts";

function raw(facts: Partial<RawFinding> = {}): RawFinding {
  const defaults = { kind: "unused-variable", rule: "no-unused-vars", severity: "low", file: FILE } as const;
  return { ...defaults, line: 3, message: "'a' is never used.", anchor: "const a = 1;", ...facts };
}

function answer(capability: ReviewCapability, findings: RawFinding[] = [], unsure: string[] = []): Answer {
  return { capability, files: [FILE], findings, unsure, unjudged: [] };
}

/** Merges answers as a review does: the answers of the linters go through their ballot. */
function merge(answers: readonly Answer[]): Finding[] {
  const linters = LINTERS.filter((linter) => answers.some(({ capability }) => capability === linter));
  if (linters.length === 0) return mergeFindings(answers);
  const outputs = linters.map((linter) => {
    const { findings, unsure } = answers.find(({ capability }) => capability === linter) as Answer;
    const output = castVote({ findings: [...findings], unsure: [...unsure], unjudged: [] });
    return { status: "completed", output } as const;
  });
  const { verdict } = countVotes(lintBallot(linters, 1_000), outputs);
  const counted = answers.map((each) => {
    const { uncounted } = outputs[(linters as string[]).indexOf(each.capability)]?.output ?? {};
    return { ...each, uncounted };
  });
  return mergeFindings(counted, readVerdict(verdict, linters));
}

describe("matching", () => {
  test("reports of one kind on one line by three linters are one finding that all three agree on", () => {
    const merged = merge([
      answer("review-oxlint", [raw()]),
      answer("review-biome", [raw({ rule: "correctness/noUnusedVariables" })]),
      answer("review-eslint", [raw({ rule: "@typescript-eslint/no-unused-vars" })]),
    ]);
    expect(merged).toHaveLength(1);
    expect(merged[0]).toMatchObject({
      agreedBy: ["review-biome", "review-eslint", "review-oxlint"],
      silent: [],
      rule: "no-unused-vars",
    });
  });

  test("the same kind two lines away is another finding", () => {
    const merged = merge([
      answer("review-oxlint", [raw()]),
      answer("review-eslint", [raw({ line: 5, anchor: "other" })]),
    ]);
    expect(merged.map(({ line, agreedBy, silent }) => [line, agreedBy, silent])).toEqual([
      [3, ["review-oxlint"], ["review-eslint"]],
      [5, ["review-eslint"], ["review-oxlint"]],
    ]);
  });

  test("one fault that linters place on neighbouring lines is one finding, at the place of the majority", () => {
    const merged = merge([
      answer("review-oxlint", [raw({ line: 4, anchor: "b" })]),
      answer("review-biome", [raw({ line: 4, anchor: "b" })]),
      answer("review-eslint", [raw({ line: 3, anchor: "a" })]),
    ]);
    expect(merged.map(({ line, agreedBy, silent }) => [line, agreedBy.length, silent])).toEqual([[4, 3, []]]);
  });

  test("findings of one linter on neighbouring lines stay separate, each matched with the other linter's finding", () => {
    const both = [raw({ line: 3, anchor: "a" }), raw({ line: 4, anchor: "b" })];
    const merged = merge([answer("review-oxlint", both), answer("review-biome", both)]);
    expect(merged.map(({ line, agreedBy }) => [line, agreedBy.length])).toEqual([
      [3, 2],
      [4, 2],
    ]);
  });

  test("several findings of one kind on one line become one finding, whose message counts them", () => {
    const merged = merge([answer("review-oxlint", [raw(), raw({ message: "'b' is never used." })])]);
    expect(merged.map(({ message }) => message)).toEqual(["'a' is never used. (and 1 more on this line)"]);
  });

  test("a linter that cannot parse a file removes no finding of the others, and is not silent about them", () => {
    const broken = raw({ kind: "syntax-error", severity: "high", line: 9 });
    const unjudged = [{ file: FILE, why: "parse-error" as const }];
    const merged = merge([
      { ...answer("review-biome", [broken]), unjudged },
      answer("review-oxlint", [raw()]),
      answer("review-eslint", [raw()]),
    ]);
    expect(new Set(merged.map(({ kind, agreedBy, silent }) => [kind, agreedBy.length, silent]))).toEqual(
      new Set([
        ["syntax-error", 1, ["review-eslint", "review-oxlint"]],
        ["unused-variable", 2, []],
      ]),
    );
  });

  test("a file with more findings than a ballot compares keeps all of them, with the same agreement", () => {
    const many = Array.from({ length: 1_200 }, (_, at) => raw({ line: at + 1, anchor: `${at}` }));
    const other = raw({ file: "src/b.ts" });
    const merged = merge([
      { ...answer("review-oxlint", [...many, other]), files: [FILE, "src/b.ts"] },
      { ...answer("review-biome", [...many.slice(1), other]), files: [FILE, "src/b.ts"] },
      { ...answer("review-eslint", many.slice(0, 100)), files: [FILE, "src/b.ts"] },
    ]);
    expect(merged).toHaveLength(1_201);
    const at = (line: number, file = FILE) =>
      merged.find((finding) => finding.line === line && finding.file === file);
    expect(at(1)).toMatchObject({ agreedBy: ["review-eslint", "review-oxlint"], silent: ["review-biome"] });
    expect(at(50)).toMatchObject({ silent: [] });
    expect(at(1_200)).toMatchObject({ silent: ["review-eslint"] });
    expect(at(3, "src/b.ts")).toMatchObject({ silent: ["review-eslint"] });
  });
});

describe("agreement", () => {
  test("a linter that looked at the file and did not report the finding is silent", () => {
    const [finding] = merge([
      answer("review-oxlint", [raw()]),
      answer("review-biome", [raw()]),
      answer("review-eslint"),
    ]);
    expect(finding).toMatchObject({
      agreedBy: ["review-biome", "review-oxlint"],
      silent: ["review-eslint"],
    });
  });

  test("the silence of a linter that used the repository's own rules does not count", () => {
    const [finding] = merge([answer("review-oxlint", [raw()]), answer("review-eslint", [], [FILE])]);
    expect(finding).toMatchObject({ silent: [] });
  });

  test("a finding has a confidence when its kind, purpose and agreement have enough labels, with the labels", () => {
    const merged = merge([
      answer("review-oxlint", [raw(), raw({ kind: "debugger-statement", line: 9 })]),
      answer("review-biome", [raw(), raw({ kind: "debugger-statement", line: 9 })]),
      answer("review-eslint", [raw(), raw({ kind: "debugger-statement", line: 9 })]),
    ]);
    for (const finding of merged) {
      const counts = printedCountsOf(sortOf(finding));
      expect(finding.measured).toEqual(counts);
      expect(finding.confidence).toBe(
        counts === null ? null : Math.round((100 * counts.useful) / counts.labelled) / 100,
      );
    }
    expect(merged.find(({ kind }) => kind === "unused-variable")?.confidence).toBeGreaterThan(0.5);
    expect(merged.find(({ kind }) => kind === "debugger-statement")?.confidence).toBeNull();
  });

  test("a kind that is off by default is not shown, and says why", () => {
    const off = raw({ kind: "no-global-is-nan", rule: "suspicious/noGlobalIsNan" });
    const merged = merge([answer("review-biome", [off, raw()])]);
    expect(merged.map(({ kind, shown, whyHidden }) => [kind, shown, whyHidden])).toEqual(
      expect.arrayContaining([["no-global-is-nan", false, "mostly-noise"]]),
    );
  });

  test("a finding that half of the linters do not see is not shown, and says why", () => {
    const [finding] = merge([answer("review-biome", [raw()]), answer("review-oxlint")]);
    expect(finding).toMatchObject({ shown: false, whyHidden: "outvoted" });
  });

  test("a finding is doubtful when at least as many linters are silent as report it", () => {
    const by = (agreeing: number, silent: number) => ({
      agreedBy: LINTERS.slice(0, agreeing),
      silent: LINTERS.slice(0, silent),
    });
    expect(
      [by(1, 2), by(1, 1), by(2, 1), by(1, 0)].map((given) =>
        isDoubtful({ agreedBy: [...given.agreedBy], silent: [...given.silent] }),
      ),
    ).toEqual([true, true, false, false]);
  });

  test("an analyser that is not a linter is named, but its report is not a vote", () => {
    const evil = raw({ kind: "code-injection", rule: "no-eval", severity: "high" });
    const [finding] = merge([
      answer("review-security", [evil]),
      answer("review-oxlint", [evil]),
      answer("review-biome"),
    ]);
    expect(finding).toMatchObject({
      agreedBy: ["review-oxlint", "review-security"],
      silent: ["review-biome"],
    });
  });
});

describe("fingerprints", () => {
  test("a finding that moved with its line keeps its fingerprint", () => {
    const before = merge([answer("review-oxlint", [raw({ line: 3 })])]);
    const after = merge([answer("review-oxlint", [raw({ line: 40 })])]);
    expect(after[0]?.fingerprint).toBe(before[0]?.fingerprint);
  });

  test("equal lines in one file get different fingerprints", () => {
    const merged = merge([answer("review-oxlint", [raw({ line: 3 }), raw({ line: 30 })])]);
    expect(new Set(merged.map(({ fingerprint }) => fingerprint)).size).toBe(2);
  });

  test("the order of the answers does not change the findings", () => {
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
        expect(merge(all.toReversed())).toEqual(merge(all));
      }),
    );
  });
});

describe("ranking", () => {
  test("of one severity, three linters that agree come before one alone", () => {
    const one = raw({ kind: "duplicate-key", severity: "high", line: 2 });
    const three = raw({ kind: "nan-comparison", severity: "high", line: 90 });
    const merged = merge([
      answer("review-oxlint", [one, three]),
      answer("review-biome", [three]),
      answer("review-eslint", [three]),
    ]);
    expect(merged.map(({ kind }) => kind)).toEqual(["nan-comparison", "duplicate-key"]);
  });

  test("findings are ordered by severity times usefulness, and code comes before its tests", () => {
    const found = [
      raw({ kind: "nan-comparison", severity: "high", line: 9 }),
      raw({ kind: "nan-comparison", severity: "high", file: "test/a.test.ts" }),
      raw(),
    ];
    const merged = merge(LINTERS.map((linter) => answer(linter, found)));
    expect(merged.map(({ file, kind }) => `${file} ${kind}`)).toEqual([
      "src/a.ts nan-comparison",
      "test/a.test.ts nan-comparison",
      "src/a.ts unused-variable",
    ]);
  });

  test("risky code in a test is low, a secret in a test stays critical", () => {
    const file = "test/a.test.ts";
    const merged = merge([
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

describe("the identity of findings", () => {
  /** Makes the findings of a file: one for each line that begins with `debugger`. */
  const findingsOf = (lines: readonly string[]) =>
    lines.flatMap((line, at) =>
      line.startsWith("debugger")
        ? [raw({ kind: "debugger-statement", line: at + 1, anchor: anchorOf(line) })]
        : [],
    );
  const identities = (lines: readonly string[]) =>
    mergeFindings([answer("review-oxlint", findingsOf(lines))])
      .toSorted((a, b) => a.line - b.line)
      .map(({ fingerprint }) => fingerprint);

  test("stays when unrelated lines are added and removed, and N equal lines have N identities", () => {
    const line = fc.constantFrom("debugger;", "debugger; // 2", "  a();", "", "}");
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 30 }),
        fc.array(fc.nat({ max: 30 }), { maxLength: 8 }),
        (lines, places) => {
          const before = identities(lines);
          expect(new Set(before).size).toBe(before.length);
          const more = places.reduce<string[]>(
            (all, at) => all.toSpliced(at % (all.length + 1), 0, "b();"),
            [...lines],
          );
          expect(identities(more)).toEqual(before);
          expect(identities(lines.filter((each) => each.startsWith("debugger")))).toEqual(before);
          // Another indentation is the same line.
          expect(identities(lines.map((each) => (each.startsWith("debugger") ? `${each}  ` : each)))).toEqual(
            before,
          );
        },
      ),
    );
  });
});
