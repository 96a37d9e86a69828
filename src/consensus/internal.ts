// The seam of this room for tests, beside the door: names that no other room needs, and the parts of the deciders that
// the simulator replaces with deliberately broken ones to show that it notices. Only tests may import this file.

export { linesOf, votersOf, wavesOf } from "./ballot/topology.ts";
export {
  admitVote,
  nonceOf,
  type VoteKey,
  type VoteRound,
  type VoteStatement,
  verifyVote,
  voteBytes,
} from "./ballot/votes.ts";
export { stepElection } from "./election/election.ts";
export { MAX_TERM_AHEAD, MESSAGE_VERSION, type Message } from "./election/messages.ts";
export { drawRoleDiagram, ROLE_TABLE } from "./election/roles.ts";
export type { ElectionConfig, ElectionContext } from "./election/state.ts";
export type { EntryBody } from "./log/entry.ts";
export { applyEntry, findMisfit, hashFold, KEPT_KEYS } from "./log/fold.ts";
export { upcast } from "./log/upcast.ts";
export { type NodeParts, productionParts } from "./node/election-node.ts";
export { type RegisterCommand, type Registers, registers } from "./node/registers.ts";
export { type MemberOptions, type MemberParts, viewMember } from "./office/member.ts";
export { MAX_GROUP_COMMANDS, OFFICE_WAIT_TIMEOUTS } from "./office/office.ts";
export { MAX_QUEUED } from "./office/queue.ts";
export { byzantineQuorumOf, countOutcome, faultyOf, majorityOf, majorityOutcome } from "./quorum.ts";
export {
  type CalibrationSample,
  fitCalibration,
  type ReliabilityBucket,
  reliabilityOf,
  UNCALIBRATED,
} from "./statistics/calibration.ts";
export { binomialAtMost, NEGLIGIBLE_GAIN, type Spent } from "./statistics/comparison.ts";
export { errorCorrelation, type JudgedCase, MAX_WEIGHT } from "./statistics/voters.ts";
export { lookUp, valueBytesOf } from "./tally/answer.ts";
export { MAX_MERGED_FINDINGS, type MergedFinding } from "./tally/merge.ts";
export { minAnswersOf, tally } from "./tally/tally.ts";
export type { Poll, Vote } from "./tally/types.ts";
