import { describe, expect, test } from "vitest";
import { capabilitiesOf, planReview } from "../../../workflows/review/index.ts";
import { importersOf, LeftOutCounter } from "../../../workflows/review/left-out/index.ts";

const sources = (count: number, bytes = 1000) =>
  Array.from({ length: count }, (_, at) => ({ path: `src/${String(at).padStart(4, "0")}.ts`, bytes }));

describe("planning a review", () => {
  test("every analyser with files gets a task, an analyser without files gets none", () => {
    expect(planReview([])).toEqual([]);
    const docsOnly = planReview([{ path: "README.md", bytes: 10 }]);
    expect(docsOnly.flatMap(capabilitiesOf).sort()).toEqual(["review-docs", "review-security"]);
  });

  test("each file is in exactly one task of a capability", () => {
    const tasks = planReview(sources(450), ["review-eslint"]);
    expect(tasks.map(({ files }) => files.length)).toEqual([200, 200, 50]);
    expect(new Set(tasks.flatMap(({ files }) => files)).size).toBe(450);
  });

  test("a task of large files is limited by their bytes", () => {
    const tasks = planReview(sources(9, 1024 * 1024), ["review-eslint"]);
    expect(tasks.map(({ files }) => files.length)).toEqual([4, 4, 1]);
  });

  test("the linters get the same files, in one ballot", () => {
    const [task] = planReview(sources(1), ["review-eslint", "review-oxlint", "review-docs"]);
    expect(task?.by).toEqual({ linters: ["review-oxlint", "review-eslint"] });
  });

  test("an analysis of the whole repository is one task", () => {
    expect(planReview(sources(5000), ["review-architecture"])).toHaveLength(1);
  });

  test("code that is left out is context of the import graph alone", () => {
    const leftOut = new LeftOutCounter();
    leftOut.add("generated", "src/client.generated.ts", "its name");
    leftOut.add("generated", "data.generated.json", "its name");
    leftOut.add("excluded", "src/old.ts", "murmur-review.yaml");
    const importers = importersOf(leftOut.list(), (path) => path.endsWith(".ts"));
    const planned = planReview(sources(1), ["review-architecture", "review-oxlint"], () => true, importers);
    expect(planned.map(({ context }) => context)).toEqual([undefined, ["src/client.generated.ts"]]);
  });

  test("declarations are not linted, but are part of the import graph", () => {
    const files = [{ path: "index.d.ts", bytes: 10 }];
    expect(planReview(files, ["review-oxlint"])).toEqual([]);
    expect(planReview(files, ["review-architecture"])).toHaveLength(1);
  });
});
