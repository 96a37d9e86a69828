import { expect, test } from "vitest";
import { applyIgnoreComments, readIgnoreComments } from "../../../../workflows/review/suppress/index.ts";
import { finding } from "../formats/sample.ts";

const read = (path: string, text: string) =>
  readIgnoreComments(path, text).map(
    ({ kinds, reason, target }) =>
      `${kinds.join("+")} ${reason === null ? "no reason" : `(${reason})`} ${target}`,
  );

test.each([
  ["a.ts", "// murmur-ignore eval -- ours\n\n// eslint-disable-next-line\nrun();", "eval (ours) 4"],
  ["a.ts", "run(); // murmur-ignore eval, secret -- ours", "eval+secret (ours) 1"],
  ["a.ts", "/* murmur-ignore eval -- ours */\nclass A {\n", "eval (ours) 2"],
  ["a.ts", "  /**\n   * murmur-ignore eval -- ours\n   */\n  #run() {}", "eval (ours) 4"],
  ["a.tsx", "  {/* murmur-ignore eval -- ours */}\n  <a />", "eval (ours) 2"],
  ["a.js", "/* murmur-ignore-file large-file -- a table */", "large-file (a table) null"],
  [
    "a.md",
    "<!-- murmur-ignore broken-link -- made by the site -->\n\n# [a](b)\n",
    "broken-link (made by the site) 3",
  ],
  ["a.vue", "<!-- murmur-ignore eval -- ours -->\n<a />", "eval (ours) 2"],
  ["a.vue", "<script>\n// murmur-ignore eval -- ours\nrun()", "eval (ours) 3"],
  ["a.yaml", "# murmur-ignore secret -- a sample\n# more\nkey: value\n", "secret (a sample) 3"],
  ["Dockerfile", "ENV A=b # murmur-ignore secret -- a sample", "secret (a sample) 1"],
  [".env", "; murmur-ignore secret -- a sample\r\nA=b\r\n", "secret (a sample) 2"],
  ["a.ts", "// murmur-ignore eval\nrun();", "eval no reason 2"],
  ["a.ts", "// murmur-ignore -- because\nrun();", " (because) 2"],
  ["a.ts", "// murmur-ignore eval --\nrun();", "eval no reason 2"],
  ["a.ts", 'run(); // murmur-ignore eval -- it\'s `ours`, "really"', 'eval (it\'s `ours`, "really") 1'],
])("in %s, %j is read as %s", (path, text, expected) => {
  expect(read(path, text)).toEqual([expected]);
});

test.each([
  ["a.ts", 'const s = "// murmur-ignore eval -- no comment";'],
  ["a.ts", "// murmur-ignores eval -- another word"],
  ["a.ts", "# murmur-ignore eval -- no comment of this language"],
  ["a.md", "Write `<!-- murmur-ignore eval -- why -->` above it."],
  ["a.md", "```html\n<!-- murmur-ignore eval -- why -->\n```"],
  ["a.md", "// murmur-ignore eval -- no comment of this language"],
])("in %s, %j is no comment", (path, text) => {
  expect(read(path, text)).toEqual([]);
});

const comments = (text: string) => new Map([["a.ts", readIgnoreComments("a.ts", text)]]);
const at = (line: number, kind = "unused-variable") => ({ ...finding, line, kind });

test("a comment silences its kinds on its line, and a comment for the file on every line", () => {
  const text =
    "// murmur-ignore-file large-file -- a table\n// murmur-ignore unused-variable -- read by name\nx\ny";
  const findings = [at(3), at(4), at(3, "secret"), at(1, "large-file")];
  const applied = applyIgnoreComments(findings, comments(text), () => true);
  expect(applied.findings.map(({ line, kind }) => `${line} ${kind}`)).toEqual([
    "4 unused-variable",
    "3 secret",
  ]);
  expect(
    applied.suppressed.map(({ kind, reason, commentLine }) => `${kind} ${reason} ${commentLine}`),
  ).toEqual(["unused-variable read by name 2", "large-file a table 1"]);
  expect(applied.notes).toEqual([]);
});

test("a comment without a reason silences nothing, and the review says so", () => {
  const applied = applyIgnoreComments([at(2)], comments("// murmur-ignore unused-variable\nx"), () => true);
  expect(applied.findings).toHaveLength(1);
  expect(applied.notes).toMatchObject([
    {
      rule: "ignore-without-reason",
      line: 1,
      message: expect.stringContaining("write: murmur-ignore unused-variable -- the reason"),
    },
  ]);
});

test("a comment without effect is noted where the review is complete, and a mistyped kind is always noted", () => {
  const text = "// murmur-ignore unused-variable, secrte -- a\nx";
  expect(applyIgnoreComments([], comments(text), () => true).notes.map(({ message }) => message)).toEqual([
    "murmur-ignore unused-variable silences nothing; remove it",
    "no finding has the kind secrte; did you mean secret?",
  ]);
  const incomplete = applyIgnoreComments([], comments(text), () => false);
  expect(incomplete.notes.map(({ rule }) => rule)).toEqual(["ignore-unknown-kind"]);
});

test("a note about the review cannot be silenced", () => {
  const note = { ...at(2, "review-note"), severity: "info" as const };
  const applied = applyIgnoreComments([note], comments("// murmur-ignore review-note -- a\nx"), () => true);
  expect(applied.findings).toEqual([note]);
});
