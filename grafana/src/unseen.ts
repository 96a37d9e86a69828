// The metrics that no panel and no alert reads, each with its reason. A test demands that the list is exact. Pure: a table.

const NO_BOARD = "the board of workflows is not made yet";

/** The reason for each metric, by name. */
export const UNSEEN: Readonly<Record<string, string>> = {
  murmur_workflows: NO_BOARD,
  murmur_workflows_finished_total: NO_BOARD,
  murmur_workflow_seconds: NO_BOARD,
  murmur_workflow_decisions_total: NO_BOARD,
  murmur_workflow_decision_seconds: NO_BOARD,
  murmur_compensations_total: NO_BOARD,
  murmur_workflow_repairs_total: NO_BOARD,
  murmur_workflow_lane_lag: NO_BOARD,
};
