// Looks for focused, skipped and empty tests, and for sources that no test reaches.
// The analysis is in ../lib/review/checks/tests.ts.
import { defineAgent } from "murmur-swarm";
import { REVIEW_SLOTS, reviewInputSchema, reviewOutputSchema, tests } from "../lib/review/index.ts";

export default defineAgent({
  name: "review-tests",
  capabilities: ["review-tests"],
  input: reviewInputSchema,
  output: reviewOutputSchema,
  slots: REVIEW_SLOTS,
  run: (task, ctx) => tests(task.input, ctx),
});
