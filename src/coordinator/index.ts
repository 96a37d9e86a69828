// The coordinators: one of them is in office at a time and writes the control log; all of them compute the same state
// from it. This room owns that state (locks, values, schedules, budgets, the registry, ballots) and its decisions.
//
//   const office = createOffice({ transport, log, meter, id: "c1", members: ["c1"], version, seed });
//   await office.service.start();
//   await createOfficeServer({ transport, office, members: ["c1"], log }).start();
//
//   await createOfficeClient({ transport }).write("config-set", { name: "review.model", value: "m-1" });

export { createBallots } from "./ballots/driver.ts";
export type { BallotLine, BallotPage } from "./ballots/show/view.ts";
export { BUDGET_WINDOWS } from "./budgets/budgets.ts";
export { createBudgetClient } from "./budgets/client.ts";
export { measureBudgets } from "./budgets/gauges.ts";
export {
  type AskOptions,
  createOfficeClient,
  OFFICE_TIMEOUT_MS,
  type OfficeClient,
  type TenureReply,
} from "./client.ts";
export type { Change as ConfigChange } from "./config/history.ts";
export { createLeaseKeeper, waitForLock } from "./locks/lease.ts";
export { type LockView, MAX_LEASE_MS } from "./locks/locks.ts";
export { foundOffice } from "./office/control-log.ts";
export { createOffice } from "./office/driver.ts";
export { createForeignLeaderWatch } from "./office/foreign-leader.ts";
export { createIsolationWatch } from "./office/isolation-watch.ts";
export {
  CLUSTER_SIZES,
  type Office,
  type OfficeOptions,
  type OfficeTenure,
} from "./office/office.ts";
export { planRecovery } from "./office/recovery.ts";
export { createRivalWatch, findRival, type RivalParts } from "./office/rivals.ts";
export { createOfficeServer } from "./office/server.ts";
export { createStaleServer } from "./office/stale-server.ts";
export { NO_LEADER } from "./office/status.ts";
export { createPauseKeeper, measurePauses } from "./pauses/pause-keeper.ts";
export { createPlacement, type Placement } from "./placement/placement.ts";
export type { AgentPage, RecordView, ShownAgent } from "./registry/view.ts";
export {
  CALLS,
  OFFICE_ACTS,
  READS,
  type ReadName,
  type RequestInput,
  type WholeReply,
  WRITES,
  type WriteName,
} from "./requests.ts";
export type { RunSink } from "./schedules/run-starter.ts";
export { createScheduler } from "./schedules/scheduler.ts";
export { MAX_BACKFILL, MAX_RUN_SCHEDULE_ID, OVERLAPS, type ScheduledRun } from "./schedules/schedules.ts";
export { ticksBetween, whenSchema } from "./schedules/ticks.ts";
