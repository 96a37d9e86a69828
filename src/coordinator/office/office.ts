// The interface of a coordinator's part in the office: its options, its calls, and the check of its membership. Owns the
// types; driver.ts implements them, and the services of this room (ballots, placement, schedules) call them.
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
  /** The seed of the random election timeouts. */
  seed: number;
  clock?: Clock | undefined;
  /** The audit log, which records the holders of the office; default: none. */
  audit?: Audit | undefined;
  /** How long the log must fail its checks before the coordinator distrusts it, in ms; default 45 s, see log-watch.ts. */
  doubtMs?: number | undefined;
  /** When a snapshot is due; default: 20,000 entries or 64 MiB, see snapshots.ts. */
  snapshotInterval?: SnapshotInterval | undefined;
}

/** One coordinator's tenure: it holds the office in this term. `since` is an ISO 8601 time in UTC. */
export interface OfficeTenure {
  id: string;
  pid: number;
  term: number;
  since: string;
}

/** One coordinator's part in the office. */
export interface Office {
  /** Its start does not wait until the log is open, because a swarm works without an office. Its stop writes nothing. */
  readonly service: Service;
  /** Resolves when this coordinator has read the log and takes part. Never resolves if the log stays unusable. */
  readonly opened: Promise<void>;
  /** The status of this coordinator by its own knowledge, which may be stale. */
  status(): CoordinatorStatus;
  /** The tenure while this coordinator holds the office; null otherwise. */
  readonly tenure: OfficeTenure | null;
  /** The state up to the last applied entry. It may be stale, unless a `barrier` has just resolved. */
  readonly state: OfficeState;
  /** The log time of the last applied entry, in ticks. */
  readonly logTime: number;
  /** The sequence of the last applied entry. */
  readonly appliedSeq: number;
  /**
   * The age, in ms, of the newest check of the log whose entries are all in `state`. A check runs every 2 s. A server that is
   * cut off from its group reports an old end of the log for up to 45 s; this coordinator cannot notice that.
   * @throws SwarmError `unavailable` while the log is not read yet, or no longer trusted.
   */
  readonly ageMs: number;
  /**
   * Submits a command, and resolves to its decision. A repeat with the same key gets the first decision. `bytes` is the
   * approximate size of the command in the log; default: measured.
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
   * Asks another member to take the office over. Default: the member that has read the most of the log, among the members
   * that sent a message within the last election timeout. Returns the id of that member.
   * @throws SwarmError `not_leader`, `invalid_input` (an unknown id, or the id of this coordinator), `unavailable` (no other
   *   member answers).
   */
  transfer(to?: string): string;
  /**
   * Calls `onTenure` with the tenure each time that this coordinator takes the office, and with null each time that it
   * leaves. Calls it at once if this coordinator holds the office now, so that services may subscribe in any order.
   */
  onTenure(onTenure: (tenure: OfficeTenure | null) => void): void;
  /** The reason why this coordinator is not ready; null when it knows a leader and has applied the log. */
  findProblem(): string | null;
  /** Sets the gauges of the office in `meter` to the present values. */
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
  if (!members.includes(id))
    throw invalid(`members must include this coordinator's id ${id}, got ${members.join(",")}`);
}
