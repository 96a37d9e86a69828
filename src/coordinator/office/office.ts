// The interface between a coordinator's part in the office and the process around it, and the check of the membership.
// Owns the types; driver.ts implements them.
import type { Clock, Logger, Meter, Service } from "../../base/index.ts";
import { type Audit, type CoordinatorStatus, type Json, SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";
import type { SnapshotInterval } from "./snapshots.ts";

/** The options of {@link createOffice}. */
export interface OfficeOptions {
  transport: Transport;
  log: Logger;
  meter: Meter;
  /** The id of this coordinator, one of `members`. */
  id: string;
  /** The ids of all coordinators, including this one: 1, 3, 5 or 7. */
  members: readonly string[];
  version: string;
  /** Seed of the election timeouts. */
  seed: number;
  clock?: Clock | undefined;
  /** The audit log, which records the holders of the office; default: none. */
  audit?: Audit | undefined;
  /** How long a log must look wrong before the coordinator distrusts it; default 45 s, see log-watch.ts. */
  doubtMs?: number | undefined;
  /** When a snapshot is due; default: 20,000 entries or 64 MiB, see snapshots.ts. */
  snapshotInterval?: SnapshotInterval | undefined;
}

/** The holder's description of its tenure. */
export interface OfficeTenure {
  id: string;
  pid: number;
  term: number;
  since: string;
}

/** One coordinator's part in the office. */
export interface Office {
  /** Starts to open the log and does not wait for it: a swarm works without an office. A stop leaves the log as it is. */
  readonly service: Service;
  /** Resolves when this coordinator has read the log and takes part. Never resolves if the log stays unusable. */
  readonly opened: Promise<void>;
  /** The status of this coordinator, as it believes it to be. */
  status(): CoordinatorStatus;
  /** The tenure while this coordinator holds the office; null otherwise. */
  readonly tenure: OfficeTenure | null;
  /** The state up to the last applied entry. It may be stale, unless a `barrier` has just resolved. */
  readonly state: OfficeState;
  readonly logTime: number;
  readonly appliedSeq: number;
  /**
   * How stale `state` may be, in ms: it includes everything that a check of the log found that long ago. A check runs every
   * 2 s. A server that is cut off from its group reports an old end of the log for up to 45 s; this coordinator cannot
   * notice that.
   * @throws SwarmError `unavailable` while the log is not read, or not trusted any more.
   */
  readonly ageMs: number;
  /**
   * Has a command decided; the same key gets the same decision. `bytes` is the approximate size of the command in the log;
   * default: measured.
   * @throws SwarmError `not_leader` or `rate_limited` (not decided here); `unavailable` (the outcome is unknown: repeat the
   *   command with the same key).
   */
  submit(key: string, command: OfficeCommand, bytes?: number): Promise<Json>;
  /**
   * Resolves when `state` includes everything that was decided before the call.
   * @throws SwarmError `not_leader`, `unavailable`, `rate_limited`.
   */
  barrier(): Promise<void>;
  /**
   * Hands the office over. Resolves when this coordinator has left the office, or after `timeoutMs`; at once when it does
   * not hold the office, or no other member can take it.
   */
  handOver(timeoutMs: number): Promise<void>;
  /**
   * Asks another member to take over; default: the member that has read furthest. Returns the id of that member.
   * @throws SwarmError `not_leader`, `invalid_input` (unknown or the own id), `unavailable` (no other member answers).
   */
  transfer(to?: string): string;
  /**
   * Calls `onTenure` with the tenure each time that this coordinator takes the office, and with null each time that it
   * leaves. Calls it at once if this coordinator holds the office now, so that services may subscribe in any order.
   */
  onTenure(onTenure: (tenure: OfficeTenure | null) => void): void;
  /** The reason why this coordinator is not ready; null when it knows a leader and has applied the log. */
  findProblem(): string | null;
  /** Updates the gauges. */
  measure(): void;
}

/** The allowed cluster sizes: an even cluster tolerates no more failures than the odd one below it. */
export const CLUSTER_SIZES: readonly number[] = [1, 3, 5, 7];

/** @throws SwarmError `invalid_input` for an impossible membership. */
export function checkMembers({ id, members }: Pick<OfficeOptions, "id" | "members">): void {
  const invalid = (message: string) => new SwarmError("invalid_input", message, { field: "members" });
  if (new Set(members).size !== members.length)
    throw invalid(`members must differ, got ${members.join(",")}`);
  if (!CLUSTER_SIZES.includes(members.length)) {
    throw invalid(`members must be ${CLUSTER_SIZES.join(", ")} ids, got ${members.length}`);
  }
  if (!members.includes(id)) throw invalid(`members must include the own id ${id}, got ${members.join(",")}`);
}
