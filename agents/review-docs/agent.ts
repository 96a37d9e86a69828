// Checks local links and commands in Markdown. The analysis is in ../lib/review/checks/docs.ts.
import { defineAgent } from "murmur-swarm";
import { docs, REVIEW_SLOTS, reviewInputSchema, reviewOutputSchema } from "../lib/review/index.ts";

export default defineAgent({
  name: "review-docs",
  capabilities: ["review-docs"],
  input: reviewInputSchema,
  output: reviewOutputSchema,
  slots: REVIEW_SLOTS,
  run: (task, ctx) => docs(task.input, ctx),
});
