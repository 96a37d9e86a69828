// How many agree. Pure deciders: the election core, the office over a shared log, the arithmetic of majorities.
//
//   const member = createMember({ config, seed: 7, commandSet: registers });
//   const { send, appends, answers } = stepMember(member, { type: "tick" });
//   // A driver sends `send`, asks the log for `appends`, gives `answers` to clients, and reports what it hears with
//   // further inputs: receive, stored, accepted, refused, unknown.
//
//   const [ballot, effects] = openBallot({ id, spec, seats, nonce, atMs });
//   const [next, more] = stepBallot(ballot, { type: "answer", seat: 2, round: 1, output, atMs });
//   // A driver asks the seats that `ask` names, cancels, consults, and publishes what `close` gives; it sends a tick at
//   // wakeAtMs(ballot).
//
// docs/election.md explains term, office, unknown appends and failure; docs/ballots.md strategies, votes and topologies.

export { openBallot, stepBallot, wakeAtMs } from "./ballot/ballot.ts";
export { effectsOf } from "./ballot/resume.ts";
export type {
  Abstention,
  Ballot,
  BallotEffect,
  BallotEvent,
  BallotResult,
  HeldAnswer,
  Opening,
  Seat,
} from "./ballot/state.ts";
export { controlSeatOf, drawTopology, linesOf, mostMessages, sightIn, votersOf } from "./ballot/topology.ts";
export {
  canBeJudged,
  isSame,
  type Mark,
  markOf,
  markOfAnswer,
  readTruth,
  type TruthSpec,
} from "./ballot/truth.ts";
export {
  type Admission,
  admitVote,
  nonceOf,
  signVote,
  type VoteKey,
  type VoteRound,
  type VoteStatement,
  verifyVote,
  voteBytes,
  voteKeyOf,
} from "./ballot/votes.ts";
export { type Envelope, MESSAGE_VERSION, type Message, parseMessage } from "./election/messages.ts";
export { drawRoleDiagram, ROLE_TABLE, type Role, type RoleTransition } from "./election/roles.ts";
export type { ElectionConfig } from "./election/state.ts";
export {
  ENTRY_VERSION,
  type EntryBody,
  entryText,
  type Genesis,
  genesisBody,
  genesisChain,
  isSealed,
  type KeyedCommand,
  type LogEntry,
  type ParsedCommand,
  readEntry,
  readGenesis,
  type SnapshotNote,
  sealEntry,
} from "./log/entry.ts";
export {
  applyEntry,
  type CommandSet,
  emptyFold,
  type Fold,
  findMisfit,
  hashFold,
  hashHistory,
  KEPT_KEYS,
} from "./log/fold.ts";
export { type LoadedFold, loadFold, type Renewal, renewFold, saveFold, viewFold } from "./log/snapshot.ts";
export { createElectionNode, type ElectionNode, MAX_LINE_BYTES } from "./node/election-node.ts";
export { type RegisterCommand, type Registers, registers } from "./node/registers.ts";
export type {
  Answer,
  AnswerError,
  AppendRequest,
  CheckpointNews,
  ReadAnswer,
  SnapshotNews,
} from "./office/effects.ts";
export {
  createMember,
  haltedError,
  loadLog,
  type Member,
  type MemberEffects,
  type MemberInput,
  type MemberOptions,
  type MemberView,
  stepMember,
  viewMember,
} from "./office/member.ts";
export {
  byzantineQuorumOf,
  countOutcome,
  faultyOf,
  majorityOf,
  majorityOutcome,
  type Outcome,
} from "./quorum.ts";
export {
  type Calibration,
  type CalibrationSample,
  confidenceOf,
  fitCalibration,
  type ReliabilityBucket,
  reliabilityOf,
  UNCALIBRATED,
} from "./statistics/calibration.ts";
export {
  addBallot,
  addPaired,
  type BallotFacts,
  type BallotRecord,
  compareWithSingle,
  EMPTY_BALLOTS,
  NEGLIGIBLE_GAIN,
  type SingleComparison,
  type Spent,
} from "./statistics/single.ts";
export {
  accuracyOf,
  addCase,
  correlationOf,
  EMPTY_RECORD,
  type ErrorTable,
  effectiveVoters,
  errorCorrelation,
  expectedAccuracy,
  type JudgedCase,
  MAX_WEIGHT,
  meanCorrelation,
  pairKey,
  type Rate,
  type Score,
  scoreOf,
  type Voter,
  type VoterRecord,
  weightOf,
} from "./statistics/voters.ts";
export {
  type AnswerSpec,
  hashValue,
  lookUp,
  MAX_FINDINGS,
  MAX_MAGNITUDE,
  type Reading,
  readAnswer,
  valueBytesOf,
} from "./tally/answer.ts";
export { MAX_MERGED_FINDINGS, type MergedFinding } from "./tally/merge.ts";
export { minAnswersOf, surelyHeardOf, tally } from "./tally/tally.ts";
export type { Decision, Indecision, Poll, Referral, Tally, Vote } from "./tally/types.ts";
