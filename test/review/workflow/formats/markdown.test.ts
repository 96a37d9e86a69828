import { expect, test } from "vitest";
import {
  COMMENT_MARKER,
  FORMATS,
  MAX_COMMENT_CHARACTERS,
  type ReviewReport,
} from "../../../../workflows/review/index.ts";
import { AROUND, finding, report } from "./sample.ts";

const render = (changes: Partial<ReviewReport> = {}) => FORMATS.markdown({ ...report, ...changes }, AROUND);

test("a comment begins with its marker, counts by severity, and folds the findings of each chapter", () => {
  expect(render({ findings: [finding] })).toBe(
    [
      COMMENT_MARKER,
      "### Review: 1 finding (partial)",
      "",
      "| severity | findings |",
      "| --- | ---: |",
      "| low | 1 |",
      "",
      "<details><summary>Correctness (1)</summary>",
      "",
      "[**unused-variable**](https://code.example.test/murmur/docs/review/kinds/unused-variable.md) (low)",
      "",
      "- [`a.ts:1`](https://github.com/owner/name/blob/0123abcd/a.ts#L1) 'a' is never used. <sub>biome + oxlint, not eslint: useful in 30 of 40 (0.60 to 0.86)</sub>",
      "",
      "</details>",
      "",
      "<details><summary>Not judged (1)</summary>",
      "",
      "- docs: its findings in 1 file are missing. timeout: no answer",
      "",
      "</details>",
      "",
      "<sub>Murmur 1.2.3 · 1 file · 1.2 s</sub>",
    ].join("\n"),
  );
});

test("without a web address of the pages, the last line names their folder", () => {
  const text = FORMATS.markdown({ ...report, findings: [finding] }, { ...AROUND, pagesUrl: null });
  expect(text).toContain("\n**unused-variable** (low)\n");
  expect(text.split("\n").at(-1)).toContain(
    "each kind is explained in docs/review/kinds/&#60;kind&#62;.md in the folder of Murmur",
  );
});

test("foreign text makes no mention, no link and no markup", () => {
  const message = "@owner fixes #12 <img src=x> [a](https://example.test) `b` **c** www.example.test :smile:";
  const text = render({ findings: [{ ...finding, file: "a`b.ts", message }] });
  expect(text).toContain("[`` a`b.ts:1 ``]");
  // GitHub shows the message as it is: each mark is one whole entity, and the zero-width space has no width.
  const shown = text.replace(/&#(\d+);/g, (_, code) => (code === "8203" ? "" : String.fromCharCode(code)));
  expect(shown).toContain(message);
  expect(text).not.toMatch(/@owner|#12\b|<img|\[a\]|https:\/\/example|`b`|\*\*c|www\.example|:smile/);
});

test("a comment keeps to the limit of GitHub, closes its folds, and tells how many findings have no room", () => {
  const areas = ["unused-variable", "code-injection", "broken-link", "large-file"];
  const findings = Array.from({ length: 2_000 }, (_, at) => ({
    ...finding,
    kind: areas[at % areas.length] as string,
    line: at + 1,
    message: "x".repeat(at % 400),
  }));
  const text = render({ findings });
  expect(text.length).toBeLessThanOrEqual(MAX_COMMENT_CHARACTERS);
  expect(text.length).toBeGreaterThan(MAX_COMMENT_CHARACTERS - 1_500);
  const items = text.match(/^- \[/gm) ?? [];
  expect(text).toContain(`**${2_000 - items.length} more** have no room in this comment`);
  expect(text.match(/<details>/g)).toHaveLength((text.match(/<\/details>/g) ?? []).length);
});

test("a clean review is a short comment, so that it replaces the comment about earlier findings", () => {
  expect(render({ status: "completed", findings: [], failedTasks: [] }).split("\n")).toEqual([
    COMMENT_MARKER,
    "### Review: no findings",
    "",
    "<sub>Murmur 1.2.3 · 1 file · 1.2 s</sub>",
  ]);
});
