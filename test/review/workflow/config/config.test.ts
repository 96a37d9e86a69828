import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  applyKinds,
  DEFAULT_REVIEW_CONFIG,
  parseReviewConfig,
  readReviewConfig,
} from "../../../../workflows/review/config/index.ts";
import { finding } from "../formats/sample.ts";

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

async function setup(text?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "review-config-"));
  made.push(directory);
  if (text !== undefined) await writeFile(join(directory, "murmur-review.yaml"), text);
  return directory;
}

/** Returns the lines of the error for a text, without the hint at the end. */
function faultsOf(text: string): string[] {
  try {
    parseReviewConfig(text, "f");
  } catch (error) {
    return (error as Error).message.split("\n").slice(0, -1);
  }
  return [];
}

test.each([
  ["exclud: [a]", ['f:1: there is no key "exclud"; did you mean exclude?']],
  ["zebra: 1", ['f:1: there is no key "zebra"; known: exclude, keep, kinds, limits']],
  [
    "limits:\n  fils: 3\n  shown: 0",
    [
      'f:2: limits: there is no key "fils"; did you mean files?',
      "f:3: limits.shown: must be a whole number from 1 to 10000, got 0",
    ],
  ],
  [
    "kinds:\n  - kind: a\n    severity: hgih\n  - severity: off",
    [
      'f:3: kinds[0].severity: must be one of off, critical, high, medium, low, got "hgih"; did you mean high?',
      "f:4: kinds[1].kind: is missing",
    ],
  ],
  ["exclude: legacy/", ['f:1: exclude: must be a list of patterns, got "legacy/"']],
  ["\nexclude:\n  - 7", ["f:3: exclude[0]: must be a pattern, such as legacy/, got 7"]],
  ["- x", ['f:1: must be a map of keys, got ["x"]']],
  ["a: 1\nexclude: [", [expect.stringMatching(/^f:2: must be YAML: /)]],
  ["keep: [a]\nkeep: [b]", ["f:2: must be YAML: Map keys must be unique"]],
  ["limits: { files: 20001 }", ["f:1: limits.files: must be a whole number from 1 to 20000, got 20001"]],
])("the configuration %j is refused with the line of each fault", (text, faults) => {
  expect(faultsOf(text)).toEqual(faults);
});

test("a configuration with too many faults names ten and counts the others", () => {
  const faults = faultsOf(Array.from({ length: 13 }, (_, at) => `wrong${at}: 1`).join("\n"));
  expect(faults).toHaveLength(11);
  expect(faults.at(-1)).toBe("and 3 more");
});

test("a file whose lists are all in comments is the default configuration", () => {
  expect(parseReviewConfig("exclude:\n  # - legacy/\n", "f")).toEqual(DEFAULT_REVIEW_CONFIG);
  expect(parseReviewConfig("", "f")).toEqual(DEFAULT_REVIEW_CONFIG);
});

test("a small file that expands to a huge one is refused", () => {
  const levels = Array.from({ length: 12 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(9)}]`);
  expect(faultsOf(`a0: &a0 [x]\n${levels.join("\n")}`)[0]).toMatch(
    /^f:1: must be YAML: Excessive alias count/,
  );
});

test("the configuration comes from the repository, or from the file that the user names", async () => {
  const directory = await setup("exclude: [a]");
  await writeFile(join(directory, "other.yaml"), "exclude: [b]");
  expect(await readReviewConfig({ directory })).toMatchObject({
    file: "murmur-review.yaml",
    config: { exclude: ["a"] },
  });
  const file = join(directory, "other.yaml");
  expect(await readReviewConfig({ directory, file })).toMatchObject({ file, config: { exclude: ["b"] } });
  const missing = readReviewConfig({ directory, file: join(directory, "none.yaml") });
  await expect(missing).rejects.toMatchObject({ code: "not_found", field: "reviewConfig" });
  expect(await readReviewConfig({ directory: await setup() })).toEqual({
    file: null,
    config: DEFAULT_REVIEW_CONFIG,
  });
});

test("a configuration that cannot be read is an error and not an empty configuration", async () => {
  const outside = await setup("exclude: [everything]");
  const linked = await setup();
  await symlink(join(outside, "murmur-review.yaml"), join(linked, "murmur-review.yaml"));
  const folder = await setup();
  await mkdir(join(folder, "murmur-review.yaml"));
  const huge = await setup(`# ${"x".repeat(300_000)}`);
  for (const directory of [linked, folder, huge]) {
    await expect(readReviewConfig({ directory })).rejects.toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining("at most 256 KiB"),
    });
  }
});

test("the last entry for a kind and a file sets the severity, and findings that are off are counted", () => {
  const config = parseReviewConfig(
    `kinds:
  - { kind: unused-variable, severity: off }
  - { kind: unused-variable, severity: high, paths: [src/] }
  - { kind: all, severity: low, paths: ["**/*.test.ts"] }
  - { kind: secrte, severity: off }
`,
    "f",
  );
  const findings = [
    { ...finding, file: "a.ts" },
    { ...finding, file: "b/c.ts" },
    { ...finding, file: "src/a.ts" },
    { ...finding, file: "src/a.test.ts", kind: "code-injection", severity: "high" as const },
    { ...finding, file: "src/b.ts", kind: "code-injection", severity: "high" as const },
    { ...finding, kind: "review-note", severity: "info" as const, file: "src/a.test.ts" },
  ];
  const applied = applyKinds(findings, config);
  expect(applied.findings.map(({ file, severity }) => `${file} ${severity}`)).toEqual([
    "src/a.ts high",
    "src/a.test.ts low",
    "src/b.ts high",
    "src/a.test.ts info",
  ]);
  expect(applied.switchedOff).toEqual([{ kind: "unused-variable", count: 2 }]);
  expect(applied.unknownKinds).toEqual(["no finding has the kind secrte; did you mean secret?"]);
});

test("the complete example fits the schema, and names kinds that exist", async () => {
  const example = new URL("../../../../examples/murmur-review.yaml", import.meta.url).pathname;
  const { config } = await readReviewConfig({ directory: tmpdir(), file: example });
  expect(Object.values(config).every((value) => Object.keys(value).length > 0)).toBe(true);
  expect(applyKinds([], config).unknownKinds).toEqual([]);
});
