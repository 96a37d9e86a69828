// The desk of the review as a workflow: plans its tasks, and makes its report. The analyses themselves are the other review agents'.
import { defineAgent } from "murmur-swarm";
import { z } from "zod";
import { nextTasks, reportOf } from "../../workflows/review/desk.ts";
import { REVIEW_CAPABILITIES } from "../lib/review/index.ts";

const inputSchema = z.strictObject({
  options: z.strictObject({
    directory: z.string().min(1),
    only: z.array(z.enum(REVIEW_CAPABILITIES)).optional(),
    changed: z.union([z.string(), z.literal(true)]).optional(),
  }),
  outcomes: z.array(
    z.strictObject({
      key: z.string(),
      output: z.unknown().optional(),
      error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
    }),
  ),
});

export default defineAgent({
  name: "review-desk",
  description: "Plans the tasks of a review, and makes its report.",
  capabilities: ["review-plan", "review-report"],
  input: inputSchema,
  async run({ capability, input: { options, outcomes } }, { signal }) {
    if (capability === "review-report") return reportOf(options, outcomes, signal);
    return { tasks: await nextTasks(options, outcomes, signal) };
  },
});
