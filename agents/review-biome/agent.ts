// Lints with Biome. How is in ../review/biome.ts.
import { defineAgent } from "murmur";
import {
  biome,
  biomePrograms,
  limitFindings,
  REVIEW_SLOTS,
  reviewInputSchema,
  reviewOutputSchema,
} from "../review/index.ts";

export default defineAgent({
  name: "review-biome",
  capabilities: ["review-biome"],
  input: reviewInputSchema,
  output: reviewOutputSchema,
  slots: REVIEW_SLOTS,
  exec: { allow: biomePrograms() },
  run: async (task, ctx) => limitFindings(await biome(task.input, ctx)),
});
