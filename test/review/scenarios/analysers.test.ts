import { cp, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import {
  type Analysis,
  architecture,
  docs,
  hasAnalysers,
  performance,
  type ReviewOutput,
  security,
  tests,
} from "../../../agents/lib/review/index.ts";
import { type ReviewReport, renderReport, runReview, scan } from "../../../workflows/review/index.ts";
import { LINTER_ANALYSES, localSwarm, localTools } from "../local-swarm.ts";

const SAMPLE = new URL("../../fixtures/review/sample", import.meta.url).pathname;
const ALL = {
  "review-security": security,
  "review-architecture": architecture,
  "review-performance": performance,
  "review-tests": tests,
  "review-docs": docs,
  ...LINTER_ANALYSES,
};

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

async function setup(files: Record<string, string> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "review-sample-"));
  made.push(directory);
  await cp(SAMPLE, directory, { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(join(directory, path), text);
  return directory;
}

async function analyse(analysis: Analysis, directory: string): Promise<ReviewOutput> {
  const files = (await scan(directory)).files.map(({ path }) => path);
  return await analysis({ directory, files, trustRepoConfig: false }, localTools());
}

const places = ({ findings }: ReviewOutput | ReviewReport) =>
  findings.map(({ kind, file, line }) => `${kind} ${file}:${line}`).sort();

describe.skipIf(!hasAnalysers())(
  "the analysers find exactly the planted problems",
  { timeout: 120_000 },
  () => {
    test("security: risky code and lockfile", async () => {
      expect(places(await analyse(security, await setup()))).toEqual([
        "code-injection src/risky.js:21",
        "command-injection src/risky.js:11",
        "command-injection src/risky.js:8",
        "install-script package-lock.json:1",
        "lockfile-foreign-source package-lock.json:1",
        "lockfile-foreign-source package-lock.json:1",
        "lockfile-insecure-source package-lock.json:1",
        "lockfile-no-integrity package-lock.json:1",
        "lockfile-out-of-step package-lock.json:1",
        "path-traversal src/risky.js:15",
        "sql-injection src/risky.js:12",
        "tls-check-disabled src/risky.js:17",
        "unsafe-regex src/risky.js:22",
        "weak-cipher src/risky.js:20",
        "weak-randomness src/risky.js:18",
      ]);
    });

    test("security: a private package without a lockfile", async () => {
      const directory = await setup();
      await rm(join(directory, "package-lock.json"));
      expect(places(await analyse(security, directory))).toContain("lockfile-missing package.json:1");
      await writeFile(join(directory, "pnpm-lock.yaml"), "");
      expect(places(await analyse(security, directory))).not.toContain("lockfile-missing package.json:1");
    });

    test("security: a secret is found, and no part of it is in the report", async () => {
      // Built from parts, so that no file of this repository seems to contain a secret.
      const key = ["gh", "p_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("");
      const directory = await setup({ "src/config.js": `export const token = "${key}";\n` });
      const report = await runReview(localSwarm(ALL), { directory, only: ["review-security"] });
      expect(places(report)[0]).not.toBeUndefined();
      expect(report.findings[0]).toMatchObject({
        kind: "secret",
        severity: "critical",
        file: "src/config.js",
        line: 1,
      });
      const output = JSON.stringify(report) + renderReport(report);
      for (let at = 0; at + 8 <= key.length; at++) expect(output).not.toContain(key.slice(at, at + 8));
    });

    test("architecture: cycles of values and of types, a missing file, an unused module, an undeclared package", async () => {
      const output = await analyse(architecture, await setup());
      expect(places(output)).toEqual([
        "import-cycle src/cycle/a.js:1",
        "orphan-module src/forgotten.js:1",
        "type-import-cycle src/types/left.ts:1",
        "undeclared-dependency src/forgotten.js:2",
        "unresolved-import src/index.js:5",
      ]);
      const cycle = output.findings.find(({ kind }) => kind === "import-cycle");
      expect(cycle?.message).toContain("src/cycle/a.js → src/cycle/b.js → src/cycle/c.js → src/cycle/a.js");
    });

    test("performance: complexity, heavy imports, waits", async () => {
      expect(places(await analyse(performance, await setup()))).toEqual([
        "await-in-loop src/slow.js:9",
        "complex-function src/slow.js:17",
        "heavy-import src/slow.js:3",
        "sync-io-in-async src/slow.js:7",
      ]);
    });

    test("performance: a large file and a long function", async () => {
      const lines = Array.from({ length: 1001 }, (_, at) => `  call(${at});`).join("\n");
      const directory = await setup({ "src/long.js": `export function long(call) {\n${lines}\n}\n` });
      expect(places(await analyse(performance, directory))).toEqual(
        expect.arrayContaining(["large-file src/long.js:1", "long-function src/long.js:1"]),
      );
    });

    test("tests: a focused, a skipped and an empty test, and a source that no test loads", async () => {
      expect(places(await analyse(tests, await setup()))).toEqual([
        "focused-test test/index.test.js:7",
        "skipped-test test/index.test.js:8",
        "test-without-assertion test/index.test.js:9",
        "untested-source src/forgotten.js:1",
      ]);
    });

    test("docs: links, anchors and commands", async () => {
      expect(places(await analyse(docs, await setup()))).toEqual([
        "broken-anchor README.md:4",
        "broken-anchor README.md:9",
        "broken-link README.md:3",
        "broken-link README.md:5",
        "unknown-command README.md:13",
        "unknown-command README.md:15",
      ]);
    });
  },
);

describe.skipIf(!hasAnalysers())("the analysers report nothing", { timeout: 120_000 }, () => {
  test("about commands for a project that a reader makes with this one", async () => {
    const readme = "```sh\nnpm create sample@latest\n```\n\n```sh\nnpm run dev\n```\n";
    const directory = await setup({ "README.md": readme });
    expect(places(await analyse(docs, directory))).toEqual([]);
  });

  test("about anchors of headings that GitHub and documentation sites write differently", async () => {
    const page = '# A & b\n\n# `f(x, [y])`\n\n[1](#a--b) [2](#a-b) [3](#fx-y) <a name="Odd"></a> [4](#odd)\n';
    const directory = await setup({ "README.md": page });
    expect(places(await analyse(docs, directory))).toEqual([]);
  });

  test("about links to places outside the directory, which may exist there", async () => {
    const directory = await setup({ "README.md": "[neighbour](../neighbour/README.md)\n" });
    expect(places(await analyse(docs, directory))).toEqual([]);
  });

  test("about passwords in documentation, and placeholders anywhere", async () => {
    const url = (password: string) => ["https://admin:", password, "@db.internal/x"].join("");
    const directory = await setup({
      "README.md": `\`${url("kJ83hdkW")}\`\n`,
      "src/config.js": `export const url = "${url("password")}";\n`,
    });
    expect(places(await analyse(security, directory)).filter((place) => place.startsWith("secret"))).toEqual(
      [],
    );
  });

  test("about tests that check by a macro or by a type", async () => {
    const text =
      'import test from "ava";\nimport { macro } from "./helper.js";\ntest("by a macro", macro, () => 1);\n' +
      'test("by a type", () => {\n  // @ts-expect-error: refused\n  macro(1);\n});\n';
    const directory = await setup({ "test/index.test.js": `import "../src/forgotten.js";\n${text}` });
    const found = (await analyse(tests, directory)).findings.map(({ kind }) => kind);
    expect(found).not.toContain("test-without-assertion");
  });
});

describe.skipIf(!hasAnalysers())("a review", { timeout: 120_000 }, () => {
  test("a review writes nothing into the directory", async () => {
    const directory = await setup({ "eslint.config.js": "export default [];\n", "biome.json": "{}\n" });
    const before = await snapshot(directory);
    expect((await runReview(localSwarm(ALL), { directory })).status).toBe("completed");
    expect(await snapshot(directory)).toEqual(before);
  });

  test("a review continues without an analyser, and names the missing findings", async () => {
    const report = await runReview(localSwarm({ "review-docs": docs }), {
      directory: await setup(),
      only: ["review-docs", "review-tests"],
    });
    expect(report).toMatchObject({ status: "partial", tasks: 2, agents: 2 });
    expect(report.failedTasks).toEqual([
      {
        capability: "review-tests",
        error: "internal: no agent offers review-tests",
        files: expect.any(Number),
      },
    ]);
    expect(places(report)).toContain("broken-link README.md:3");
  });

  test("an analysis reads no file through a link to a place outside the directory", async () => {
    const directory = await setup();
    const outside = await mkdtemp(join(tmpdir(), "review-outside-"));
    made.push(outside);
    await writeFile(join(outside, "out.test.js"), 'it.only("x", () => {});\n');
    await symlink(outside, join(directory, "test", "link"));
    const input = { directory, files: ["test/link/out.test.js"], trustRepoConfig: false };
    expect((await tests(input, localTools())).findings).toEqual([]);
  });
});

/** Lists every file with its length and its time of change. */
async function snapshot(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return await Promise.all(
    files
      .sort()
      .map(async (file) => `${file} ${(await readFile(file)).length} ${(await stat(file)).mtimeMs}`),
  );
}
