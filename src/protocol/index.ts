// What is said on the wire: schemas, subjects, streams, codec and errors. Imports base only.
//
//   const subjects = createSubjects("murmur");
//   const task = parseTask(decode(body).value);
//   subjects.task({ capability: task.capability, priority: task.priority, scope: task.scope, taskId: task.id });

export {
  CONTENT_TYPES,
  decode,
  type Encoding,
  encode,
  encodingOf,
  MAX_DEPTH,
  replyEncodingOf,
} from "./codec.ts";
export {
  CancelledError,
  ERROR_CATALOGUE,
  ERROR_CODES,
  type ErrorCode,
  fromWire,
  RetryableError,
  SwarmError,
  TerminalError,
  toSwarmError,
  type WireError,
} from "./errors.ts";
export { HEADERS, PROTOCOL_VERSION } from "./headers.ts";
export { jsonSchemaOf, SCHEMA_NAMES, type SchemaName } from "./json-schema.ts";
export {
  AGENT_STATES,
  type AgentState,
  type AgentStatus,
  agentStatusSchema,
  COORDINATOR_ROLES,
  type CoordinatorStatus,
  coordinatorStatusSchema,
  type DeadLetter,
  deadLetterSchema,
  errorReplySchema,
  type Heartbeat,
  heartbeatSchema,
  type JournalRecord,
  journalRecordSchema,
  type SubmitReply,
  submitReplySchema,
  type TaskStatus,
  taskStatusSchema,
  WAITING_REASONS,
  type WaitingReason,
  type WhereReply,
  whereReplySchema,
} from "./messages.ts";
export { parse } from "./schema.ts";
export {
  ACK_RENEW_MS,
  ACK_WAIT_MS,
  BLOB_LIMIT_BYTES,
  type BucketKey,
  type BucketSpec,
  bucketSpecs,
  DEDUP_WINDOW_MS,
  INLINE_LIMIT_BYTES,
  type StreamKey,
  type StreamSpec,
  streamName,
  streamSpecs,
  TASK_MESSAGE_LIMIT_BYTES,
} from "./streams.ts";
export {
  checkToken,
  createSubjects,
  type EventKind,
  isToken,
  LANE_COUNT,
  laneOf,
  NO_SCOPE,
  PREFIX_PATTERN,
  PRIORITIES,
  PRIORITY_WEIGHTS,
  type Priority,
  type Subjects,
  showValue,
  type TaskAddress,
  TOKEN_PATTERN,
} from "./subjects.ts";
export {
  blobSchema,
  DEFAULT_RETRY,
  DEFAULT_TIMEOUT_MS,
  MAX_DELAY_MS,
  MAX_LABELS,
  MAX_TIMEOUT_MS,
  parseTask,
  parseTaskAt,
  type Result,
  type ResultStatus,
  type RetryPolicy,
  resultErrorSchema,
  resultSchema,
  retrySchema,
  TASK_STATES,
  type Task,
  type TaskInput,
  type TaskState,
  taskSchema,
  timeSchema,
  tokenSchema,
} from "./task.ts";
