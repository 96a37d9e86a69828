// Looks at the import graph: cycles, orphans, hubs, imports of missing files.
// The analysis is in ../lib/review/checks/architecture.ts.
import { defineAgent } from "murmur-swarm";
import { architecture, REVIEW_SLOTS, reviewInputSchema, reviewOutputSchema } from "../lib/review/index.ts";

export default defineAgent({
  name: "review-architecture",
  capabilities: ["review-architecture"],
  input: reviewInputSchema,
  output: reviewOutputSchema,
  slots: REVIEW_SLOTS,
  run: (task, ctx) => architecture(task.input, ctx),
});
