// One coordinator's part in the office: what it offers to the process that it runs in, and which memberships can be.
// Owns the words; driver.ts does the work.
import type { Clock, Logger, Meter, Service } from "../../base/index.ts";
import { type Audit, type CoordinatorStatus, type Json, SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";
import type { SnapshotInterval } from "./snapshots.ts";

/** What a coordinator takes. */
export interface OfficeOptions {
  transport: Transport;
  log: Logger;
  meter: Meter;
  /** This coordinator's id, one of `members`. */
  id: string;
  /** Every coordinator's id, this one's included: 1, 3, 5 or 7. */
  members: readonly string[];
  version: string;
  /** Seed of the election timeouts. */
  seed: number;
  clock?: Clock | undefined;
  /** Where it is kept who held the office when; without it nowhere. */
  audit?: Audit | undefined;
  /** How long a log must look wrong before it is distrusted; default 45 s, see log-watch.ts. */
  doubtMs?: number | undefined;
  /** When a snapshot is due; default: 20,000 entries or 64 MiB, see snapshots.ts. */
  snapshotInterval?: SnapshotInterval | undefined;
}

/** What the holder of the office tells of it. */
export interface OfficeTenure {
  id: string;
  pid: number;
  term: number;
  since: string;
}

/** One coordinator's part in the office. */
export interface Office {
  /** Begins to open the log, without waiting for it: a swarm works without an office. Stops by leaving all as it is. */
  readonly service: Service;
  /** Resolves when the log was read and this coordinator takes part; never before it is stopped, if it cannot. */
  readonly opened: Promise<void>;
  /** What this coordinator believes of itself. */
  status(): CoordinatorStatus;
  /** The tenure while this coordinator holds the office; null otherwise. */
  readonly tenure: OfficeTenure | null;
  /** The state as far as it is applied here, and log time. May be old unless it was just `read`. */
  readonly state: OfficeState;
  readonly logTime: number;
  readonly appliedSeq: number;
  /**
   * How old `state` may be, in ms: it holds all that a look at the log found that long ago. Looks come every 2 s. A server
   * that is cut off from its group tells an old end of the log for up to 45 s; that is not seen here.
   * @throws SwarmError `unavailable` while the log is not read, or not trusted any more.
   */
  readonly ageMs: number;
  /**
   * Has a command decided; the same key gets the same decision. `bytes` is about its size in the log; left out, it is
   * measured.
   * @throws SwarmError `not_leader` or `rate_limited` (not decided here); `unavailable` (its fate is open: repeat it
   *   with the same key).
   */
  submit(key: string, command: OfficeCommand, bytes?: number): Promise<Json>;
  /**
   * Resolves when `state` holds all that was decided before the call.
   * @throws SwarmError `not_leader`, `unavailable`, `rate_limited`.
   */
  barrier(): Promise<void>;
  /**
   * Hands the office over and resolves when it is left, or after `timeoutMs`; at once when there is nothing to hand
   * over, or nobody to take it.
   */
  handOver(timeoutMs: number): Promise<void>;
  /**
   * Asks another member to take over.
   * @throws SwarmError `not_leader`, `invalid_input` (unknown or the own id), `unavailable` (no other member answers).
   */
  transfer(to?: string): string;
  /** Calls `onTenure` whenever this coordinator takes the office (its tenure) or leaves it (null). */
  onTenure(onTenure: (tenure: OfficeTenure | null) => void): void;
  /** Why this coordinator is not ready; null when it knows a leader and has applied the log. */
  findProblem(): string | null;
  /** Brings the gauges up to date. */
  measure(): void;
}

/** Cluster sizes that an election may have: an even one tolerates no more failures than the odd one below it. */
export const CLUSTER_SIZES: readonly number[] = [1, 3, 5, 7];

/** @throws SwarmError `invalid_input` for a membership that cannot be. */
export function checkMembers({ id, members }: Pick<OfficeOptions, "id" | "members">): void {
  const refuse = (message: string) => new SwarmError("invalid_input", message, { field: "members" });
  if (new Set(members).size !== members.length) throw refuse(`members must differ, got ${members.join(",")}`);
  if (!CLUSTER_SIZES.includes(members.length)) {
    throw refuse(`members must be ${CLUSTER_SIZES.join(", ")} ids, got ${members.length}`);
  }
  if (!members.includes(id)) throw refuse(`members must hold the own id ${id}, got ${members.join(",")}`);
}
