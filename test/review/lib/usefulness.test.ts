// The decision to show a sort of findings by default, from the labels of measured.ts.
import { describe, expect, test } from "vitest";
import { KINDS, MEASURED, printedCountsOf, whyHidden } from "../../../agents/lib/review/index.ts";

const OFF: readonly string[] = [
  "no-inner-declarations",
  "no-global-is-nan",
  "no-blank-target",
  "no-invalid-use-before-declaration",
];

describe("the default list", () => {
  test("a measured kind is shown when at least half of its labels say useful, and at most a quarter false", () => {
    const deciding = MEASURED.filter(([, , , labelled]) => labelled >= 3);
    expect(deciding.length).toBeGreaterThan(20);
    for (const [kind, purpose, agreement, labelled, useful, wrong] of deciding) {
      if (OFF.includes(kind)) continue;
      const isUseful = useful / labelled >= 0.5 && wrong / labelled <= 0.25;
      expect(whyHidden({ kind, purpose, agreement }), `${kind} in ${purpose}`).toBe(
        isUseful ? null : "mostly-noise",
      );
    }
  });

  test("the four kinds that earlier trials found to be noise are off in every sort of file", () => {
    for (const kind of OFF) {
      expect(whyHidden({ kind, purpose: "production", agreement: "all" })).toBe("mostly-noise");
    }
  });

  test("a rule of one linter without labels is hidden, a kind of three linters that agree is shown", () => {
    const sort = { purpose: "production", agreement: "all" } as const;
    expect(whyHidden({ kind: "no-rule-of-that-name", ...sort })).toBe("unmeasured");
    expect(whyHidden({ kind: "with-statement", ...sort })).toBeNull();
  });

  test("labels in tests do not hide a kind of security in production", () => {
    expect(whyHidden({ kind: "secret", purpose: "test", agreement: "all" })).toBe("mostly-noise");
    expect(whyHidden({ kind: "secret", purpose: "production", agreement: "all" })).toBeNull();
  });

  test("a share is printed from ten labels on", () => {
    for (const [kind, purpose, agreement, labelled, useful, wrong] of MEASURED) {
      expect(printedCountsOf({ kind, purpose, agreement })).toEqual(
        labelled >= 10 ? { labelled, useful, false: wrong } : null,
      );
    }
  });

  test("the rows are counts of one sort each, by name", () => {
    const keys = MEASURED.map((row) => JSON.stringify(row.slice(0, 3)));
    expect(keys).toEqual([...new Set(keys)].sort());
    for (const [, , , labelled, useful, wrong] of MEASURED) {
      expect(useful + wrong).toBeLessThanOrEqual(labelled);
    }
    expect(Object.keys(KINDS)).toContain("unused-variable");
  });
});
