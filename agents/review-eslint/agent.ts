// Lints with ESLint and typescript-eslint. How is in ../review/eslint.ts.
import { defineAgent } from "murmur";
import { castVote, eslint, lintOutputSchema, REVIEW_SLOTS, reviewInputSchema } from "../lib/review/index.ts";

export default defineAgent({
  name: "review-eslint",
  capabilities: ["review-eslint"],
  input: reviewInputSchema,
  output: lintOutputSchema,
  slots: REVIEW_SLOTS,
  // ESLint is a Node program; its path and arguments are the analysis' own, file names of the task come last.
  exec: { allow: [process.execPath] },
  run: async (task, ctx) => castVote(await eslint(task.input, ctx)),
});
