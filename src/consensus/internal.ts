// The seam of this room for its own tests: parts of the decider that a test may exchange for deliberately broken
// ones, to show that the simulator notices. Nothing but tests may import this file.

export { type JsonObject, sha256 } from "../protocol/index.ts";
export { stepElection } from "./election/election.ts";
export { type Message, parseMessage } from "./election/messages.ts";
export type { ElectionConfig, ElectionContext } from "./election/state.ts";
export { ENTRY_VERSION, genesisChain, readEntry, sealEntry } from "./log/entry.ts";
export {
  applyEntry,
  type CommandSet,
  emptyFold,
  type Fold,
  findMisfit,
  hashFold,
  KEPT_KEYS,
} from "./log/fold.ts";
export { loadFold, type Renewal, renewFold, saveFold } from "./log/snapshot.ts";
export { type NodeParts, productionParts } from "./node/election-node.ts";
export { type RegisterCommand, type Registers, registers } from "./node/registers.ts";
export {
  createMember,
  loadLog,
  type Member,
  type MemberEffects,
  type MemberInput,
  type MemberParts,
  stepMember,
  viewMember,
} from "./office/member.ts";
