// Lints with oxlint. The analysis is in ../lib/review/linters/oxlint.ts.
import { defineAgent } from "murmur-swarm";
import {
  castVote,
  lintOutputSchema,
  oxlint,
  REVIEW_SLOTS,
  reviewInputSchema,
  sandboxPrograms,
} from "../lib/review/index.ts";

export default defineAgent({
  name: "review-oxlint",
  capabilities: ["review-oxlint"],
  input: reviewInputSchema,
  output: lintOutputSchema,
  slots: REVIEW_SLOTS,
  // oxlint is a Node program; the analysis chooses its path and options, and the task's file names come last.
  exec: { allow: [process.execPath, ...sandboxPrograms()] },
  run: async (task, ctx) => castVote(await oxlint(task.input, ctx)),
});
