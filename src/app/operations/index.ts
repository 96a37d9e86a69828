// The table of all operations. Every face serves this table; a command loads only the family that it needs.
import { drainAgent, listLivingAgents, pauseAgent, resumeAgent, showOneAgent } from "./agents.ts";
import { listAuditEntries, verifyAuditLog } from "./audit.ts";
import { correctBallot, decideBallot, listBallots, showBallot } from "./ballots.ts";
import { getBlob, putBlob } from "./blobs.ts";
import { listBudgets, removeBudget, setBudget } from "./budgets.ts";
import { listCapabilities, pauseCapability, resumeCapability } from "./capabilities.ts";
import { setValue, showHistory, showValues } from "./config.ts";
import {
  groupDeadLetters,
  listDeadLetters,
  purgeDeadLetters,
  replayDeadLetter,
  showDeadLetter,
} from "./dead-letters.ts";
import { delayTask } from "./delay.ts";
import { watchEvents } from "./events.ts";
import { acquireLock, listLocks, releaseLock } from "./locks.ts";
import { recoverOffice, showOffice, transferOffice } from "./office.ts";
import type { Operation } from "./operation.ts";
import { showOverview } from "./overview.ts";
import { advisePermission } from "./permission-advice.ts";
import { planWorkflow } from "./plan.ts";
import { listProblems } from "./problems.ts";
import { showScaling } from "./scaling.ts";
import { backfillSchedule, listSchedules, removeSchedule, setSchedule } from "./schedules.ts";
import { listShared, setShared, showShared } from "./shared.ts";
import { initStreams } from "./streams.ts";
import { showSwarm } from "./swarm-status.ts";
import { submitTasks } from "./task-batch.ts";
import { purgeTasks } from "./task-purge.ts";
import {
  cancelTasks,
  listTasks,
  moveTask,
  promoteTask,
  reprioritiseTask,
  retryTask,
  runTask,
  settleTask,
  showTask,
  submitTask,
  watchTask,
} from "./tasks.ts";
import { showTopology } from "./topology.ts";
import { readTrail, trimTrail } from "./trail.ts";
import {
  approveWorkflow,
  cancelWorkflow,
  drawWorkflow,
  exportWorkflow,
  listWorkflows,
  pauseWorkflow,
  rejectWorkflow,
  resumeWorkflow,
  retryWorkflow,
  runWorkflow,
  showWorkflow,
  signalWorkflow,
  startWorkflow,
  verifyWorkflow,
  watchWorkflow,
} from "./workflows.ts";

/** All operations, by family. */
export const OPERATIONS = [
  ...[submitTask, submitTasks, runTask, listTasks, showTask, watchTask, cancelTasks, retryTask],
  ...[moveTask, promoteTask, reprioritiseTask, settleTask, purgeTasks],
  ...[listDeadLetters, groupDeadLetters, showDeadLetter, replayDeadLetter, purgeDeadLetters],
  ...[listLivingAgents, showOneAgent, pauseAgent, resumeAgent, drainAgent],
  ...[listCapabilities, pauseCapability, resumeCapability, showScaling],
  ...[showOffice, transferOffice, recoverOffice],
  ...[listBallots, showBallot, decideBallot, correctBallot, showTopology],
  ...[putBlob, getBlob, readTrail, trimTrail, delayTask, advisePermission],
  ...[acquireLock, releaseLock, listLocks],
  ...[setValue, showValues, showHistory],
  ...[setSchedule, listSchedules, removeSchedule, backfillSchedule],
  ...[setBudget, listBudgets, removeBudget],
  ...[listAuditEntries, verifyAuditLog],
  ...[startWorkflow, runWorkflow, listWorkflows, showWorkflow, verifyWorkflow, exportWorkflow],
  ...[watchWorkflow, drawWorkflow],
  ...[listShared, showShared, setShared],
  ...[planWorkflow, signalWorkflow, approveWorkflow, rejectWorkflow],
  ...[pauseWorkflow, resumeWorkflow, cancelWorkflow, retryWorkflow],
  ...[initStreams, showSwarm, showOverview, listProblems, watchEvents],
] as unknown as readonly Operation[];
