// The status that a coordinator reports about itself: its role, whether it is ready, and how stale its state may be.
import { hostname } from "node:os";
import { haltedError, hashHistory, type Member } from "../../consensus/index.ts";
import { type CoordinatorStatus, SwarmError } from "../../protocol/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";
import { RUNBOOK } from "./control-log.ts";
import type { LogWatch } from "./log-watch.ts";

/** The most entries that a ready coordinator may lag behind. */
const MAX_READY_LAG = 1_000;

/** The problem of a coordinator that lacks nothing but a leader. */
export const NO_LEADER = "no leader is known";

/** The reason why a member that has read its log is not ready; null when it is ready. */
export function findProblem(
  member: Member<OfficeState, OfficeCommand>,
  { problem, lastSeq }: LogWatch,
): string | null {
  const halted = haltedError(member);
  if (halted !== undefined) return `${halted}; see ${RUNBOOK}`;
  if (problem !== null) return `the control log: ${problem}`;
  const lag = lastSeq - member.office.fold.seq;
  if (lag > MAX_READY_LAG) return `${lag} entries of the control log are not applied yet`;
  if (member.election.leader === null) return NO_LEADER;
  return member.election.abstainTicks > 0
    ? "it has just started, and takes part in elections in a moment; do not stop another coordinator yet"
    : null;
}

/** True for a coordinator that takes part and knows no leader. Without its log, or halted, it has other reasons. */
export function knowsNoLeader(office: { status(): CoordinatorStatus }): boolean {
  try {
    const { leader, role } = office.status();
    return leader === null && role !== "halted";
  } catch (error) {
    if (error instanceof SwarmError) return false;
    throw error;
  }
}

/** See `Office.ageMs`. */
export function measureAge(member: Member<OfficeState, OfficeCommand>, watch: LogWatch | null): number {
  const halted = haltedError(member);
  const ageMs = watch?.ageMs ?? Number.POSITIVE_INFINITY;
  if (halted === undefined && Number.isFinite(ageMs)) return ageMs;
  throw new SwarmError("unavailable", halted ?? "this coordinator has not checked its log yet: ask again");
}

/** The facts that a coordinator knows about itself, even without a usable log. */
interface OwnFacts {
  readonly id: string;
  readonly version: string;
  readonly refusedMessages: number;
}

/** The status of a coordinator that cannot start, because its log is unusable. */
export function describeHalted(reason: string, own: OwnFacts): CoordinatorStatus {
  return {
    ...own,
    host: hostname(),
    pid: process.pid,
    role: "halted",
    term: 0,
    leader: null,
    logId: "",
    epoch: 0,
    appliedSeq: 0,
    stateHash: "",
    halted: reason,
  };
}

/** The status of a member as it sees itself, which may be stale. */
export function describeMember(
  { election, office }: Member<OfficeState, OfficeCommand>,
  { id, version, refusedMessages }: OwnFacts,
): CoordinatorStatus {
  const { halted, inOffice, fold } = office;
  const role = election.role === "follower" ? "follower" : "candidate";
  return {
    id,
    host: hostname(),
    pid: process.pid,
    version,
    role: halted !== null ? "halted" : inOffice ? "leader" : role,
    term: election.term,
    leader: election.leader,
    logId: fold.logId,
    epoch: fold.epoch,
    appliedSeq: fold.seq,
    stateHash: hashHistory(fold),
    halted,
    refusedMessages,
  };
}
