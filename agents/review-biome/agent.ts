// Lints with Biome. The analysis is in ../lib/review/linters/biome.ts.
import { defineAgent } from "murmur-swarm";
import {
  biome,
  biomePrograms,
  castVote,
  lintOutputSchema,
  REVIEW_SLOTS,
  reviewInputSchema,
  sandboxPrograms,
} from "../lib/review/index.ts";

export default defineAgent({
  name: "review-biome",
  capabilities: ["review-biome"],
  input: reviewInputSchema,
  output: lintOutputSchema,
  slots: REVIEW_SLOTS,
  // Node: oxlint counts the findings of large files first.
  exec: { allow: [...biomePrograms(), process.execPath, ...sandboxPrograms()] },
  run: async (task, ctx) => castVote(await biome(task.input, ctx)),
});
