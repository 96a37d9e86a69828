// How a ballot begins: who sits in it, and what the log is told of it. Pure but for the picking of agents and a nonce.
import { randomBytes } from "node:crypto";
import { type Ballot, type BallotEffect, type Json, openBallot, type Seat } from "../../consensus/index.ts";
import { type BallotOpenRequest, SwarmError } from "../../protocol/index.ts";
import type { Placement } from "../placement/placement.ts";
import type { OfficeState } from "../state.ts";
import type { OpenedBallot } from "./ballots.ts";
import { findSeats, NOBODY, worthOf } from "./seating.ts";

/** When a host asks again while too few agents are there, in ms. */
const RETRY_FEW_MS = 500;

/**
 * Prepares what a host handed over. A ballot whose time to wait for agents is over begins with empty seats, which abstain.
 * @throws SwarmError `unavailable` while there are too few agents and time to wait for more.
 */
export function prepareBallot(
  request: BallotOpenRequest,
  { state, pick, atMs }: { state: OfficeState; pick: Placement["pick"]; atMs: number },
): { opened: OpenedBallot; core: Ballot; effects: BallotEffect[] } {
  const { taskId: id, capability, priority, scope, encoding, storedAtMs, task, traceparent } = request;
  const leftMs = task.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(task.deadline) - atMs;
  const spec = { ...request.ballot, timeoutMs: Math.max(1, Math.min(request.ballot.timeoutMs, leftMs)) };
  const labels = task.labels === undefined ? {} : { labels: task.labels };
  const seats = findSeats(state, pick, { capability, spec, ...labels });
  if (seats.length < spec.seats && atMs < storedAtMs + spec.timeoutMs) {
    const differ = spec.diversity === "model" ? "with different models " : "";
    throw new SwarmError(
      "unavailable",
      `${seats.length} of ${spec.seats} agents ${differ}for ${capability} are there: the task waits`,
      { retryAfterMs: RETRY_FEW_MS },
    );
  }
  const [core, effects] = openBallot({
    id,
    spec,
    seats: fillUp(seats, spec.seats),
    nonce: randomBytes(16).toString("hex"),
    atMs,
    effectiveVoters: worthOf(state, capability, seats),
  });
  const opened = {
    id,
    capability,
    priority,
    scope,
    encoding,
    storedAtMs: Math.floor(storedAtMs),
    openedAtMs: atMs,
    task,
    ...(traceparent === undefined ? {} : { traceparent }),
    core: core as unknown as Json,
    bytes: 0,
  };
  // Through JSON: what goes into the log must be exactly what its readers will read.
  const text = JSON.stringify(opened);
  return { opened: { ...(JSON.parse(text) as OpenedBallot), bytes: text.length }, core, effects };
}

/** The seats, and for each that nobody was found for one that abstains. */
function fillUp(seats: readonly Seat[], count: number): Seat[] {
  const missing = Array.from({ length: count - seats.length }, (_, index) => ({
    seat: seats.length + index + 1,
    agent: NOBODY,
    weight: 0,
    publicKey: "",
  }));
  return [...seats, ...missing];
}
