// The questions of all open ballots on the wire: publishes them as placed tasks, receives their results, and finds another
// agent for a seat whose agent is gone. Owns the table of open questions; the decider judges the answers.
//
// A1  A question's task id is made of ballot, round and seat. If two coordinators publish it, it still gets one result.
// A2  The asker subscribes to the server's announcements of stored results: one subscription for each lane of scoped tasks
//     serves all ballots. For `bft` ballots it also subscribes to the writes themselves, because the server rejects a seat's
//     second vote and never announces it.
// A3  A question gets one answer: its result, or an abstention that the asker records for it.
// A4  An announcement may be lost although the result is stored. So the asker looks up the results of open questions in the
//     stream after a reconnect, and every 30 s.
// A5  A result counts only if it names an agent that got the question. The asker counts any other result as an abstention, and
//     reports it.
import { type Clock, type Logger, toIsoTime } from "../../../base/index.ts";
import type { BallotEffect, BallotEvent, Seat } from "../../../consensus/index.ts";
import {
  classOf,
  encode,
  type HostAddress,
  LANES,
  laneOf,
  lastToken,
  MAX_BALLOT_VALUE_BYTES,
  type PlacedAddress,
  placedKey,
  type Result,
  type Subjects,
  SwarmError,
  toSwarmError,
} from "../../../protocol/index.ts";
import type { Blobs, Incoming, Subscription, Transport } from "../../../transport/index.ts";
import { readResultMessage } from "../../../work/index.ts";
import type { Office } from "../../office/office.ts";
import type { Placement } from "../../placement/placement.ts";
import { findSubstitute } from "../seats.ts";
import { ANSWER_BOUNDS, type AnswerBounds } from "../state/bounds.ts";
import { limitFetches } from "./large-answers.ts";
import { type KeptOutput, type LiveBallot, MAX_KEPT_OUTPUT_BYTES, type Question } from "./live-ballot.ts";
import { questionTaskId } from "./messages.ts";
import { isFromUnaskedAgent, questionOf, whyNotPublish } from "./question.ts";

/** The pause before the asker retries a question that it could not publish, or that has no agent; in ms. */
export const QUESTION_RETRY_PAUSE_MS = 500;

/** The time between two checks for the result of a question, in ms; the first check is this long after registration (A4). */
const RESULT_CHECK_AFTER_MS = 30_000;
/** The pause between two searches for questions whose check is due, in ms. */
const RESULT_CHECK_INTERVAL_MS = 1_000;
/** The most reads of results that run at the same time. */
const MAX_RESULT_CHECKS = 128;

/** The things that the asker needs from the runner of ballots. */
export interface AskerParts {
  transport: Transport;
  subjects: Subjects;
  office: Office;
  placement: Pick<Placement, "pick" | "seats">;
  clock: Clock;
  log: Logger;
  /** Default {@link ANSWER_BOUNDS}. */
  bounds?: AnswerBounds | undefined;
  /** Whether this coordinator still works on the ballot. */
  isLive(live: LiveBallot): boolean;
  /** Stores the ballot's present state in the control log. */
  keep(live: LiveBallot): Promise<void>;
  /** Called when an agent that did not get the question wrote its result. */
  onUnaskedAgent(question: Question, agent: string): void;
  /** Feeds an event to the ballot's decider. */
  step(live: LiveBallot, event: BallotEvent): void;
}

/** The open questions of the coordinator in office. */
export class Asker {
  readonly #parts: AskerParts;
  readonly #bounds: AnswerBounds;
  readonly #blobs: Blobs;
  /** The open questions by task id, in order of their last check: the question with the oldest check comes first. */
  readonly #questions = new Map<string, Question>();
  /** Subscriptions to the announcements of results. */
  #announcements: Subscription[] = [];
  /** The approximate bytes of answers in memory. */
  #heldBytes = 0;
  #cancelCheck: (() => void) | undefined;
  /** Subscriptions to the writes of signed votes, by ballot. */
  readonly #writes = new Map<string, Subscription>();

  constructor(parts: AskerParts) {
    this.#parts = parts;
    this.#bounds = parts.bounds ?? ANSWER_BOUNDS;
    this.#blobs = limitFetches(parts.transport.blobs);
  }

  /** Subscribes to the announcements of results, and begins the checks for results with a lost announcement (A4). */
  start(): void {
    const { transport, subjects } = this.#parts;
    for (const lane of LANES) {
      const filter = subjects.filters.doneInLane(lane);
      this.#announcements.push(transport.bus.subscribe(filter, (message) => this.#onDone(message))); // A2
    }
    this.#checkLater();
  }

  /** Closes all subscriptions and forgets all questions. */
  stop(): void {
    for (const subscription of [...this.#announcements, ...this.#writes.values()]) subscription.close();
    this.#announcements = [];
    this.#cancelCheck?.();
    this.#writes.clear();
    this.#questions.clear();
    this.#heldBytes = 0;
  }

  /** Whether the answers of open ballots take so much memory that no further ballot should be opened. */
  get isFull(): boolean {
    return this.#heldBytes > this.#bounds.heldBytes;
  }

  /** Forgets the questions of a ballot that has ended. */
  forget(live: LiveBallot): void {
    for (const taskId of live.questions.taskIds) {
      this.#questions.delete(taskId);
      this.#parts.placement.seats.leave(taskId);
    }
    this.#heldBytes -= live.questions.heldBytes;
    this.#writes.get(live.id)?.close();
    this.#writes.delete(live.id);
  }

  /**
   * Registers the decider's questions and returns them. Their results count from now on, even if another coordinator published
   * the questions.
   */
  register(live: LiveBallot, effects: readonly BallotEffect[]): Question[] {
    const { subjects, clock } = this.#parts;
    const registered = { subjects, nowMs: clock.now() };
    const questions = effects.flatMap((effect) => questionOf(live, effect, registered) ?? []);
    for (const question of questions) {
      live.questions.add(question);
      this.#questions.set(question.taskId, question);
    }
    if (live.core.spec.strategy === "bft" && !this.#writes.has(live.id)) {
      const { transport } = this.#parts;
      const filter = subjects.filters.resultsInLane(laneOf(live.id));
      this.#writes.set(
        live.id,
        transport.bus.subscribe(filter, (message) => this.#onWrite(message)),
      );
    }
    return questions;
  }

  // Publishing questions

  /** Publishes a question to its agent. Retries until the question is stored, answered, or needs no answer any more. */
  async publish(question: Question, isAgain: boolean): Promise<void> {
    const { live, taskId } = question;
    const whyNot = whyNotPublish(question);
    if (whyNot !== undefined) {
      this.#parts.log.error(
        { alert: "topology", taskId, whyNot },
        "ballot question breaks the topology; not asked, the seat abstains",
      );
      return this.#abstain(question, `was not asked: ${whyNot}`);
    }
    try {
      const place = this.#placeOf(question);
      if (place === "gone") return void this.#moveToAnotherAgent(question);
      question.place = place;
      question.asked.add(place.agent);
      this.#parts.placement.seats.take(taskId, place.agent);
      const nowMs = this.#parts.clock.now();
      const { to, capability } = question;
      const addressee = "seat" in to ? `seat ${to.seat} of ${live.core.seats.length}` : to.role;
      const { form } = live.questions;
      await this.#parts.transport
        .log(placedKey(place.class))
        .append(
          this.#parts.subjects.placed({ ...place, scope: live.id, taskId }),
          form.body(capability, question.body, question.endsAtMs - nowMs),
          {
            headers: form.headers(capability, { ...place, addressee, placedAt: toIsoTime(nowMs), isAgain }),
            messageId: `${taskId}.${place.agent}`, // A1
          },
        );
    } catch (error) {
      const failure = toSwarmError(error);
      if (failure.code === "conflict" || !this.isOpen(question)) return; // conflict: the stream holds it already
      if (!failure.retryable) return this.#abstain(question, `${failure.code}: ${failure.message}`);
      const pauseMs = failure.retryAfterMs ?? QUESTION_RETRY_PAUSE_MS;
      this.#parts.log.info(
        { err: failure, taskId },
        `ballot question not published; retrying in ${pauseMs} ms`,
      );
      this.#parts.clock.after(pauseMs, () => {
        if (this.isOpen(question)) void this.publish(question, true);
      });
    }
  }

  /** Whether the ballot still waits for the answer. */
  isOpen({ live, isAnswered, endsAtMs }: Question): boolean {
    const { isLive, clock } = this.#parts;
    return isLive(live) && live.stage === "open" && !isAnswered && clock.now() < endsAtMs;
  }

  /** The agent for a question: the seat's agent, or for advice the best agent of the capability. */
  #placeOf({ live, to, capability }: Question): (HostAddress & { agent: string }) | "gone" {
    const { office, placement } = this.#parts;
    if (!("seat" in to)) {
      const [choice] = placement.pick({ count: 1, capability, diversity: "agent" });
      if (choice === undefined) {
        throw new SwarmError("unavailable", `no agent offers ${capability} at the moment`);
      }
      return { class: classOf(choice), host: choice.host, agent: choice.agent };
    }
    const { agent } = live.core.seats[to.seat - 1] as Seat;
    const member = office.state.registry.members.get(agent);
    if (member === undefined) return "gone";
    return { class: classOf(member.profile), host: member.profile.host, agent };
  }

  /** Moves a question away from an agent that is gone, or that takes no new work and has not started the question. */
  takeBack({ agent, taskId }: PlacedAddress): void {
    const question = this.#questions.get(taskId);
    if (question === undefined || question.isAnswered || question.place?.agent !== agent) return;
    void this.#moveToAnotherAgent(question);
  }

  /** Publishes the question to another agent: a substitute for the seat, or another judge or verifier. */
  async #moveToAnotherAgent(question: Question): Promise<void> {
    const { live, to, taskId, place } = question;
    if (!this.isOpen(question) || question.isMoving === true) return;
    question.isMoving = true;
    try {
      if ("seat" in to) await this.#reseat(live, to.seat);
      await this.publish(question, true);
      const hasMoved = place !== null && question.place !== null && place.agent !== question.place.agent;
      if (hasMoved) {
        const before = this.#parts.subjects.placed({ ...place, scope: live.id, taskId });
        await this.#parts.transport.log(placedKey(place.class)).purge({ filter: before });
      }
      question.isMoving = false;
    } catch (error) {
      this.#parts.log.info(
        { err: error, taskId },
        `ballot question not moved; retrying in ${QUESTION_RETRY_PAUSE_MS} ms`,
      );
      this.#parts.clock.after(QUESTION_RETRY_PAUSE_MS, () => {
        question.isMoving = false;
        void this.#moveToAnotherAgent(question);
      });
    }
  }

  /** @throws SwarmError `unavailable` when no other agent fits, or when the control log does not take the change. */
  async #reseat(live: LiveBallot, seat: number): Promise<void> {
    const { office, placement, transport, subjects, clock } = this.#parts;
    const { capability, task } = live.ballot;
    const { labels } = JSON.parse(task) as { labels?: Record<string, string> };
    const wanted = { capability, core: live.core, seat, labels };
    const substitute = findSubstitute(office.state, placement.pick, wanted);
    if (substitute === null)
      throw new SwarmError("unavailable", `no other agent fits seat ${seat} at the moment`);
    this.#parts.step(live, { type: "reseat", substitute, atMs: clock.now() });
    await this.#parts.keep(live);
    const news = { seat, agent: substitute.agent, at: toIsoTime(clock.now()) };
    transport.bus.publish(subjects.event("ballot", live.id, "reseated"), encode(news));
  }

  /** Publishes a cancellation to the agents of these seats, because the ballot continues without their answers. */
  withdraw(live: LiveBallot, asks: readonly { readonly seat: number; readonly round: number }[]): void {
    const { transport, subjects } = this.#parts;
    for (const { seat, round } of asks) {
      const taskId = questionTaskId(live.id, round, { seat });
      transport.bus.publish(subjects.cancel(live.id, taskId), encode({}));
    }
  }

  // Receiving answers

  /** Reads the result of a question that an earlier coordinator in office published; without a result, publishes it again. */
  async recover(question: Question): Promise<void> {
    const stored = await this.#parts.transport.log("results").last(question.resultSubject);
    if (stored !== null) await this.#receive(question, stored);
    else if (!question.isAnswered) await this.publish(question, true);
  }

  #checkLater(): void {
    const announcements = this.#announcements;
    this.#cancelCheck = this.#parts.clock.after(RESULT_CHECK_INTERVAL_MS, () => {
      void this.checkForResults(RESULT_CHECK_AFTER_MS).finally(() => {
        if (this.#announcements === announcements) this.#checkLater(); // still the same start
      });
    });
  }

  /** Reads the results of questions whose last check, or registration, is at least `afterMs` ago (A4). Never rejects. */
  async checkForResults(afterMs: number): Promise<void> {
    const dueMs = this.#parts.clock.now() - afterMs;
    const due: Question[] = [];
    for (const question of this.#questions.values()) {
      if (question.checkedAtMs > dueMs) break;
      due.push(question);
    }
    for (let from = 0; from < due.length; from += MAX_RESULT_CHECKS) {
      await Promise.all(
        due.slice(from, from + MAX_RESULT_CHECKS).map((question) => this.#readStoredResult(question)),
      );
    }
  }

  async #readStoredResult(question: Question): Promise<void> {
    const { taskId, resultSubject } = question;
    if (question.isAnswered || this.#questions.get(taskId) !== question) return;
    this.#questions.delete(taskId);
    this.#questions.set(taskId, question);
    question.checkedAtMs = this.#parts.clock.now();
    try {
      const stored = await this.#parts.transport.log("results").last(resultSubject);
      if (stored !== null && !question.isAnswered) await this.#receive(question, stored);
    } catch (error) {
      this.#parts.log.info(
        { err: error, taskId },
        `ballot result not read; retrying in ${RESULT_CHECK_AFTER_MS} ms`,
      );
    }
  }

  #onDone(message: Incoming): void {
    const taskId = lastToken(message.subject);
    const question = this.#questions.get(taskId);
    if (question === undefined || question.isAnswered || question.doneSubject !== message.subject) return;
    if (question.live.stage !== "open") return void this.#markAnswered(question); // too late to count
    const onError = (error: unknown) => {
      this.#parts.log.warn({ err: error, taskId }, "ballot result not readable; the seat abstains");
      this.#abstain(question, `its result could not be read: ${toSwarmError(error).message}`);
    };
    try {
      this.#receive(question, message)?.catch(onError);
    } catch (error) {
      onError(error);
    }
  }

  /** Feeds a stored result to the decider. Returns a promise when the blob store holds the result, which is rare. */
  #receive(question: Question, message: Incoming): Promise<void> | undefined {
    const result = readResultMessage(message, this.#blobs);
    if (result instanceof Promise) return result.then((read) => this.#take(question, read, message.data));
    this.#take(question, result, message.data);
    return undefined;
  }

  #take(question: Question, result: Result, data: Uint8Array): void {
    const { live, to, round } = question;
    if (!this.#markAnswered(question)) return;
    if (question.countedBytes !== undefined && Buffer.compare(question.countedBytes, data) === 0) return;
    const atMs = this.#parts.clock.now();
    const usage = result.usage === undefined ? {} : { usage: result.usage };
    const { output, vote } = result;
    const failed = this.#whyFailed(question, result);
    if (!("seat" in to)) {
      const advice = failed === undefined ? { output } : { failed };
      this.#parts.step(live, { type: "advice", ...advice, ...usage, atMs });
    } else if (failed !== undefined) {
      this.#parts.step(live, { type: "abstain", seat: to.seat, round, reason: failed, ...usage, atMs });
    } else {
      this.#hold(live, to.seat, { round, output, bytes: data.length });
      this.#parts.step(live, { type: "answer", seat: to.seat, round, output, vote, ...usage, atMs });
    }
  }

  /** The reason why a result is no answer; undefined when it is one. */
  #whyFailed(question: Question, result: Result): string | undefined {
    const { status, error, agent } = result;
    if (status !== "completed") return `${error?.code ?? "internal"}: ${error?.message ?? status}`;
    if (!isFromUnaskedAgent(question, result)) return undefined;
    this.#parts.onUnaskedAgent(question, agent);
    return `answered by ${agent}, which was not asked`; // A5
  }

  /** Counts the memory of an answer. Keeps a small output while memory is left, because it may become the ballot's output. */
  #hold(live: LiveBallot, seat: number, { round, output, bytes }: KeptOutput & { bytes: number }): void {
    const isKept = bytes <= MAX_KEPT_OUTPUT_BYTES && this.#heldBytes + bytes <= this.#bounds.keptBytes;
    const held = isKept
      ? bytes
      : Math.min(bytes, Math.floor(MAX_BALLOT_VALUE_BYTES / live.core.seats.length));
    live.questions.hold(seat, held, isKept ? { round, output } : null);
    this.#heldBytes += held;
  }

  /** Reads a write to the result subject of a signed seat: its vote counts against the signer even if the server rejects it. */
  #onWrite(message: Incoming): void {
    const taskId = lastToken(message.subject);
    const question = this.#questions.get(taskId);
    if (question?.live.core.spec.strategy !== "bft" || question.resultSubject !== message.subject) return;
    void this.#receiveWrite(question, message).catch((error: unknown) => {
      this.#parts.log.info({ err: error, taskId }, "write of a signed vote not readable; ignored");
    });
  }

  async #receiveWrite(question: Question, message: Incoming): Promise<void> {
    const { live, to, round } = question;
    const { vote, output, usage } = await readResultMessage(message, this.#blobs);
    if (vote === undefined || !("seat" in to) || !this.#parts.isLive(live) || live.stage !== "open") return;
    question.countedBytes = message.data;
    this.#hold(live, to.seat, { round, output, bytes: message.data.length });
    const answer = { output, vote, ...(usage === undefined ? {} : { usage }) };
    this.#parts.step(live, {
      type: "answer",
      seat: to.seat,
      round,
      ...answer,
      atMs: this.#parts.clock.now(),
    });
  }

  #abstain(question: Question, reason: string): void {
    const { live, to, round } = question;
    if (!this.#markAnswered(question)) return;
    const atMs = this.#parts.clock.now();
    if ("seat" in to) this.#parts.step(live, { type: "abstain", seat: to.seat, round, reason, atMs });
    else this.#parts.step(live, { type: "advice", failed: reason, atMs });
  }

  /** Marks the question as answered. Returns true if this is its first answer (A3) and the ballot still waits for it. */
  #markAnswered(question: Question): boolean {
    const { live } = question;
    if (question.isAnswered) return false;
    live.questions.markAnswered(question);
    this.#parts.placement.seats.leave(question.taskId);
    // A bft question stays in the table, because a second signed vote counts against its seat.
    if (live.core.spec.strategy !== "bft") this.#questions.delete(question.taskId);
    return this.#parts.isLive(live) && live.stage === "open";
  }
}
