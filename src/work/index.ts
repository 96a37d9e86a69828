// What must be done, at least once and accounted for: tasks, attempts, retries, results, dead letters.
//
//   const client = createTaskClient({ transport, meter });
//   const { taskId } = await client.submit({ capability: "echo", input: "hello" });
//   const result = await client.result(taskId);
//
//   const worker = createWorker({ transport, meter, log, hostId, workforce, capabilities: [{ name: "echo" }] });
//   await worker.start();

export { ABORT_GRACE_MS } from "./attempt/attempt.ts";
export { capabilityOfConsumer } from "./client/capabilities.ts";
export { createTaskClient, type SubmitOptions, type TaskClient } from "./client/client.ts";
export { type DeadLetters, REPLAY_LABEL } from "./client/dead-letters.ts";
export { createFrontDoor } from "./client/front-door.ts";
export { errorReply } from "./client/replies.ts";
export { DEFAULT_LIST_LIMIT, type ListOptions, MAX_LIST_LIMIT, type TaskReader } from "./client/status.ts";
export type { Attempt, CapabilityLimits, Slot, Untaken, Workforce } from "./ports.ts";
export { unpackResult, unpackStored } from "./stores/bodies.ts";
export { carriedHeaders } from "./stores/later.ts";
export { createMover, MOVER_CONSUMER } from "./stores/mover.ts";
export { buryUnreadable, createResultStore, type ResultStore, readResult } from "./stores/outcome.ts";
export { isScopeMarked } from "./stores/scopes.ts";
export { placedConsumer, readPlacedTask } from "./worker/placed-queue.ts";
export { createWorker, type OfferedCapability, type Worker } from "./worker/worker.ts";
