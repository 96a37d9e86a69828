// How many agree. Pure deciders: the election core, the office over a shared log, the arithmetic of majorities.
//
//   const member = createMember({ config, seed: 7, commandSet: registers });
//   const { send, appends, answers } = stepMember(member, { type: "tick" });
//   // A driver sends `send`, asks the log for `appends`, gives `answers` to clients, and reports what it hears with
//   // further inputs: receive, stored, accepted, refused, unknown.
//
// docs/election.md explains term, office, unknown appends and failure.

export {
  applyEntry,
  type CommandSet,
  emptyFold,
  type Fold,
  findMisfit,
  hashFold,
  KEPT_KEYS,
} from "./apply.ts";
export {
  canonicalJson,
  canonicalPieces,
  isJsonObject,
  type Json,
  type JsonObject,
  MAX_JSON_DEPTH,
  sha256,
} from "./canonical.ts";
export { createElectionNode, type ElectionNode, MAX_LINE_BYTES } from "./election-node.ts";
export type { ElectionConfig } from "./election-state.ts";
export {
  type Entry,
  type EntryBody,
  type Genesis,
  genesisBody,
  genesisChain,
  type KeyedCommand,
  type ParsedCommand,
  readEntry,
  readGenesis,
  type SnapshotNote,
  sealEntry,
} from "./entry.ts";
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
} from "./member.ts";
export { type Envelope, MESSAGE_VERSION, type Message, parseMessage } from "./messages.ts";
export type {
  Answer,
  AnswerError,
  AppendRequest,
  CheckpointNews,
  ReadAnswer,
  SnapshotNews,
} from "./office-effects.ts";
export { countOutcome, majorityOf, majorityOutcome, type Outcome } from "./quorum.ts";
export { type RegisterCommand, type Registers, registers } from "./registers.ts";
export { drawRoleDiagram, ROLE_TABLE, type Role, type RoleTransition } from "./roles.ts";
export { type LoadedFold, loadFold, type Renewal, renewFold, saveFold, viewFold } from "./snapshot.ts";
