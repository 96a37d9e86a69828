// The operation that tells what is wrong now: the problems of the swarm, with the names of the alerts.
import { z } from "zod";
import { EFFECTS, PROBLEM_NAMES, SEVERITIES } from "../problems/catalogue.ts";
import { ProblemWatch } from "../problems/watch.ts";
import { defineOperation, readWithin } from "./operation.ts";

/** One problem. */
export const problemSchema = z.object({
  name: z.enum(PROBLEM_NAMES),
  severity: z.enum(SEVERITIES),
  /** Work is only late, or failed for good; `blind`: problems may be missing. */
  effect: z.enum(EFFECTS),
  summary: z.string(),
  since: z.string().nullable(),
  hit: z.object({
    capabilities: z.array(z.string()),
    /** The workflows whose runs it hits; `tasks` then counts these runs. */
    workflows: z.array(z.string()),
    tasks: z.int().nullable(),
    oldest: z.string().nullable(),
  }),
  cause: z.string(),
  runbook: z.string(),
  commands: z.array(z.string()),
});

/** The problems of now, and the parts of the swarm that could not be read. */
export const problemReportSchema = z.object({
  problems: z.array(problemSchema),
  unknown: z.array(z.object({ part: z.string(), reason: z.string() })),
});

export const listProblems = defineOperation({
  name: "problems-list",
  summary: "tell the problems of the swarm now, with cause and runbook",
  input: z.strictObject({}),
  output: problemReportSchema,
  errors: [],
  access: "read",
  async run(context) {
    const { transport, office, problems } = context;
    const report =
      problems?.report() ?? (await readWithin(context, new ProblemWatch({ transport, office }).look()));
    return problemReportSchema.parse(report);
  },
});
