// Pure deciders: the election core, the office over a shared log, ballots and their counts, and the statistics of
// voters. Owns no IO: a driver of another room performs the effects.
//
//   const member = createMember({ config, seed: 7, commandSet: registers });
//   const { send, appends, answers } = stepMember(member, { type: "tick" });
//   // A driver sends `send`, requests `appends` from the log and gives `answers` to clients. It reports messages and the
//   // log's replies with further inputs: receive, stored, accepted, refused, unknown.
//
//   const [ballot, effects] = openBallot({ id, spec, seats, nonce, atMs });
//   const [next, more] = stepBallot(ballot, { type: "answer", seat: 2, round: 1, output, atMs });
//   // A driver performs the effects: it asks seats, cancels questions, asks a judge, and publishes the result of `close`. It
//   // sends a tick at wakeAtMs(ballot).
//
// docs/election.md explains term, office, unknown appends and failures. docs/ballots.md explains strategies, votes and
// topologies.

export { openBallot, stepBallot, wakeAtMs } from "./ballot/ballot.ts";
export { effectsOf } from "./ballot/resume.ts";
export type { Ballot, BallotEffect, BallotEvent, BallotResult, Seat } from "./ballot/state.ts";
export { controlSeatOf, drawTopology, mostMessages, sightIn } from "./ballot/topology.ts";
export { canBeJudged, isSame, markOf, markOfAnswer, readTruth } from "./ballot/truth.ts";
export { signVote, voteKeyOf } from "./ballot/votes.ts";
export {
  ENTRY_VERSION,
  entryText,
  genesisBody,
  genesisChain,
  isSealed,
  type LogEntry,
  readEntry,
  readGenesis,
  type SnapshotNote,
  sealEntry,
} from "./log/entry.ts";
export { type CommandSet, emptyFold, type Fold, hashHistory } from "./log/fold.ts";
export { loadFold, renewFold, saveFold, viewFold } from "./log/snapshot.ts";
export { createElectionNode, MAX_LINE_BYTES } from "./node/election-node.ts";
export type { AnswerError, AppendRequest, CheckpointNews } from "./office/effects.ts";
export {
  createMember,
  haltedError,
  loadLog,
  type Member,
  type MemberEffects,
  type MemberInput,
  stepMember,
} from "./office/member.ts";
export { type Calibration, confidenceOf } from "./statistics/calibration.ts";
export {
  addBallot,
  addPaired,
  type BallotRecord,
  compareWithSingle,
  EMPTY_BALLOTS,
  type SingleComparison,
} from "./statistics/comparison.ts";
export {
  accuracyOf,
  addCase,
  correlationOf,
  EMPTY_RECORD,
  effectiveVoters,
  expectedAccuracy,
  meanCorrelation,
  pairKey,
  type Rate,
  type Score,
  scoreOf,
  type VoterRecord,
  weightOf,
} from "./statistics/voters.ts";
export { hashValue, readAnswer } from "./tally/answer.ts";
export { certainAnswersOf } from "./tally/tally.ts";
