// The status of one coordinator, as it reports it on `<p>.coordinators`. Owns its schema.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";

/** The roles of a coordinator. `leader` means that it holds the office; an election winner not yet in office is a `candidate`. */
export const COORDINATOR_ROLES = ["leader", "candidate", "follower", "halted"] as const;

/** One coordinator's answer on `<p>.coordinators`: its own view, which may be old. */
export const coordinatorStatusSchema = z.object({
  id: tokenSchema,
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  role: z.enum(COORDINATOR_ROLES),
  term: z.int(),
  leader: z.string().nullable(),
  logId: z.string(),
  epoch: z.int(),
  appliedSeq: z.int(),
  /** SHA-256 over all entries and decisions so far. Two coordinators with equal `appliedSeq` have equal hashes. */
  stateHash: z.string(),
  /** The reason why the coordinator halted: it no longer trusts its log. Null while it runs. */
  halted: z.string().nullable(),
  /** The number of election messages that the coordinator rejected since it started. */
  refusedMessages: z.int(),
});
/** One coordinator's answer on `<p>.coordinators`. */
export type CoordinatorStatus = z.output<typeof coordinatorStatusSchema>;
