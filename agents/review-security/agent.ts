// Looks for committed secrets, risky code and lockfiles that cannot be trusted.
// The analysis is in ../lib/review/security/security.ts.
import { defineAgent } from "murmur-swarm";
import { REVIEW_SLOTS, reviewInputSchema, reviewOutputSchema, security } from "../lib/review/index.ts";

export default defineAgent({
  name: "review-security",
  capabilities: ["review-security"],
  input: reviewInputSchema,
  output: reviewOutputSchema,
  slots: REVIEW_SLOTS,
  run: (task, ctx) => security(task.input, ctx),
});
