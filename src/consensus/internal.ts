// The seam of this room for its own tests: parts of the decider that a test may exchange for deliberately broken
// ones, to show that the simulator notices. Nothing but tests may import this file.

export {
  applyEntry,
  type CommandSet,
  emptyFold,
  type Fold,
  findMisfit,
  hashFold,
  KEPT_KEYS,
} from "./apply.ts";
export { type JsonObject, sha256 } from "./canonical.ts";
export { stepElection } from "./election.ts";
export { type Parts, productionParts } from "./election-node.ts";
export type { ElectionConfig, ElectionContext } from "./election-state.ts";
export { ENTRY_VERSION, genesisChain, readEntry, sealEntry } from "./entry.ts";
export {
  createMember,
  loadLog,
  type Member,
  type MemberEffects,
  type MemberInput,
  type MemberParts,
  stepMember,
  viewMember,
} from "./member.ts";
export { type Message, parseMessage } from "./messages.ts";
export { type RegisterCommand, type Registers, registers } from "./registers.ts";
export { loadFold, type Renewal, renewFold, saveFold } from "./snapshot.ts";
