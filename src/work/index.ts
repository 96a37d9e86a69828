// What must be done, at least once and accounted for: tasks, attempts, retries, results, dead letters.
//
//   const client = createTaskClient({ transport, meter });
//   const { taskId } = await client.submit({ capability: "echo", input: "hello" });
//   const result = await client.result(taskId);
//
//   const worker = createWorker({ transport, meter, log, hostId, workforce, capabilities: [{ name: "echo" }] });
//   await worker.start();

export { ABORT_GRACE_MS } from "./attempt.ts";
export { unpackResult, unpackStored } from "./bodies.ts";
export { capabilityOfConsumer } from "./capabilities.ts";
export { createTaskClient, type SubmitOptions, type TaskClient } from "./client.ts";
export { type DeadLetters, REPLAY_LABEL } from "./dead-letters.ts";
export { createFrontDoor } from "./front-door.ts";
export { carriedHeaders } from "./later.ts";
export { createMover, MOVER_CONSUMER } from "./mover.ts";
export { buryUnreadable, createOutcomes, type Outcomes, readResult } from "./outcome.ts";
export { placedConsumer, readPlacedTask } from "./placed-lane.ts";
export type { Attempt, CapabilityLimits, Seat, Untaken, Workforce } from "./ports.ts";
export { errorReply } from "./replies.ts";
export { isScopeMarked } from "./scopes.ts";
export { DEFAULT_LIST_LIMIT, type ListOptions, MAX_LIST_LIMIT, type TaskReader } from "./status.ts";
export { createWorker, type OfferedCapability, type Worker } from "./worker.ts";
