// Tests of workflows in memory: the door `murmur-swarm/testing`. It runs definitions on the real decider, with functions as agents, and
// with a time that jumps. docs/workflows.md explains it.
//
//   const test = createWorkflowTest(order, { agents: { "payment-charge": ({ total }) => ({ paid: total }) } });
//   const run = test.start({ id: "81", total: 12 });
//   expect(await run.result()).toMatchObject({ state: "completed" });

export { type AgentCall, type AgentFunction, type Later, takes } from "./agents.ts";
export type { TestSharedValue } from "./shared.ts";
export type {
  Kill,
  StartOptions,
  TestCall,
  TestEnd,
  TestRun,
  WorkflowTest,
  WorkflowTestOptions,
} from "./types.ts";
export { createWorkflowTest } from "./world.ts";
