// The tasks of a review: their plan over the files, their submission to the swarm, the second round of the referee.
//
//   const planned = planReview(scan.files, ["review-security", "review-docs"]);
//   const outcomes = await submitAll(ports, planned, { files: 2, timeoutMs, taskTimeoutMs, signal, toTask, planSecond: () => [] });

export { readAnswer } from "./answer.ts";
export { capabilitiesOf, isLinter, MAX_TASK_BYTES, type PlannedTask, planReview } from "./plan.ts";
export type { ReviewPorts, ReviewProgress, ReviewTask } from "./ports.ts";
export { disputedFiles, planReferee, refereeOf } from "./referee.ts";
export { type Outcome, ofAbsent, submitAll } from "./submit.ts";
export { DEFAULT_JOBS, type WorkDone, Workload } from "./workload.ts";
