import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  type Analysis,
  castVote,
  type RawFinding,
  type ReviewCapability,
  type ReviewOutput,
} from "../../../../agents/lib/review/index.ts";
import {
  EntryStore,
  ResultCache,
  type ReviewOptions,
  type ReviewPorts,
  runReview,
} from "../../../../workflows/review/index.ts";
import { localSwarm } from "../../local-swarm.ts";

const LINTERS = ["review-oxlint", "review-biome", "review-eslint"] as const;
const ONLY = [...LINTERS, "review-security", "review-docs"] as const;

const found = (file: string, kind = "unused-variable"): RawFinding => ({
  kind,
  rule: kind,
  severity: "low",
  file,
  line: 1,
  message: "It is so.",
  anchor: "a",
});

/** A directory, and analysers that count their runs. */
function setup(answers: Partial<Record<ReviewCapability, (file: string) => Partial<ReviewOutput>>> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "review-cached-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const write = (file: string, text: string) => writeFileSync(join(directory, file), text);
  write("a.js", "let a;\n");
  write("b.js", "let b;\n");
  write("README.md", "# Read\n");
  const folder = mkdtempSync(join(tmpdir(), "review-cache-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const runs: string[] = [];
  const analyses = Object.fromEntries(
    [...ONLY, "review-architecture" as const].map((capability): [ReviewCapability, Analysis] => [
      capability,
      async ({ files }) => {
        runs.push(capability);
        const parts = files.map((file) => answers[capability]?.(file) ?? {});
        const output = {
          findings: parts.flatMap(({ findings }) => findings ?? []),
          unsure: [],
          unjudged: parts.flatMap(({ unjudged }) => unjudged ?? []),
        };
        return (LINTERS as readonly string[]).includes(capability) ? castVote(output) : output;
      },
    ]),
  );
  /** Reviews, and returns the analysers that ran. */
  const review = async (options: Partial<ReviewOptions> & { version?: string; isKept?: boolean } = {}) => {
    const { version = "1", isKept = true, ...rest } = options;
    const cache = new ResultCache({
      store: new EntryStore({ folder, debug: () => undefined }),
      version,
      isKept: () => isKept,
    });
    let opened = 0;
    const ports: ReviewPorts = {
      ...localSwarm(analyses),
      ready: async () => {
        opened += 1;
      },
    };
    const report = await runReview(cache.wrap(ports), { directory, only: ONLY, ...rest });
    await cache.save();
    return { report, ran: [...new Set(runs.splice(0))].sort(), opened, use: cache.use };
  };
  return { review, write };
}

const ALL = [...ONLY].sort();

test("a second review of the same contents opens no swarm and has the same findings", async () => {
  const { review } = setup({
    "review-biome": (file) => ({ findings: file === "a.js" ? [found(file)] : [] }),
  });
  const first = await review();
  expect(first).toMatchObject({ ran: ALL, opened: 1, use: { hits: 0, misses: 3 } });
  const second = await review();
  expect(second).toMatchObject({ ran: [], opened: 0, use: { hits: 3, misses: 0 } });
  expect(second.report.findings).toEqual(first.report.findings);
  expect(second.report.findings).toMatchObject([
    { agreedBy: ["review-biome"], silent: ["review-eslint", "review-oxlint"] },
  ]);
  expect(second.report.coverage).toEqual(first.report.coverage);
  expect(second.report.agents).toBe(0);
});

test("a changed file runs its analysers again, and the analysers of the whole repository", async () => {
  const { review, write } = setup();
  await review();
  write("README.md", "# Changed\n");
  // Pages are no code, so the linters know their answer.
  expect((await review()).ran).toEqual(["review-docs", "review-security"]);
  write("a.js", "let c;\n");
  expect((await review()).ran).toEqual(ALL);
});

test("a changed configuration, option or version runs everything that depends on it again", async () => {
  const { review, write } = setup();
  await review();
  expect((await review({ version: "2" })).ran).toEqual(ALL);
  write("biome.json", "{}\n");
  expect((await review()).ran).toEqual(ALL);
  expect((await review()).ran).toEqual([]);
});

test("changed code that is left out runs the import graph again, because its imports count there", async () => {
  const { write, review } = setup();
  const only = ["review-architecture"] as const;
  write("client.generated.js", 'import "./a.js";\n');
  expect((await review({ only })).ran).toEqual(["review-architecture"]);
  expect((await review({ only })).ran).toEqual([]);
  write("client.generated.js", 'import "./b.js"; // now\n');
  expect((await review({ only })).ran).toEqual(["review-architecture"]);
});

test("linters that load the repository's own code are always asked", async () => {
  const { review } = setup();
  await review({ trustRepoConfig: true });
  expect((await review({ trustRepoConfig: true })).ran).toEqual([...LINTERS].sort());
});

test("a result with a passing trouble is not kept", async () => {
  let why: "tool-failed" | "parse-error" = "tool-failed";
  const { review } = setup({ "review-eslint": (file) => ({ unjudged: [{ file, why }] }) });
  await review();
  why = "parse-error";
  expect((await review()).ran).toEqual([...LINTERS].sort());
  expect((await review()).ran).toEqual([]);
});

test("an analyser that fails is asked again", async () => {
  let fails = true;
  const { review } = setup({
    "review-docs": () => {
      if (fails) throw new Error("it crashed");
      return {};
    },
  });
  expect((await review()).report.status).toBe("partial");
  fails = false;
  expect(await review()).toMatchObject({ ran: ["review-docs"], report: { status: "completed" } });
});

test("texts about a file with a secret, or about a file that security has not judged, are not kept", async () => {
  const { review } = setup({
    "review-security": (file) => ({ findings: file === "a.js" ? [found(file, "secret")] : [] }),
    "review-oxlint": (file) => ({ findings: [found(file)] }),
  });
  await review();
  expect((await review()).ran).toEqual([...LINTERS].sort());
  const other = setup({ "review-oxlint": (file) => ({ findings: [found(file)] }) });
  await other.review({ only: LINTERS });
  expect((await other.review({ only: LINTERS })).ran).toEqual([...LINTERS].sort());
});

test("a file that changes while the review runs is not kept under its new content", async () => {
  let isFirst = true;
  const { review, write } = setup({
    "review-docs": () => {
      if (isFirst) write("README.md", "# Later\n");
      isFirst = false;
      return {};
    },
  });
  await review();
  expect((await review()).ran).toContain("review-docs");
});

test("answers of agents of another program are not kept", async () => {
  const { review } = setup();
  await review({ isKept: false });
  expect((await review()).ran).toEqual(ALL);
});
