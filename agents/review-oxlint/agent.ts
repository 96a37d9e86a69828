// Lints with oxlint. How is in ../review/oxlint.ts.
import { defineAgent } from "murmur";
import { castVote, lintOutputSchema, oxlint, REVIEW_SLOTS, reviewInputSchema } from "../lib/review/index.ts";

export default defineAgent({
  name: "review-oxlint",
  capabilities: ["review-oxlint"],
  input: reviewInputSchema,
  output: lintOutputSchema,
  slots: REVIEW_SLOTS,
  // oxlint is a Node program; its path and arguments are the analysis' own, file names of the task come last.
  exec: { allow: [process.execPath] },
  run: async (task, ctx) => castVote(await oxlint(task.input, ctx)),
});
