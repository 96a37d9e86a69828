// The front door of the operations on NATS, for callers that reach nothing else of the swarm.
//
//   createOperateDoor({ transport, tasks, operations: OPERATIONS, rightsOf, auditor, onRefused, meter, log });
export { authorise, checkTask } from "./authorise.ts";
export { createOperateDoor } from "./door.ts";
