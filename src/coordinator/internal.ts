// The seam of this room for tests that span several rooms: the commands of the office, and how a coordinator finds its
// start point and watches its log. The simulator uses it. Only tests may import this file.

export { viewConfig } from "./config/config.ts";
export { viewLocks } from "./locks/locks.ts";
export { LogWatch } from "./office/log-watch.ts";
export { planRecovery, type Recovery } from "./office/recovery.ts";
export { listSuperfluous, SnapshotRetention } from "./office/snapshot-retention.ts";
export { nameSnapshot, readSnapshotName, sortSnapshots } from "./office/snapshot-store.ts";
export { findStartPoint, isRecovered, type Place, targetsReplacedLog } from "./office/start-point.ts";
export { type OfficeCommand, type OfficeState, officeCommands } from "./state.ts";
