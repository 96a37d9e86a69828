// The planner that ships: its rules, and the checks that every plan passes.
import { expect, it } from "vitest";
import { makePlan, type plannerInputSchema } from "../../../agents/lib/planner/plan.ts";
import { splitObjective } from "../../../agents/lib/planner/words.ts";
import { callsOf, checkExpansion } from "../../../src/workflow/index.ts";

type Agents = Parameters<typeof makePlan>[0]["agents"];

const AGENTS: Agents = [
  {
    role: "writer",
    capabilities: ["write-page"],
    expertise: ["docs"],
    triggers: ["release notes"],
    input: {
      type: "object",
      properties: { task: { type: "string" }, context: {} },
      required: ["task"],
    },
    output: undefined,
  },
  {
    role: "tester",
    capabilities: ["run-checks"],
    expertise: ["qa"],
    triggers: [],
    input: undefined,
    output: undefined,
  },
  {
    role: "scout",
    capabilities: ["list-files"],
    expertise: ["search"],
    triggers: [],
    input: { type: "object", properties: { directory: { type: "string" } }, required: ["directory"] },
    output: undefined,
  },
];

/** An expression of a definition. */
const value = (path: string) => `\${${path}}`;
const plan = (objective: string) => makePlan({ objective, agents: AGENTS });

it("splits an objective into stages and parts that run side by side", () => {
  expect(splitObjective("First find the logs, and check them; then write a page. Finally deploy it")).toEqual(
    [
      { text: "find the logs", how: "after" },
      { text: "check them", how: "beside" },
      { text: "write a page", how: "after" },
      { text: "deploy it", how: "after" },
    ],
  );
});

it("each part becomes a step of the agent that fits best, later steps get the outputs of the stage before, and the plan passes the checks", () => {
  const { steps, notes, unmatched } = plan(
    "list the files in directory docs and run the checks; then write the release notes",
  );
  expect(steps).toEqual([
    {
      parallel: [
        { step: "list-files", call: "list-files", with: { directory: "docs" }, route: "best" },
        {
          step: "run-checks",
          call: "run-checks",
          with: { objective: "run the checks" },
          route: "best",
          labels: { expertise: "qa" },
        },
      ],
    },
    {
      step: "write-page",
      call: "write-page",
      with: {
        task: "write the release notes",
        context: [value("steps.list-files"), value("steps.run-checks")],
      },
      route: "best",
      labels: { expertise: "docs" },
    },
  ]);
  expect(unmatched).toEqual([]);
  expect(notes[2]).toContain("write-page: writer, because the trigger release notes");
  expect(checkExpansion(steps, callsOf(steps))).toEqual([]);
});

it("a part that no agent can do is told with the reason, and an approval waits for a person", () => {
  const { steps, unmatched } = plan(
    "list the files; then deploy the service to the cluster; then approval by lead; then check everything",
  );
  expect(unmatched).toEqual([
    { text: "list the files", reason: "the input does not fit: list-files needs directory" },
    {
      text: "deploy the service to the cluster",
      reason: "no living agent fits; it names the expertise backend, devops",
    },
  ]);
  expect(steps).toMatchObject([{ approval: "approval", by: ["lead"] }, { step: "run-checks" }]);
});

it("texts of the objective are data: an expression in them is not computed", () => {
  const { steps } = plan(`check ${value("input.secret")}`);
  expect(steps).toMatchObject([{ with: { objective: `check $${value("input.secret")}` } }]);
  expect(checkExpansion(steps, callsOf(steps))).toEqual([]);
});

it("names are used once, and an objective with too many parts is refused", () => {
  const { steps } = plan("check one; check two");
  expect(steps).toMatchObject([{ step: "run-checks" }, { step: "run-checks-2" }]);
  const long = plan(Array.from({ length: 101 }, (_, index) => `check ${index}`).join("; "));
  expect(long).toMatchObject({ steps: [], unmatched: [{ reason: expect.stringContaining("101 parts") }] });
});

it("of the alternatives of a schema, a step takes the one whose fields the words name", () => {
  const text = { type: "string" };
  const form = (properties: object, required: string[]) => ({ type: "object", properties, required });
  const input = { anyOf: [form({ directory: text }, []), form({ path: text }, ["path"])] };
  const agents: Agents = [
    { role: "files", capabilities: ["list", "count"], expertise: [], triggers: [], input, output: undefined },
  ];
  const inputOf = (objective: string) => makePlan({ objective, agents }).steps[0]?.with;
  expect(inputOf("list the directory docs")).toEqual({ directory: "docs" });
  expect(inputOf("count path docs/a.md")).toEqual({ path: "docs/a.md" });
});

it("any objective gives a plan that passes the checks", () => {
  const words = [
    "check",
    "then",
    "and",
    ";",
    "write",
    "$",
    "{",
    "}",
    "${",
    "list",
    "directory",
    "x",
    ".",
    "steps",
    '"',
    ",",
  ];
  for (let seed = 1; seed < 200; seed++) {
    const text = Array.from(
      { length: seed % 23 },
      (_, at) => words[(seed * 7 + at * at * 3) % words.length],
    ).join(" ");
    const input: (typeof plannerInputSchema)["_output"] = { objective: `check ${text}`, agents: AGENTS };
    const { steps } = makePlan(input);
    expect(checkExpansion(steps, callsOf(steps)), text).toEqual([]);
  }
});
