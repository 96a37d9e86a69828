// Ballots that hosts hand over, on their way into the log: each once, few commands for many, and no more at a time than
// there may be. Owns that way; who is seated is opening.ts, how long too few agents are waited for waiting.ts, and what
// follows the driver's.
//
// P1  What is handed over twice is opened once; its host is told when the log holds it, and keeps its task until then.
// P2  A ballot that was cancelled on its way is cancelled as soon as it is open: whoever cancels says so once.
import { type Clock, dropOldest } from "../../../base/index.ts";
import type { Ballot, BallotEffect } from "../../../consensus/index.ts";
import {
  type BallotOpenRequest,
  ballotOpenRequestSchema,
  NO_SCOPE,
  parse,
  type Subjects,
  SwarmError,
} from "../../../protocol/index.ts";
import type { Transport } from "../../../transport/index.ts";
import type { Office } from "../../office/office.ts";
import type { Placement } from "../../placement/placement.ts";
import { questionTaskId } from "../ask/messages.ts";
import { Batch } from "../batch.ts";
import type { OpenBallot, OpenedBallot } from "../state/ballots.ts";
import { WaitingBallots } from "./backlog.ts";
import { prepareBallot, tooMany } from "./prepare.ts";

/** Ballots on their way into the log: a second's worth. Those of a slow log wait in their queue, and not here. */
export const MAX_OPENING = 1_024;
/** Cancellations of what is no open ballot that are remembered (P2): far more than come while one is on its way. */
const MAX_CANCELS = 1_024;

/** What opening needs of whoever runs ballots. */
export interface OpeningParts {
  transport: Transport;
  subjects: Subjects;
  office: Office;
  placement: Pick<Placement, "pick" | "seats" | "knowsWhoLives">;
  clock: Clock;
  /** Whether another ballot should wait. */
  isFull(): boolean;
  /** A ballot waits for agents, each time that it is looked at. */
  onWait(id: string, why: string): void;
  /** The log holds the ballot. `cancelled`: somebody cancelled it meanwhile. */
  onOpened(ballot: OpenBallot, core: Ballot, effects: BallotEffect[], cancelled: string | undefined): void;
}

/** The ballots that are being opened by one holder of the office. */
export class Openings {
  readonly #parts: OpeningParts;
  readonly #opens: Batch<OpenedBallot>;
  readonly #waiting: WaitingBallots;
  readonly #opening = new Map<string, Promise<void>>();
  /** Why, by scope and task; the oldest first. */
  readonly #cancels = new Map<string, string>();

  constructor(parts: OpeningParts) {
    this.#parts = parts;
    this.#opens = new Batch(parts.office, (ballots) => ({ type: "ballots-open", ballots }));
    this.#waiting = new WaitingBallots(parts.office, parts.onWait);
  }

  /**
   * Opens what a host hands over; resolves when the log holds it.
   * @throws SwarmError `unavailable`, `rate_limited`, `not_leader`, `invalid_input`.
   */
  async open(body: unknown): Promise<{ opened: true }> {
    const request = parse(ballotOpenRequestSchema, body, "ballot-open");
    if (this.#parts.office.tenure === null) {
      throw new SwarmError("not_leader", "this coordinator does not hold the office: ask again");
    }
    const { taskId } = request;
    let opening = this.#opening.get(taskId);
    if (opening === undefined) {
      if (this.#opening.size >= MAX_OPENING || this.#parts.isFull()) throw tooMany();
      opening = this.#openOnce(request).finally(() => this.#opening.delete(taskId));
      this.#opening.set(taskId, opening); // P1
    }
    await opening;
    return { opened: true };
  }

  /** Notes that a task, or with the task `-` a whole scope, was cancelled, which may be on its way here. */
  cancel(scope: string, taskId: string, reason: string): void {
    this.#cancels.set(`${scope}.${taskId}`, reason);
    dropOldest(this.#cancels, MAX_CANCELS);
  }

  /** What a ballot waits for that is not open yet. */
  whyWaiting(id: string): string | undefined {
    return this.#waiting.why(id, this.#parts.clock.now());
  }

  /** With the office everything soft is forgotten. */
  clear(): void {
    this.#waiting.clear();
    this.#cancels.clear();
  }

  async #openOnce(request: BallotOpenRequest): Promise<void> {
    const { taskId, scope } = request;
    const { office, placement, clock } = this.#parts;
    await placement.knowsWhoLives();
    if (await this.#isKnown(taskId)) return;
    const atMs = clock.now();
    const wish = { id: taskId, timeoutMs: request.ballot.timeoutMs };
    const { opened, core, effects } = await this.#waiting.attempt(wish, atMs, (sinceMs) => {
      const prepared = prepareBallot(request, { state: office.state, pick: placement.pick, atMs, sinceMs });
      this.#takeSeats(prepared); // at once: another ballot may be prepared before this one is in the log
      return prepared;
    });
    let outcome: unknown;
    try {
      outcome = await this.#opens.add(opened, opened.bytes);
      if (outcome === "full") throw tooMany();
    } finally {
      if (outcome !== "opened")
        for (const asked of questionsOf(taskId, effects)) placement.seats.leave(asked.taskId);
    }
    const ballot = office.state.ballots.open.get(taskId);
    if (outcome !== "opened" || ballot === undefined) return; // another one opened it, and goes on with it
    const cancelled = this.#cancels.get(`${scope}.${taskId}`) ?? this.#cancels.get(`${scope}.${NO_SCOPE}`);
    this.#parts.onOpened(ballot, core, effects, cancelled); // P2
  }

  #takeSeats({ opened, effects }: { opened: OpenedBallot; effects: readonly BallotEffect[] }): void {
    const { seats } = this.#parts.placement;
    for (const { taskId, agent } of questionsOf(opened.id, effects)) seats.take(taskId, agent);
  }

  /** Whether the ballot is open, or has ended: then its result is there, unless it aged out. */
  async #isKnown(taskId: string): Promise<boolean> {
    const { transport, subjects, office } = this.#parts;
    const { open, outbox, ended } = office.state.ballots;
    if (open.has(taskId) || outbox.has(taskId)) return true;
    if (!ended.has(taskId)) return false;
    return (await transport.log("results").last(subjects.filters.resultById(taskId))) !== null;
  }
}

function questionsOf(id: string, effects: readonly BallotEffect[]): { taskId: string; agent: string }[] {
  return effects.flatMap((effect) =>
    effect.type === "ask"
      ? [{ taskId: questionTaskId(id, effect.round, { seat: effect.seat }), agent: effect.agent }]
      : [],
  );
}
