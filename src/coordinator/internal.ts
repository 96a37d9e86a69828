// The seam of this room for tests of several rooms together: what the office means and how a coordinator looks at its
// log, for the simulator. Nothing but tests may import this file.

export { viewConfig } from "./config/config.ts";
export { viewLocks } from "./locks/locks.ts";
export { type OfficeCommand, type OfficeState, officeCommands } from "./state.ts";
