// The seam of this room for tests of several rooms together: what the office means, and how a coordinator begins and
// watches its log, for the simulator. Nothing but tests may import this file.

export { viewConfig } from "./config/config.ts";
export { viewLocks } from "./locks/locks.ts";
export { LogWatch } from "./office/log-watch.ts";
export { planRecovery, type Recovery } from "./office/recovery.ts";
export { listNeedless, SnapshotRetention } from "./office/snapshot-retention.ts";
export { nameSnapshot, readSnapshotName, sortSnapshots } from "./office/snapshot-store.ts";
export { findStartPoint, isRecovered, type Place, targetsReplacedLog } from "./office/start-point.ts";
export { type OfficeCommand, type OfficeState, officeCommands } from "./state.ts";
