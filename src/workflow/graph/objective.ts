// The workflow of `murmur run`: it performs the steps of a plan. The plan is its input, so the log of each run has the graph that it ran.
import { z } from "zod";
import { type Json, nameSchema } from "../../protocol/index.ts";
import { defineWorkflow } from "../define/define.ts";
import { EXPANDED_LIMITS } from "./graph.ts";
import { expand } from "./run.ts";

/** The name of the workflow. A project cannot define another one with this name and version. */
export const OBJECTIVE_WORKFLOW = "objective";
/** The longest objective, in UTF-16 units: some pages of text. */
export const MAX_OBJECTIVE_LENGTH = 10_000;
/** The name of the step that performs the plan. */
const PLAN_STEP = "plan";

const anyJson = z.custom<Json>((value) => value !== undefined, "must be a JSON value");

/** Every engine has it. Its steps may call the granted capabilities only, and see the objective as `input.objective`. */
export const objectiveWorkflow = defineWorkflow({
  name: OBJECTIVE_WORKFLOW,
  version: 1,
  description: "Performs the plan of an objective.",
  input: z.strictObject({
    objective: z.string().min(1).max(MAX_OBJECTIVE_LENGTH),
    steps: z.array(anyJson).min(1).max(EXPANDED_LIMITS.steps),
    grants: z.array(nameSchema).min(1).max(1_000),
  }),
  *run({ objective, steps, grants }) {
    return yield* expand(PLAN_STEP, steps, { grants, scope: { input: { objective } } });
  },
});
