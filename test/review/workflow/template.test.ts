// The review as a workflow has the same report as the review of the CLI.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  type Analysis,
  castVote,
  docs,
  type Linter,
  type RawFinding,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
  type ReviewInput,
} from "../../../agents/lib/review/index.ts";
import { TerminalError } from "../../../src/protocol/index.ts";
import { createWorkflowTest } from "../../../src/workflow/testing/index.ts";
import { nextTasks, reportOf } from "../../../workflows/review/desk.ts";
import { probeSandbox, runReview } from "../../../workflows/review/index.ts";
import workflow from "../../../workflows/review/workflow.ts";
import { localSwarm, localTools } from "../local-swarm.ts";

const finding = (file: string, kind: string): RawFinding => ({
  kind,
  rule: kind,
  severity: "medium",
  file,
  line: 1,
  message: `${kind} in ${file}.`,
  anchor: "a",
});
/** The two linters differ, so that the referee judges. */
const linter = (name: Linter): Analysis => {
  const kinds = name === "review-oxlint" ? [] : ["unused-variable"];
  return async ({ files }) =>
    castVote({
      findings: files.flatMap((file) => kinds.map((kind) => finding(file, kind))),
      unsure: [],
      unjudged: [],
    });
};
const empty: Analysis = async () => ({ findings: [], unsure: [], unjudged: [] });
const ANALYSES: Record<ReviewCapability, Analysis> = {
  ...(Object.fromEntries(REVIEW_CAPABILITIES.map((name) => [name, empty])) as Record<
    ReviewCapability,
    Analysis
  >),
  "review-docs": docs,
  "review-oxlint": linter("review-oxlint"),
  "review-biome": linter("review-biome"),
  "review-eslint": linter("review-eslint"),
  "review-tests": async () => {
    throw new TerminalError("no memory");
  },
};

test("a review by the workflow ends with the report of the CLI, after any crash of its engine", async () => {
  const directory = mkdtempSync(join(tmpdir(), "review-template-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "a.js"), "let a;\n");
  writeFileSync(join(directory, "readme.md"), "[gone](./gone.md)\n");
  const expected = await runReview(localSwarm(ANALYSES), {
    directory,
    protection: probeSandbox({ directory }),
  });
  type Asked = { options: { directory: string }; outcomes: never[] };
  const analyses = Object.entries(ANALYSES).map(([name, analysis]) => [
    name,
    async (input: ReviewInput) => analysis(input, localTools()),
  ]);
  const world = createWorkflowTest(workflow, {
    agents: {
      ...Object.fromEntries(analyses),
      "review-plan": async ({ options, outcomes }: Asked) => ({
        tasks: await nextTasks(options, outcomes),
      }),
      "review-report": ({ options, outcomes }: Asked) => reportOf(options, outcomes),
    } as never,
    kills: [
      { entry: 2, after: "append" },
      { entry: 4, after: "effects" },
    ],
  });
  const run = world.start({ directory });
  const { state, output } = await run.result();
  expect(state).toBe("completed");
  // A run knows the analysers of its steps, and not their agents.
  const { agents: _agents, durationMs: _took, ...report } = JSON.parse(JSON.stringify(expected));
  expect(output).toMatchObject(report);
  expect(Object.keys(output as object).sort()).toEqual(Object.keys(expected).sort());
  expect(expected.findings.length).toBeGreaterThan(1);
  expect(run.calls.filter(({ path }) => path.startsWith("referee/"))).toHaveLength(1);
});
