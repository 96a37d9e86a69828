// The seam of this room for its tests: chains without a log. Only tests may import this file.

export {
  type AuditKey,
  type AuditMessage,
  beginCheck,
  type ChainTip,
  checkMessage,
  MAX_LISTED_FAULTS,
  NO_ENTRIES,
  sealEntry,
} from "./chain.ts";
export { MAX_WAITING_NOTES } from "./writer.ts";
