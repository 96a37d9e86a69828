import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listFiles, readSource, readText, roomOf } from "../../tools/build/measures/tree.ts";
import { UPDATING } from "../support/golden.ts";
import {
  ENTRIES,
  LONG_FILE_LINES,
  MACHINE_PATHS,
  PURE_ROOMS,
  REGISTRY_HOSTS,
  SAYS_PURE,
  TEST_SEAM,
} from "./rules.ts";

const files = listFiles();
const code = files
  .filter((file) => /^(src|agents|tools|grafana|console|bench|examples)\/.*\.ts$/.test(file))
  .map(readSource);
const product = code.filter(({ file }) => file.startsWith("src/"));
const texts = files.filter((file) => !/\.(png|ico|gz|wasm|bin)$/.test(file));

/** The lines of text files that satisfy `is`, as `file:line text`. */
function findLines(among: readonly string[], is: (line: string) => boolean): string[] {
  return among.flatMap((file) =>
    readText(file)
      .split("\n")
      .flatMap((line, index) => (is(line) ? [`${file}:${index + 1} ${line.trim().slice(0, 120)}`] : [])),
  );
}

test("every source file opens with a comment about its purpose", () => {
  expect(code.filter(({ header }) => header.trim().length < 20).map(({ file }) => `${file}:1`)).toEqual([]);
});

test("every source file is reachable from the start of a program", () => {
  const reached = new Set(
    code.map(({ file }) => file).filter((file) => ENTRIES.some((entry) => entry.test(file))),
  );
  const byFile = new Map(code.map((source) => [source.file, source]));
  for (const file of reached) {
    const source = byFile.get(file);
    for (const next of [...(source?.mentions ?? []), ...doorsOf(file)])
      if (byFile.has(next)) reached.add(next);
  }
  const dead = code.map(({ file }) => file).filter((file) => !reached.has(file) && !/^examples\//.test(file));
  expect(dead.filter((file) => !TEST_SEAM.test(file)).map((file) => `${file}:1`)).toEqual([]);
});

/** Agents import the package by its own name. */
function doorsOf(file: string): string[] {
  return readSource(file).imports.some(({ target }) => target === "murmur-swarm") ? ["src/index.ts"] : [];
}

test("no file contains the marks of a merge conflict", () => {
  expect(findLines(texts, (line) => /^(<{7}|>{7}) /.test(line))).toEqual([]);
});

test("src never suppresses the type checker", () => {
  const anys = product.flatMap(({ file, anys: lines }) => lines.map((line) => `${file}:${line} any`));
  const ignores = product.flatMap(({ file, comments }) =>
    comments
      .filter(({ text }) => /@ts-(ignore|expect-error|nocheck)/.test(text))
      .map(({ line }) => `${file}:${line}`),
  );
  expect([...anys, ...ignores]).toEqual([]);
});

test("no comment postpones work", () => {
  const marks = new RegExp(
    `\\b(${["TO", "FIX"].map((start) => start + (start === "TO" ? "DO" : "ME")).join("|")}|XXX)\\b`,
  );
  const tests = files.filter((file) => /^test\/.*\.ts$/.test(file)).map(readSource);
  const found = [...code, ...tests].flatMap(({ file, comments }) =>
    comments.filter(({ text }) => marks.test(text)).map(({ line, text }) => `${file}:${line} ${text.trim()}`),
  );
  expect(found).toEqual([]);
});

test("deciders read no clock and no random number", () => {
  const deciders = product.filter(
    ({ file, header }) => PURE_ROOMS.includes(roomOf(file)) || SAYS_PURE.test(header),
  );
  expect(deciders.length).toBeGreaterThan(0);
  const found = deciders.flatMap(({ file, impure }) =>
    impure.map(({ line, what }) => `${file}:${line} ${what}`),
  );
  expect(found, "take nowMs or a Chance as an argument").toEqual([]);
});

test("the tree contains no path of an author's machine", () => {
  expect(findLines(texts, (line) => MACHINE_PATHS.test(line))).toEqual([]);
});

test("no file names a package registry, not even a lockfile", () => {
  expect(findLines(texts, (line) => REGISTRY_HOSTS.some((host) => line.includes(host)))).toEqual([]);
});

test("long files of src only become shorter", () => {
  const golden = join(import.meta.dirname, "long-files.golden");
  const allowed = new Map(
    (existsSync(golden) ? readFileSync(golden, "utf8") : "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" ") as [string, string])
      .map(([file, lines]) => [file, Number(lines)]),
  );
  const long = new Map(
    product
      .map(({ file, codeLines }): [string, number] => [file, codeLines])
      .filter(([, lines]) => lines > LONG_FILE_LINES),
  );
  if (UPDATING) {
    // Only lowers and removes. An author writes a higher number or a new file by hand, with the reason in the commit.
    const kept = [...allowed].filter(([file]) => long.has(file));
    const lines = kept.map(([file, limit]) => `${file} ${Math.min(limit, long.get(file) ?? limit)}\n`);
    writeFileSync(golden, lines.sort().join(""));
    return;
  }
  const grown = [...long].filter(([file, lines]) => lines > (allowed.get(file) ?? LONG_FILE_LINES));
  expect(
    grown.map(
      ([file, lines]) =>
        `${file}:1 has ${lines} lines of code, allowed ${allowed.get(file) ?? LONG_FILE_LINES}`,
    ),
    "split the file where a name appears by itself",
  ).toEqual([]);
  const shrunk = [...allowed].filter(([file, limit]) => (long.get(file) ?? 0) < limit);
  expect(
    shrunk.map(([file, limit]) => `${file} is below its ${limit} lines`),
    "lower the limit: UPDATE_GOLDEN=1 ./murmur test test/tidy",
  ).toEqual([]);
});

test("every file in the list of slow test files exists", () => {
  const listed: string[] = JSON.parse(readText("test/slowest-files.json"));
  expect(listed.filter((file) => !files.includes(file))).toEqual([]);
});

test("constants of src with one name have one value", () => {
  const byName = new Map<string, Map<string, string[]>>();
  for (const { file, text } of product) {
    for (const [, name = "", value = ""] of text.matchAll(
      /^(?:export )?const ([A-Z][A-Z0-9_]+)(?:: [^=]+)? = ([^;]+);/gm,
    )) {
      const values = byName.get(name) ?? new Map<string, string[]>();
      byName.set(name, values.set(value, [...(values.get(value) ?? []), file]));
    }
  }
  const ambiguous = [...byName].filter(([, values]) => values.size > 1);
  expect(ambiguous.map(([name, values]) => `${name}: ${[...values.values()].flat().join(", ")}`)).toEqual([]);
});
