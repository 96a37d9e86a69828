import { expect, test } from "vitest";
import type { ReviewCapability, Unjudged } from "../../../agents/lib/review/index.ts";
import { coverageOf } from "../../../workflows/review/index.ts";

const FILES = ["a.ts", "b.ts", "README.md"];

function task(capability: ReviewCapability, files: string[], unjudged: Unjudged[] = []) {
  return { capability, files, answer: { unjudged }, error: null };
}
const broken = { file: "a.ts", why: "parse-error" } as const;

test("a file that one linter cannot judge is told, and no reason to call the review partial", () => {
  const { analysers, missed, unread } = coverageOf(FILES, [
    task("review-oxlint", ["a.ts", "b.ts"]),
    task("review-eslint", ["a.ts", "b.ts"], [broken]),
    task("review-docs", ["README.md"]),
  ]);
  expect(analysers[1]).toEqual({ capability: "review-eslint", judged: 1, unjudged: [broken] });
  expect({ missed, unread }).toEqual({ missed: [], unread: [] });
});

test("a file that no linter judged is missed, even when another analyser read it", () => {
  const { missed, unread } = coverageOf(FILES, [
    task("review-oxlint", ["a.ts", "b.ts"], [broken]),
    task("review-biome", ["a.ts", "b.ts"], [broken]),
    task("review-security", FILES),
  ]);
  expect({ missed, unread }).toEqual({ missed: ["a.ts"], unread: [] });
});

test("a file that no analyser could read is missed; a file for no analyser is only unread", () => {
  const unreadable = { file: "README.md", why: "unreadable" } as const;
  const { missed, unread } = coverageOf(FILES, [task("review-docs", ["README.md"], [unreadable])]);
  const message = "no analyser of this review reads such files";
  expect({ missed, unread }).toEqual({
    missed: ["README.md"],
    unread: [
      { file: "a.ts", why: "not-supported", message },
      { file: "b.ts", why: "not-supported", message },
      unreadable,
    ],
  });
});
