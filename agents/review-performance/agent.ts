// Measures files and functions, and looks for waits that block or pile up.
// The analysis is in ../lib/review/checks/performance.ts.
import { defineAgent } from "murmur-swarm";
import { performance, REVIEW_SLOTS, reviewInputSchema, reviewOutputSchema } from "../lib/review/index.ts";

export default defineAgent({
  name: "review-performance",
  capabilities: ["review-performance"],
  input: reviewInputSchema,
  output: reviewOutputSchema,
  slots: REVIEW_SLOTS,
  run: (task, ctx) => performance(task.input, ctx),
});
