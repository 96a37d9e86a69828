// Lints with ESLint and typescript-eslint. The analysis is in ../lib/review/linters/eslint.ts.
import { defineAgent } from "murmur-swarm";
import {
  castVote,
  eslint,
  lintOutputSchema,
  REVIEW_SLOTS,
  reviewInputSchema,
  sandboxPrograms,
} from "../lib/review/index.ts";

export default defineAgent({
  name: "review-eslint",
  capabilities: ["review-eslint"],
  input: reviewInputSchema,
  output: lintOutputSchema,
  slots: REVIEW_SLOTS,
  // ESLint is a Node program; the analysis chooses its path and options, and the task's file names come last.
  exec: { allow: [process.execPath, ...sandboxPrograms()] },
  run: async (task, ctx) => castVote(await eslint(task.input, ctx)),
});
