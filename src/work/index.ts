// Durable tasks: each task is performed at least once and ends with exactly one result. Tasks, attempts, retries, results,
// dead letters.
//
//   const client = createTaskClient({ transport, meter });
//   const { taskId } = await client.submit({ capability: "echo", input: "hello" });
//   const result = await client.result(taskId);
//
//   const worker = createWorker({ transport, meter, log, hostId, workforce, capabilities: [{ name: "echo" }] });
//   await worker.start();

export { ABORT_GRACE_MS } from "./attempt/attempt.ts";
export { FailureLog } from "./attempt/failure-log.ts";
export { COUNTED_OUTCOMES, FAILURE_CODES, RESULT_STATUSES } from "./attempt/outcomes.ts";
export { REDELIVERY_CAUSES } from "./attempt/redelivery.ts";
export { listCapabilities } from "./client/capabilities.ts";
export { createTaskClient, type TaskClient, type WaitOptions } from "./client/client.ts";
export { type DeadLetters, REPLAY_LABEL, type SelectedLetter } from "./client/dead-letters.ts";
export { MAX_FINGERPRINT_LENGTH } from "./client/fingerprint.ts";
export { createFrontDoor } from "./client/front-door.ts";
export {
  DEFAULT_LIST_LIMIT,
  HIDDEN_REASONS,
  type ListOptions,
  MAX_LIST_LIMIT,
  MAX_LOOKED_AT,
} from "./client/list.ts";
export type { ChangedTask, TaskChange } from "./client/move.ts";
export { ENDED_STATES, type PurgeSelection, type PurgeTask, WAITING_STATES } from "./client/purge.ts";
export type { TaskReader } from "./client/reader.ts";
export { errorReply } from "./client/replies.ts";
export type { SubmitOptions } from "./client/submit.ts";
export type { TaskFilter } from "./client/task-filter.ts";
export { askForAdvice } from "./door/advice.ts";
export { createDoorCaller, type DoorCaller, type DoorCallOptions } from "./door/caller.ts";
export { createHostDoor } from "./door/host.ts";
export { createDoorTasks, type ProgramTasks } from "./door/tasks.ts";
export type {
  Attempt,
  CapabilityLimits,
  HostDoor,
  Slot,
  SlotRefusal,
  TaskPlaces,
  TrailReader,
  TrailRecord,
  Workforce,
} from "./ports.ts";
export {
  MAX_SHARED_BYTES,
  type SharedAuthor,
  type SharedChange,
  SharedStore,
  type SharedValue,
} from "./shared/store.ts";
export { codeOfThrown, startSend } from "./spans.ts";
export { blobsOf, renewBlobs } from "./stores/blob-refs.ts";
export { createBlobRenewer, type RenewalReport } from "./stores/blob-renewer.ts";
export { bodyBytes, bodyHeaders, isLarge, packLarge, unpackStored } from "./stores/bodies.ts";
export {
  capabilityOfConsumer,
  commandForConsumers,
  createQueueConsumers,
  hostOfConsumer,
  isQueueFilter,
  MISSING_CONSUMERS,
  placedConsumer,
  queueConsumer,
  queueConsumersOf,
} from "./stores/consumers.ts";
export { trimJournal } from "./stores/journal.ts";
export { carriedHeaders, createLaterStore, DELAYED_HEADERS } from "./stores/later.ts";
export { endingBallotOf, readPlacedTask } from "./stores/messages.ts";
export { createMover, MOVER_CONSUMER } from "./stores/mover.ts";
export { allConsumers, lastPlaced, placedName, placedStreams, purgePlaced } from "./stores/placed-streams.ts";
export { readJournalRecord } from "./stores/records.ts";
export {
  buryUnreadable,
  countFailure,
  createResultStore,
  type ResultStore,
  readResultMessage,
} from "./stores/results.ts";
export { isScopeMarked, isTaskMarked, markTask } from "./stores/scopes.ts";
export { createJournalSweeper, LEFT_JOURNAL_MS, type SweepReport } from "./stores/sweep.ts";
export { createTrailReader } from "./stores/trail.ts";
export { createWorker, type OfferedCapability, type Worker } from "./worker/worker.ts";
