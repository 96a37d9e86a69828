// The planner that ships: it makes the steps of `murmur run "<objective>"` by rules over the living agents. Any agent may offer the capability
// instead: it gets `{ objective, agents }` and answers `{ steps, notes, unmatched }`.
import { defineAgent } from "murmur-swarm";
import { makePlan, plannerInputSchema } from "../lib/planner/plan.ts";

export default defineAgent({
  name: "planner",
  description: "Makes plans for objectives, by rules over the agents of the swarm.",
  capabilities: ["planner"],
  expertise: ["planner"],
  input: plannerInputSchema,
  run: (task) => makePlan(task.input),
});
