// The decision to show a sort of findings by default, from the labels of measured.ts.
import { describe, expect, test } from "vitest";
import {
  FILE_PURPOSES,
  isShared,
  KINDS,
  MEASURED,
  printedCountsOf,
  whyHidden,
} from "../../../agents/lib/review/index.ts";

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
      if (OFF.includes(kind) || kind === "secret") continue;
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

  test("a kind of one analyser without labels is hidden as well, and grave kinds are not", () => {
    const sort = { purpose: "production", agreement: "all" } as const;
    const measured = new Set(MEASURED.map(([kind]) => kind));
    const own = Object.entries(KINDS).filter(
      ([kind, { area }]) => !isShared(kind) && area !== "about this review",
    );
    const unmeasured = own.filter(([kind]) => !measured.has(kind));
    expect(unmeasured.length).toBeGreaterThan(0);
    for (const [kind, { severity }] of unmeasured) {
      expect(whyHidden({ kind, ...sort }), kind).toBe(severity === "high" ? null : "unmeasured");
    }
    expect(whyHidden({ kind: "focused-test", purpose: "test", agreement: "all" })).toBeNull();
  });

  test("risky code in a test, a benchmark or an example is hidden, and in production and build scripts not", () => {
    const shown = (kind: string) =>
      FILE_PURPOSES.filter((purpose) => whyHidden({ kind, purpose, agreement: "all" }) === null);
    expect(shown("secret")).toEqual(["production", "build"]);
    expect(shown("path-traversal")).toEqual(["production", "build"]);
    expect(shown("tls-check-disabled")).toEqual(["production", "build"]);
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
