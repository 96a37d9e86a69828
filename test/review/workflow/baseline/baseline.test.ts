import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  BASELINE_FILE,
  compareWithBaseline,
  parseBaseline,
  placeBaseline,
  readBaseline,
  renderBaseline,
  writeBaseline,
} from "../../../../workflows/review/baseline/index.ts";
import { prepareReview } from "../../../../workflows/review/index.ts";

const made: string[] = [];
afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true });
});

function folder(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "review-baseline-")));
  made.push(directory);
  return directory;
}

let count = 0;
function entry(file: string, anchor: string, kind = "empty-block") {
  count += 1;
  return { fingerprint: count.toString(16).padStart(16, "0"), kind, file, line: 3, anchor };
}

const inDirectory = (directory: string, file: string | true = true) =>
  placeBaseline({ directory, named: directory, file });

describe("the file of a baseline", () => {
  test("has one finding a line, sorted by place, and reads back as it was written", () => {
    const entries = [entry("b.ts", "x"), { ...entry("a.ts", "y"), line: 20 }, entry("a.ts", "z")];
    const text = renderBaseline(entries);
    expect(text.split("\n").filter((line) => line.includes("fingerprint"))).toHaveLength(3);
    expect(parseBaseline(text, "f")).toEqual([entries[2], entries[1], entries[0]]);
    expect(parseBaseline(renderBaseline([]), "f")).toEqual([]);
    expect(renderBaseline(entries.toReversed())).toBe(text);
  });

  test.each([
    [
      "not JSON",
      "{",
      "it is not JSON; restore it from version control, or write it anew with --write-baseline",
    ],
    ["a merge conflict", '{\n<<<<<<< ours\n"version": 1}', "it has the marks of a merge conflict"],
    [
      "another version",
      '{"version":7,"lines":[]}',
      "expected a baseline of version 1 in f, got version 7; write it anew",
    ],
    ["no version", '{"findings":[]}', "f is damaged at version"],
    ["another document", "[1]", "f is damaged at the document"],
    [
      "a damaged finding",
      renderBaseline([entry("a.ts", "x")]).replace('"line":3', '"line":0'),
      "f is damaged at findings.0.line",
    ],
    [
      "a path out of the directory",
      renderBaseline([entry("../a.ts", "x")]),
      "f is damaged at findings.0.file",
    ],
  ])("with %s is rejected with the next step", (_, text, message) => {
    expect(() => parseBaseline(text, "f")).toThrow(
      expect.objectContaining({ code: "invalid_input", message: expect.stringContaining(message) }),
    );
  });

  test("is found by its default name, by a name inside through a linked directory, and elsewhere", () => {
    const directory = folder();
    const link = join(folder(), "link");
    symlinkSync(directory, link);
    const place = (file: string | true) => placeBaseline({ directory, named: link, file });
    expect(place(true)).toEqual({ file: join(directory, BASELINE_FILE), inside: BASELINE_FILE });
    expect(place(join(link, "ci/known.json"))).toEqual({
      file: join(directory, "ci/known.json"),
      inside: "ci/known.json",
    });
    expect(place("/elsewhere/b.json")).toEqual({ file: "/elsewhere/b.json", inside: null });
  });

  test("that is missing, or that a link in the repository leads away from, is not read", async () => {
    const directory = folder();
    await expect(readBaseline(directory, inDirectory(directory))).rejects.toMatchObject({
      code: "not_found",
      message: `there is no baseline ${BASELINE_FILE}; write it with --write-baseline`,
    });
    const outside = join(folder(), "b.json");
    writeFileSync(outside, renderBaseline([]));
    symlinkSync(outside, join(directory, BASELINE_FILE));
    await expect(readBaseline(directory, inDirectory(directory))).rejects.toThrow("no link to the outside");
    expect(await readBaseline(directory, inDirectory(directory, outside))).toEqual([]);
  });

  test("replaces the old one as a whole and leaves no other file", async () => {
    const directory = folder();
    const place = inDirectory(directory);
    await writeBaseline(directory, place, [entry("a.ts", "x")]);
    const before = lstatSync(place.file).ino;
    await writeBaseline(directory, place, []);
    expect(lstatSync(place.file).ino).not.toBe(before);
    expect(readFileSync(place.file, "utf8")).toBe(renderBaseline([]));
    expect(readdirSync(directory)).toEqual([BASELINE_FILE]);
  });

  test("is not written through a link, to a folder, or into a missing folder", async () => {
    const directory = folder();
    const outside = folder();
    const reject = async (file: string, message: string) =>
      await expect(
        writeBaseline(directory, inDirectory(directory, join(directory, file)), []),
      ).rejects.toMatchObject({
        code: "invalid_input",
        message: expect.stringContaining(message),
      });
    symlinkSync(outside, join(directory, "ci"));
    await reject(
      "ci/b.json",
      "a link leads from ci/b.json out of the reviewed directory; nothing was written",
    );
    symlinkSync(join(outside, "new.json"), join(directory, "link.json"));
    await reject("link.json", "link.json is a link; nothing was written");
    mkdirSync(join(directory, "b.json"));
    await reject("b.json", "b.json is not a file");
    await reject("none/b.json", "the folder of none/b.json does not exist");
    expect(readdirSync(outside)).toEqual([]);
    expect(lstatSync(join(directory, "link.json")).isSymbolicLink()).toBe(true);
  });
});

describe("a comparison with a baseline", () => {
  /** The findings after the change, beside the entries before it; `there`: the files that still exist. */
  const compare = (
    after: ReturnType<typeof entry>[],
    before: ReturnType<typeof entry>[],
    there: string[],
  ) => {
    const { known, gone } = compareWithBaseline(after, before, (file) => there.includes(file));
    return {
      known: after.map(({ fingerprint }) => known.has(fingerprint)),
      gone: gone.map(({ fingerprint }) => fingerprint),
    };
  };

  test("goes by the fingerprint, wherever the line is now", () => {
    const [a, b] = [entry("a.ts", "x"), entry("a.ts", "y")];
    const fresh = entry("a.ts", "z");
    expect(compare([{ ...a, line: 90 }, fresh], [a, b], ["a.ts"])).toEqual({
      known: [true, false],
      gone: [b.fingerprint],
    });
  });

  test("knows the findings of a file that moved to another folder, or was renamed", () => {
    const before = [entry("old/a.ts", "x"), entry("old/a.ts", "0", "untested-source")];
    const moved = [entry("new/a.ts", "x"), entry("new/a.ts", "0", "untested-source"), entry("new/a.ts", "y")];
    expect(compare(moved, before, ["new/a.ts"])).toEqual({ known: [true, true, false], gone: [] });
    const renamed = [entry("b.ts", "x"), entry("b.ts", "y")];
    expect(compare(renamed, [entry("a.ts", "x"), entry("a.ts", "y")], ["b.ts"])).toEqual({
      known: [true, true],
      gone: [],
    });
  });

  test.each([
    ["the old file is still there", [entry("new/a.ts", "x")], [entry("a.ts", "x")], ["a.ts", "new/a.ts"]],
    [
      "only one problem is shared and the name is another",
      [entry("b.ts", "x")],
      [entry("a.ts", "x")],
      ["b.ts"],
    ],
    [
      "two files could be the new one",
      [entry("b/a.ts", "x"), entry("c/a.ts", "x")],
      [entry("a.ts", "x")],
      ["b/a.ts", "c/a.ts"],
    ],
    [
      "two files could be the old one",
      [entry("c/a.ts", "x")],
      [entry("a/a.ts", "x"), entry("b/a.ts", "x")],
      ["c/a.ts"],
    ],
    [
      "the new file has known findings already",
      [entry("b/a.ts", "x")],
      [entry("a.ts", "x"), entry("b/a.ts", "y")],
      ["b/a.ts"],
    ],
    [
      "the anchors name nothing",
      [entry("b/a.ts", "0", "orphan-module")],
      [entry("a.ts", "0", "orphan-module")],
      ["b/a.ts"],
    ],
  ])("takes no finding for a moved one when %s", (_, after, before, there) => {
    const { known, gone } = compare(after, before, there);
    expect(known.some(Boolean)).toBe(false);
    expect(gone).toHaveLength(before.length);
  });

  test("never takes a secret in another file for a known one", () => {
    const before = [entry("old/a.ts", "x"), entry("old/a.ts", "AWS", "secret")];
    const after = [entry("new/a.ts", "x"), entry("new/a.ts", "AWS", "secret")];
    expect(compare(after, before, ["new/a.ts"]).known).toEqual([true, false]);
  });
});

test("a baseline is made of a whole review only", async () => {
  const directory = folder();
  const reject = async (more: object, flag: string) =>
    await expect(prepareReview({ directory, writeBaseline: true, ...more })).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining(`leave ${flag} out`),
    });
  await reject({ changed: true }, "--changed");
  await reject({ only: ["review-docs"] }, "--only");
  expect(await prepareReview({ directory, writeBaseline: true })).toMatchObject({
    baseline: { name: BASELINE_FILE, entries: [] },
  });
});
