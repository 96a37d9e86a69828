// The preparation of a ballot: finds its seats and makes the command item that opens it in the control log. Pure, except
// that it picks agents and draws a nonce.
import { randomUUID } from "node:crypto";
import { type Ballot, type BallotEffect, openBallot, type Seat } from "../../../consensus/index.ts";
import {
  type BallotOpenRequest,
  type BallotSpec,
  capabilityOfSeat,
  SwarmError,
} from "../../../protocol/index.ts";
import type { Placement } from "../../placement/placement.ts";
import type { OfficeState } from "../../state.ts";
import { findSeats, worthOf } from "../seats.ts";
import { NO_AGENT } from "../state/archive.ts";
import type { OpenedBallot } from "../state/ballots.ts";

/** The bytes of an open ballot besides its task and the decider's state, about: ids, names and times. */
const HEAD_BYTES = 300;
/** The time after which a host asks again while too many ballots are open, in ms. */
const RETRY_FULL_MS = 1_000;
/** The shortest and longest time after which a host asks again while too few agents are there, in ms. It grows with the wait. */
const RETRY_FEW_MS = 250;
const RETRY_FEW_MS_MAX = 5_000;

/** Too few agents are there for a ballot, which waits for more. */
export class AgentsMissing extends SwarmError {
  /** The capability of each seat without an agent. */
  readonly vacant: readonly string[];

  constructor(
    message: string,
    { retryAfterMs, vacant }: { retryAfterMs: number; vacant: readonly string[] },
  ) {
    super("unavailable", message, { retryAfterMs });
    this.vacant = vacant;
  }
}

/**
 * Prepares a ballot that a host handed over. A ballot whose time is over before enough agents were there opens closed.
 * @param sinceMs the time at which the ballot was first handed over, ms since 1970.
 * @throws AgentsMissing (`unavailable`) while there are too few agents and time to wait for more.
 */
export function prepareBallot(
  request: BallotOpenRequest,
  {
    state,
    pick,
    atMs,
    sinceMs,
  }: { state: OfficeState; pick: Placement["pick"]; atMs: number; sinceMs: number },
): { opened: OpenedBallot; core: Ballot; effects: BallotEffect[] } {
  const { taskId: id, capability, priority, scope, encoding, storedAtMs, task, traceparent } = request;
  const deadlineMs = task.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(task.deadline);
  const leftMs = Math.min(sinceMs + request.ballot.timeoutMs, deadlineMs) - atMs;
  const spec = { ...request.ballot, timeoutMs: Math.max(1, leftMs) };
  const labels = task.labels === undefined ? {} : { labels: task.labels };
  const seats = findSeats(state, pick, { capability, spec, ...labels });
  const isShort = seats.length < spec.seats;
  const filled = fillUp(seats, spec.seats);
  if (isShort && leftMs > 0) {
    const pauseMs = Math.min(RETRY_FEW_MS_MAX, Math.max(RETRY_FEW_MS, (atMs - sinceMs) / 8));
    const found = describeShortage(request, { state, spec, filled });
    throw new AgentsMissing(`${found} are there: the ballot waits for more`, {
      retryAfterMs: Math.ceil(Math.min(pauseMs, leftMs)),
      vacant: filled.filter(isVacant).map(({ seat }) => capabilityOfSeat(spec, seat, capability)),
    });
  }
  const [core, effects] = openBallot({
    id,
    spec,
    seats: filled,
    nonce: randomUUID(), // 122 random bits, drawn many at a time
    atMs,
    effectiveVoters: worthOf(state, capability, seats),
    ...(isShort ? { vacant: vacancyOf(request, { state, spec, filled }) } : {}),
  });
  const opened = {
    id,
    capability,
    priority,
    scope,
    encoding,
    storedAtMs: Math.floor(storedAtMs),
    openedAtMs: atMs,
    task: JSON.stringify(task),
    ...(traceparent === undefined ? {} : { traceparent }),
    core: JSON.stringify(core),
  };
  return { opened: { ...opened, bytes: sizeOf(opened) }, core, effects };
}

/** The bytes that an open ballot adds to the state, about. */
export function sizeOf({ task, core }: Pick<OpenedBallot, "task" | "core">): number {
  return HEAD_BYTES + task.length + core.length;
}

/** A ballot with too few agents. Some of its seats have none. */
interface Shortage {
  readonly state: OfficeState;
  readonly spec: BallotSpec;
  readonly filled: readonly Seat[];
}

/** The vacant seats of a ballot whose time is over, with the reason. */
function vacancyOf(request: BallotOpenRequest, shortage: Shortage): { seats: number[]; reason: string } {
  const found = describeShortage(request, shortage);
  return {
    seats: shortage.filled.filter(isVacant).map(({ seat }) => seat),
    reason: `only ${found} were there in time`,
  };
}

/** The found and the wanted agents, as words of a message. */
function describeShortage({ capability }: BallotOpenRequest, { state, spec, filled }: Shortage): string {
  const missing = filled.filter(isVacant);
  const wanted =
    spec.panel === undefined
      ? capability
      : `the panel (none for ${missingCapabilities(missing, spec).join(", ")})`;
  const asked = new Set([capability, ...(spec.panel ?? [])]);
  const paused = [...asked].filter((name) => state.pauses.has(name));
  const pause = paused.length === 0 ? "" : ` (paused: ${paused.join(", ")})`;
  return `${filled.length - missing.length} of ${spec.seats} agents for ${wanted}${demandsOf(spec)}${pause}`;
}

function isVacant({ agent }: Seat): boolean {
  return agent === NO_AGENT;
}

/** The demands on the agents besides the capability, as words of a message. */
function demandsOf({ strategy, diversity }: BallotSpec): string {
  const demands = [
    ...(diversity === "model" ? ["with different models"] : []),
    ...(strategy === "bft" ? ["that sign votes and never signed two different ones"] : []),
  ];
  return demands.map((demand) => ` ${demand}`).join("");
}

/** The capabilities of a panel's vacant seats. */
function missingCapabilities(missing: readonly Seat[], { panel = [] }: BallotSpec): string[] {
  return [...new Set(missing.flatMap(({ seat }) => panel[seat - 1] ?? []))];
}

/** The seats in order of their numbers, with a vacant seat for each number that has no agent. */
function fillUp(seats: readonly Seat[], count: number): Seat[] {
  const byNumber = new Map(seats.map((seat) => [seat.seat, seat]));
  return Array.from(
    { length: count },
    (_, index) => byNumber.get(index + 1) ?? { seat: index + 1, agent: NO_AGENT, weight: 0, publicKey: "" },
  );
}

/** The error for a host while there is no room for another ballot. */
export function tooMany(): SwarmError {
  return new SwarmError("rate_limited", "too many ballots are open: the task waits in its queue", {
    retryAfterMs: RETRY_FULL_MS,
  });
}
