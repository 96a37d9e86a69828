// How a ballot begins: who sits in it, and what the log is told of it. Pure but for the picking of agents and a nonce.
import { randomUUID } from "node:crypto";
import { type Ballot, type BallotEffect, openBallot, type Seat } from "../../../consensus/index.ts";
import { type BallotOpenRequest, type BallotSpec, SwarmError } from "../../../protocol/index.ts";
import type { Placement } from "../../placement/placement.ts";
import type { OfficeState } from "../../state.ts";
import { findSeats, NOBODY, worthOf } from "../seats.ts";
import type { OpenedBallot } from "../state/ballots.ts";

/** What an open ballot holds besides its task and the decider's state, in bytes, about: its ids, names and times. */
const HEAD_BYTES = 300;
/** When a host asks again while there are too many ballots, in ms. */
const RETRY_FULL_MS = 1_000;
/** When a host asks again while too few agents are there, in ms: at first, and at most. A long wait must not become load. */
const RETRY_FEW_MS = 250;
const RETRY_FEW_MS_MAX = 5_000;

/**
 * Prepares what a host handed over. A ballot whose time is over before enough agents were there is closed as it opens.
 * @param sinceMs when it was first handed over.
 * @throws SwarmError `unavailable` while there are too few agents and time to wait for more.
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
  const missing = fillUp(seats, spec.seats).filter(({ agent }) => agent === NOBODY);
  const wanted =
    spec.panel === undefined ? capability : `the panel (none for ${namesOf(missing, spec).join(", ")})`;
  const found = `${seats.length} of ${spec.seats} agents for ${wanted}${suchAgents(spec)}`;
  if (isShort && leftMs > 0) {
    const patienceMs = Math.min(RETRY_FEW_MS_MAX, Math.max(RETRY_FEW_MS, (atMs - sinceMs) / 8));
    throw new SwarmError("unavailable", `${found} are there: the ballot waits for more`, {
      retryAfterMs: Math.ceil(Math.min(patienceMs, leftMs)),
    });
  }
  const [core, effects] = openBallot({
    id,
    spec,
    seats: fillUp(seats, spec.seats),
    nonce: randomUUID(), // 122 random bits, drawn many at a time
    atMs,
    effectiveVoters: worthOf(state, capability, seats),
    ...(isShort
      ? { vacant: { seats: missing.map(({ seat }) => seat), reason: `only ${found} were there in time` } }
      : {}),
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

/** About what an open ballot adds to the state, in bytes. */
export function sizeOf({ task, core }: Pick<OpenedBallot, "task" | "core">): number {
  return HEAD_BYTES + task.length + core.length;
}

/** What is asked of the agents besides the capability. */
function suchAgents({ strategy, diversity }: BallotSpec): string {
  const wishes = [
    ...(diversity === "model" ? ["with different models"] : []),
    ...(strategy === "bft" ? ["that sign votes and never signed two different ones"] : []),
  ];
  return wishes.map((wish) => ` ${wish}`).join("");
}

/** What is asked for by the seats of a panel that nobody was found for. */
function namesOf(missing: readonly Seat[], { panel = [] }: BallotSpec): string[] {
  return [...new Set(missing.flatMap(({ seat }) => panel[seat - 1] ?? []))];
}

/** The seats, and one without an agent for each that nobody was found for. */
function fillUp(seats: readonly Seat[], count: number): Seat[] {
  const byNumber = new Map(seats.map((seat) => [seat.seat, seat]));
  return Array.from(
    { length: count },
    (_, index) => byNumber.get(index + 1) ?? { seat: index + 1, agent: NOBODY, weight: 0, publicKey: "" },
  );
}

/** What a host is told while there is no room for another ballot. */
export function tooMany(): SwarmError {
  return new SwarmError("rate_limited", "too many ballots are open: the task waits in its queue", {
    retryAfterMs: RETRY_FULL_MS,
  });
}
