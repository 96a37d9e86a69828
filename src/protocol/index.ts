// The contract: the messages, subjects, streams, encodings and errors on the wire. Imports only base.
//
//   const subjects = createSubjects("murmur");
//   const task = parseTask(decode(body).value);
//   subjects.task({ capability: task.capability, priority: task.priority, scope: task.scope, taskId: task.id });

export type { CommandLimits, ExecRequest, ExecResult } from "./agent/exec.ts";
export { type Heartbeat, heartbeatSchema, parseHeartbeat } from "./agent/heartbeat.ts";
export {
  AGENT_STATES,
  type AgentState,
  type AgentStatus,
  agentStatusSchema,
  MAX_SKILLS,
  WAITING_REASONS,
  type WaitingReason,
} from "./agent/status.ts";
export { describeSubjects } from "./async-api.ts";
export { AUDIT_ENTRY_LIMIT_BYTES, type AuditEntry, auditEntrySchema } from "./audit/entry.ts";
export type { Audit, AuditFacts, AuditNote } from "./audit/note.ts";
export {
  type BallotInput,
  type BallotSpec,
  ballotSchema,
  type Calibration,
  capabilityOfSeat,
  DEFAULT_BALLOT_MS,
  DEFAULT_TRIM,
  fanOutOf,
  MAX_BALLOT_MS,
  MAX_BALLOT_VALUE_BYTES,
  MAX_CANDIDATES,
  MAX_ROUNDS,
  MAX_SEATS,
  MIN_BFT_SEATS,
  normaliseSchema,
  roundsOf,
  treeDepthOf,
  voterCountOf,
} from "./ballot/ballot.ts";
export {
  BALLOT_STRATEGIES,
  type BallotStrategy,
  DISAGREEMENT_RULES,
  type DisagreementRule,
  STRATEGY_RULES,
  TOPOLOGIES,
  type TopologyKind,
} from "./ballot/rules.ts";
export {
  type AdviceQuestion,
  adviceQuestionSchema,
  BALLOT_OUTCOMES,
  type BallotOutcome,
  type BallotUsage,
  ballotUsageSchema,
  DECIDED_BY,
  type DecidedBy,
  type Evidence,
  evidenceSchema,
  judgeAnswerSchema,
  MAX_EVIDENCE,
  type SeatQuestion,
  type SignedVote,
  seatQuestionSchema,
  signedVoteSchema,
  type Verdict,
  VOTE_FAULTS,
  type VoteFault,
  verdictSchema,
  verifierAnswerSchema,
} from "./ballot/verdict.ts";
export { jsonSchemaOf, SCHEMA_NAMES, type SchemaName } from "./json-schema.ts";
export {
  BALLOT_INPUT_LIMIT,
  type BallotOpenRequest,
  ballotOpenReplySchema,
  parseBallotOpenRequest,
} from "./office/ballot-open.ts";
export {
  COORDINATOR_ROLES,
  type CoordinatorStatus,
  coordinatorStatusSchema,
} from "./office/coordinator-status.ts";
export { type DeadLetter, deadLetterSchema } from "./task/dead-letter.ts";
export {
  HAND_OFF_CONTEXT_LIMIT_BYTES,
  type HandedOff,
  HandOff,
  type HandOffRecord,
  type HandOffRequest,
  makeHandOff,
} from "./task/hand-off.ts";
export {
  ATTEMPT_OUTCOMES,
  type AttemptLine,
  attemptLineSchema,
  type TaskHistory,
  taskHistorySchema,
} from "./task/history.ts";
export { type JournalRecord, journalRecordSchema, type StepsRecord } from "./task/journal-record.ts";
export {
  encodePlacement,
  MAX_REASONS,
  PLACE_TEXT_LIMIT,
  PLACEMENT_LIMIT_BYTES,
  type Placement,
  type PlacementReason,
  type PlaceReply,
  type PlaceRequest,
  placementSchema,
  placeReplySchema,
  placeRequestSchema,
  type Route,
  readPlacement,
  routeSchema,
} from "./task/placement.ts";
export { type SubmitReply, submitReplySchema, type WhereReply, whereReplySchema } from "./task/replies.ts";
export {
  type Hop,
  type Result,
  type ResultStatus,
  readPlainResult,
  resultErrorSchema,
  resultSchema,
} from "./task/result.ts";
export { TASK_STATES, type TaskState, type TaskStatus, taskStatusSchema } from "./task/status.ts";
export {
  MAX_STEP_NAME_LENGTH,
  MAX_STEPS,
  STEPS_LIMIT_BYTES,
  type StepEntry,
  type StepFacts,
  type StepLine,
  StepWait,
  stepEffectKey,
  stepEntrySchema,
  stepLineSchema,
  stepName,
} from "./task/step.ts";
export {
  blobSchema,
  DEFAULT_RETRY,
  DEFAULT_TIMEOUT_MS,
  labelsSchema,
  MAX_DELAY_MS,
  MAX_HAND_OFFS,
  MAX_LABELS,
  MAX_TIMEOUT_MS,
  parseTask,
  parseTaskAt,
  type RetryPolicy,
  retrySchema,
  type Task,
  type TaskInput,
  taskSchema,
} from "./task/task.ts";
export {
  canonicalJson,
  canonicalPieces,
  isJsonObject,
  type Json,
  type JsonObject,
  MAX_JSON_DEPTH,
  sha256,
} from "./wire/canonical.ts";
export {
  CONTENT_TYPES,
  decode,
  type Encoding,
  encode,
  encodingOf,
  MAX_DEPTH,
  replyEncodingOf,
} from "./wire/codec.ts";
export { effectKeyOf, isEffectKey, MAX_EFFECT_KEY_LENGTH } from "./wire/effect-key.ts";
export { errorReplySchema } from "./wire/error-reply.ts";
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
} from "./wire/errors.ts";
export { HEADERS, PROTOCOL_VERSION } from "./wire/headers.ts";
export {
  OPERATE_ALIVE_MS,
  OPERATE_BODY_PIECES,
  OPERATE_PIECE_BYTES,
  OPERATE_RECEIPT_EVERY,
  OPERATE_REPLIES,
  OPERATE_SILENCE_MS,
  OPERATE_WINDOW,
  type OperateReceipt,
  type OperateReply,
  operateReceiptSchema,
} from "./wire/operate.ts";
export { checkPlainData, STEP_RESULT_DEPTH } from "./wire/plain-data.ts";
export {
  classSchema,
  type Fault,
  findFaults,
  nameSchema,
  parse,
  timeSchema,
  tokenSchema,
} from "./wire/schema.ts";
export { describeServerRisk, isServerSupported, OLDEST_SERVER } from "./wire/server-floor.ts";
export {
  ACK_RENEW_MS,
  ACK_WAIT_MS,
  BLOB_LIMIT_BYTES,
  type BucketKey,
  type BucketSpec,
  bucketSpecs,
  classOfStream,
  DEDUP_WINDOW_MS,
  INLINE_LIMIT_BYTES,
  MAX_KEPT_DAYS,
  PAUSED_UNTIL_MS,
  type PlacedKey,
  placedKey,
  placedSpec,
  placedStream,
  type StreamKey,
  type StreamLimits,
  type StreamSpec,
  streamName,
  streamSpecs,
  TASK_MESSAGE_LIMIT_BYTES,
} from "./wire/streams.ts";
export {
  SUBJECT_FACTS,
  type SubjectFacts,
  type SubjectKind,
  type SubjectName,
} from "./wire/subject-facts.ts";
export { subjectPattern } from "./wire/subject-patterns.ts";
export {
  type AgentMailbox,
  CLASS_PATTERN,
  checkClass,
  checkName,
  checkToken,
  classField,
  classOf,
  createSubjects,
  DEFAULT_CLASS,
  ENGINE_CLASS,
  type EventKind,
  fitsFilter,
  type HostAddress,
  type HostRef,
  hostName,
  isLaneOf,
  isName,
  isSameHost,
  isToken,
  LANE_COUNT,
  LANES,
  laneOf,
  lastToken,
  NO_SCOPE,
  PLACEHOLDER,
  type PlacedAddress,
  PREFIX_PATTERN,
  PRIORITIES,
  PRIORITY_WEIGHTS,
  type Priority,
  type Subjects,
  showValue,
  type TaskAddress,
  TOKEN_PATTERN,
  WORKFLOW_CAPABILITY,
} from "./wire/subjects.ts";
