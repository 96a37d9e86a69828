// The intake of ballots that hosts hand over: stores each ballot in the control log once, many in one command, with a limit
// on the ballots that are being opened. prepare.ts finds the seats, backlog.ts keeps the ballots that wait for agents, and the
// runner (driver.ts) runs each ballot once the control log holds it.
//
// P1  The intake opens a ballot once, even if hosts hand it over twice. The host gets its reply when the control log holds the
//     ballot, and keeps the task until then.
// P2  The intake remembers a cancellation that arrives before the control log holds the ballot, and passes it on with the
//     opened ballot, because a caller publishes its cancellation only once.
import { type Clock, dropOldest } from "../../../base/index.ts";
import type { Ballot, BallotEffect } from "../../../consensus/index.ts";
import {
  type BallotOpenRequest,
  PLACEHOLDER,
  parseBallotOpenRequest,
  type Subjects,
  SwarmError,
} from "../../../protocol/index.ts";
import type { Transport } from "../../../transport/index.ts";
import type { Office } from "../../office/office.ts";
import type { Placement } from "../../placement/placement.ts";
import { questionTaskId } from "../ask/messages.ts";
import { Batch } from "../batch.ts";
import type { OpenBallot, OpenedBallot } from "../state/ballots.ts";
import { BallotBacklog } from "./backlog.ts";
import { prepareBallot, tooMany } from "./prepare.ts";

/** The most ballots that are opened at a time: about those of one second. While the log is slow, further tasks stay queued. */
export const MAX_OPENING = 1_024;
/** The most remembered cancellations (P2): far more than arrive while one ballot is opened. */
const MAX_CANCELS = 1_024;

/** A ballot that the control log has just stored. */
export interface NewBallot {
  readonly ballot: OpenBallot;
  readonly core: Ballot;
  readonly effects: BallotEffect[];
  /** Present when the ballot was cancelled while it was being opened. */
  readonly cancelReason: string | undefined;
}

/** The things that the intake needs from the runner of ballots. */
export interface IntakeParts {
  transport: Transport;
  subjects: Subjects;
  office: Office;
  placement: Pick<Placement, "pick" | "seats" | "waitForRollCall">;
  clock: Clock;
  /** Whether the answers of open ballots take so much memory that no further ballot may be opened. */
  isFull(): boolean;
  /** Called each time that a ballot could not be opened because of too few agents. */
  onWait(id: string, why: string): void;
  /** Called once the control log holds the ballot. */
  onOpened(opened: NewBallot): void;
}

/** The ballots that one coordinator in office is opening. */
export class BallotIntake {
  readonly #parts: IntakeParts;
  readonly #opens: Batch<OpenedBallot>;
  readonly #backlog: BallotBacklog;
  readonly #opening = new Map<string, Promise<void>>();
  /** The reasons of cancellations, by scope and task; the oldest cancellation first. */
  readonly #cancels = new Map<string, string>();

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    this.#opens = new Batch(parts.office, (ballots) => ({ type: "ballots-open", ballots }));
    this.#backlog = new BallotBacklog(parts.office, parts.onWait);
  }

  /**
   * Opens the ballot that a host hands over; resolves when the control log holds it.
   * @throws SwarmError `unavailable`, `rate_limited`, `not_leader`, `invalid_input`.
   */
  async open(body: unknown): Promise<{ opened: true }> {
    const request = parseBallotOpenRequest(body);
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

  /** Remembers the cancellation of a task, or of a whole scope (task `-`), whose ballot may be about to open (P2). */
  cancel(scope: string, taskId: string, reason: string): void {
    this.#cancels.set(`${scope}.${taskId}`, reason);
    dropOldest(this.#cancels, MAX_CANCELS);
  }

  /** The reason why a ballot waits for agents; undefined when it does not wait. */
  whyWaiting(id: string): string | undefined {
    return this.#backlog.whyWaiting(id, this.#parts.clock.now());
  }

  /** The seats without an agent of the ballots that wait now, counted by capability. */
  countVacancies(): Map<string, number> {
    return this.#backlog.countVacancies(this.#parts.clock.now());
  }

  /** Forgets all waiting ballots and cancellations. Call it when the coordinator leaves office. */
  clear(): void {
    this.#backlog.clear();
    this.#cancels.clear();
  }

  async #openOnce(request: BallotOpenRequest): Promise<void> {
    const { taskId, scope } = request;
    const { office, placement, clock } = this.#parts;
    await placement.waitForRollCall();
    if (await this.#isKnown(taskId)) return;
    const atMs = clock.now();
    const waiting = { id: taskId, timeoutMs: request.ballot.timeoutMs };
    const { opened, core, effects } = await this.#backlog.attempt(waiting, atMs, (sinceMs) => {
      const prepared = prepareBallot(request, { state: office.state, pick: placement.pick, atMs, sinceMs });
      this.#takeSlots(prepared); // now, because other ballots may be prepared before the control log holds this one
      return prepared;
    });
    let outcome: unknown;
    try {
      outcome = await this.#opens.add(opened, opened.bytes);
      if (outcome === "full") throw tooMany();
    } finally {
      if (outcome !== "opened")
        for (const question of questionsOf(taskId, effects)) placement.seats.leave(question.taskId);
    }
    const ballot = office.state.ballots.open.get(taskId);
    if (outcome !== "opened" || ballot === undefined) return; // another coordinator opened the ballot, and runs it
    const cancelReason =
      this.#cancels.get(`${scope}.${taskId}`) ?? this.#cancels.get(`${scope}.${PLACEHOLDER}`);
    this.#parts.onOpened({ ballot, core, effects, cancelReason }); // P2
  }

  /** Reserves a slot on the agent of each seat. */
  #takeSlots({ opened, effects }: { opened: OpenedBallot; effects: readonly BallotEffect[] }): void {
    const { seats } = this.#parts.placement;
    for (const { taskId, agent } of questionsOf(opened.id, effects)) seats.take(taskId, agent);
  }

  /** Whether the ballot is open, or has ended and its result has not aged out. */
  async #isKnown(taskId: string): Promise<boolean> {
    const { transport, subjects, office } = this.#parts;
    const { open, outbox, ended } = office.state.ballots;
    if (open.has(taskId) || outbox.has(taskId)) return true;
    if (!ended.has(taskId)) return false;
    return (await transport.log("results").last(subjects.filters.resultById(taskId))) !== null;
  }
}

/** The task id and the agent of each seat's first question. */
function questionsOf(id: string, effects: readonly BallotEffect[]): { taskId: string; agent: string }[] {
  return effects.flatMap((effect) =>
    effect.type === "ask"
      ? [{ taskId: questionTaskId(id, effect.round, { seat: effect.seat }), agent: effect.agent }]
      : [],
  );
}
