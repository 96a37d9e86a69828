// The seam of this room for its own tests: parts that a test checks by themselves. Only tests may import this file.

export { runMachine, showState } from "./define/run-machine.ts";
export { INBOX_LIMIT, Inbox } from "./lifecycle/inbox.ts";
export { ACCEPTING_STATES, FINAL_STATES, type LifecycleEvent, lifecycle } from "./lifecycle/machine.ts";
export { SlotCounts, type SlotState } from "./lifecycle/slot-counts.ts";
export { attemptError, requiresRestart } from "./lifecycle/supervision.ts";
export { HEARTBEAT_LIMIT_BYTES, heartbeatMessages } from "./wire/heartbeat.ts";
