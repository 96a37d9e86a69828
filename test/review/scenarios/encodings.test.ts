import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasAnalysers, security } from "../../../agents/lib/review/index.ts";
import { type ReviewReport, runReview } from "../../../workflows/review/index.ts";
import { localSwarm } from "../local-swarm.ts";

/** A fault in the third line, after a line with letters outside of ASCII. */
const CODE = "// na\u00efve caf\u00e9\nexport const run = (text) =>\n  eval(text);\n";
/** 2,500 characters in one line, as people write a long text. */
const LONG = `${"// a line\n".repeat(20)}export const text = "${"five words in a sentence ".repeat(100)}";\neval(text);\n`;
/** 200,000 characters in one line, as a bundler writes code. */
const MINIFIED = `export const list=[${"1,".repeat(100_000)}];eval(list.join())\n`;

const utf16 = (text: string) => Buffer.from(text, "utf16le");

const FILES: Readonly<Record<string, Buffer>> = {
  "utf8-mark.js": Buffer.from(`\uFEFF${CODE}`),
  "utf16-little.js": utf16(`\uFEFF${CODE}`),
  "utf16-big.js": utf16(`\uFEFF${CODE}`).swap16(),
  "utf16-without-mark.js": utf16(CODE),
  "latin1.js": Buffer.from(CODE, "latin1"),
  "crlf.js": Buffer.from(CODE.replaceAll("\n", "\r\n")),
  "old-mac.js": Buffer.from(`${CODE}${"// a line\n".repeat(100)}`.replaceAll("\n", "\r")),
  "zero-early.js": Buffer.from(`"\0";\n${CODE}`),
  "zero-late.js": Buffer.from(`${"// x\n".repeat(4_000)}"\0";\neval(text);\n`),
  "long-line.js": Buffer.from(LONG),
  "minified.js": Buffer.from(MINIFIED),
};

describe.skipIf(!hasAnalysers())("encodings, ends of lines and long lines", { timeout: 60_000 }, () => {
  let directory: string;
  let report: ReviewReport;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "review-encodings-"));
    for (const [name, bytes] of Object.entries(FILES)) await writeFile(join(directory, name), bytes);
    const swarm = localSwarm({ "review-security": security });
    report = await runReview(swarm, { directory, only: ["review-security"] });
  }, 60_000);
  afterAll(() => rm(directory, { recursive: true }));

  test.each([
    ["utf8-mark.js", 3],
    ["utf16-little.js", 3],
    ["utf16-big.js", 3],
    ["latin1.js", 3],
    ["crlf.js", 3],
    ["old-mac.js", 3],
    ["zero-late.js", 4_002],
    ["long-line.js", 22],
  ])("the fault in %s is found, in its line", (file, line) => {
    const found = report.findings.filter((finding) => finding.file === file);
    expect(found.map(({ kind, line: at }) => [kind, at])).toEqual([["code-injection", line]]);
  });

  test("a file that no analyser reads is told with its reason", () => {
    const told = report.leftOut.flatMap(({ reason, files }) =>
      files.map(({ path, because }) => [path, reason, because]),
    );
    expect(told.sort()).toEqual([
      ["minified.js", "minified", expect.any(String)],
      ["utf16-without-mark.js", "binary", "it contains a NUL byte"],
      ["zero-early.js", "binary", "it contains a NUL byte"],
    ]);
  });

  test("no file is missing from the report without a word", () => {
    const judged = report.findings.map(({ file }) => file);
    const told = report.leftOut.flatMap(({ files }) => files.map(({ path }) => path));
    const unjudged = report.coverage.analysers.flatMap((each) => each.unjudged.map(({ file }) => file));
    expect([...new Set([...judged, ...told, ...unjudged])].sort()).toEqual(Object.keys(FILES).sort());
  });
});
