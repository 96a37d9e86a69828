// `run "<objective>"`: lets a planner make steps for an objective, shows them, asks, and runs them as a workflow.
import { stringify } from "yaml";
import { z } from "zod";
import { OBJECTIVE_WORKFLOW } from "../../../workflow/index.ts";
import { askYes } from "../../cli/ask.ts";
import { defineCommand } from "../../cli/command.ts";
import { printable } from "../../cli/terminal.ts";
import { planWorkflow } from "../../operations/plan.ts";
import { runWorkflow, startWorkflow } from "../../operations/workflows.ts";
import { callOperation } from "../face.ts";

/** The wait for the end of the run without `--timeout`, in ms: 20 days. A timer of Node.js takes at most 24. */
const WAIT_FOR_RUN_MS = 20 * 86_400_000;

const { objective, grants } = planWorkflow.input.shape;
const { id } = startWorkflow.input.shape;
const plan = planWorkflow.output;

export const command = defineCommand({
  input: z.strictObject({
    objective: objective.meta({
      ...objective.meta(),
      positional: true,
      value: "OBJECTIVE",
      description: "the objective, in words",
    }),
    grant: grants.meta({
      value: "CAPABILITY",
      description:
        "a capability that the steps may call; may be repeated (default: those of the living agents)",
    }),
    dryRun: z.boolean().default(false).meta({ description: "only show the plan" }),
    yes: z.boolean().default(false).meta({ description: "run the plan without a question" }),
    allowMissing: z.boolean().default(false).meta({
      description: "run it also when no living agent can do a part; its steps then wait for one",
    }),
    id,
    wait: z.boolean().default(false).meta({ description: "wait for the end, and show the result" }),
  }),
  output: z.object({
    plan,
    /** The run; null when none was started. */
    run: z.union([startWorkflow.output, runWorkflow.output]).nullable(),
    /** The reason why none was started; null when one was. */
    reason: z.enum(["dry-run", "missing", "not-confirmed"]).nullable(),
  }),
  examples: [
    'run "list the files of docs; then count the words of each" --dry-run',
    'run "check the texts and then publish them" --yes --wait',
    'run "count the files" --grant files-list --grant files-count --yes',
  ],
  details:
    "An agent of the capability planner makes the steps; the shipped planner (up --agents planner) works by rules over the expertise,\ntriggers and schemas of the living agents. The plan is checked like a file and shown. A part that no living agent can do is told\nbefore the start. Without --yes it asks; where no person can answer, nothing is started and the exit code is 1.",
  async run(ports, { objective: wish, grant, dryRun, yes, allowMissing, wait, ...rest }) {
    const input = { objective: wish, ...(grant === undefined ? {} : { grants: grant }) };
    const made = await callOperation(ports, planWorkflow, input, { timeoutMs: ports.config.timeoutMs });
    const none = (reason: "dry-run" | "missing" | "not-confirmed") => ({ plan: made, run: null, reason });
    if (dryRun) return none("dry-run");
    if (made.steps.length === 0 || (made.missing.length > 0 && !allowMissing)) return none("missing");
    if (!yes) {
      ports.terminal.say(renderPlan(made));
      const isYes = await askYes("Run this plan?", { isForPrograms: ports.json, signal: ports.signal });
      if (!isYes) return none("not-confirmed");
    }
    const start = {
      ...rest,
      workflow: OBJECTIVE_WORKFLOW,
      input: { objective: wish, steps: made.steps, grants: made.calls },
    };
    const run = wait
      ? await callOperation(ports, runWorkflow, start, {
          timeoutMs: ports.config.timeoutMs ?? WAIT_FOR_RUN_MS,
        })
      : await callOperation(ports, startWorkflow, start);
    return { plan: made, run, reason: null };
  },
  render: ({ plan: made, run, reason }) => {
    if (run === null) return `${renderPlan(made)}\n${NOT_STARTED[reason ?? "dry-run"]}`;
    if ("duplicate" in run) {
      const told = run.duplicate ? "was started before" : "started";
      return `${told}  ${run.id}  →  murmur workflow show ${run.id}`;
    }
    const end =
      run.error === undefined
        ? JSON.stringify(run.output ?? null)
        : `${run.error.code}: ${printable(run.error.message)}`;
    return `${run.status}  ${run.taskId}\n${end}`;
  },
  exitCode: ({ run, reason }) => {
    if (run === null) return reason === "dry-run" ? 0 : 1;
    return "status" in run && run.status !== "completed" ? 1 : 0;
  },
});

const NOT_STARTED = {
  "dry-run": "nothing was started (--dry-run)",
  missing:
    "nothing was started: no living agent can do a part; start one, say it in other words, or add --allow-missing",
  "not-confirmed": "nothing was started: --yes runs the plan without a question",
} as const;

/** The plan for people: its steps in YAML, the notes of the planner, and the parts that no agent can do. */
function renderPlan({ steps, notes, missing }: z.output<typeof plan>): string {
  const shown = steps.length === 0 ? "no steps" : stringify({ steps }, { lineWidth: 100 }).trimEnd();
  return [
    ...shown.split("\n").map(printable),
    ...notes.map((note) => `# ${printable(note)}`),
    ...missing.map(({ what, reason }) => `✗ ${printable(what)}: ${printable(reason)}`),
  ].join("\n");
}
