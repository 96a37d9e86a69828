// A ballot's questions on the wire: publishes them as placed tasks, hears their results, and finds another agent for a seat
// whose agent is gone. Owns the table of open questions; what an answer means is the decider's business.
//
// A1  A question is published under an id made of ballot, round and seat: put twice, it is answered once.
// A2  Results are heard where the server announces stored ones, on the lanes of scoped tasks: one subscription a lane for
//     all ballots. Of `bft` ballots the writes themselves are heard too, because a second vote is refused and never stored.
// A3  A question is answered once: by its result, or by an abstention in its name.
// A4  An announcement may be lost, and the result is stored all the same: what is open is looked for when the connection is
//     back, and now and then.
// A5  Nobody answers for somebody else: a result counts only when it names an agent that was asked; any other is counted.
import { type Clock, type Logger, toIsoTime } from "../../../base/index.ts";
import type { BallotEffect, BallotEvent, Seat } from "../../../consensus/index.ts";
import {
  encode,
  LANES,
  laneOf,
  lastToken,
  MAX_BALLOT_VALUE_BYTES,
  type PlacedAddress,
  type Result,
  type Subjects,
  SwarmError,
  toSwarmError,
} from "../../../protocol/index.ts";
import type { Blobs, Incoming, Subscription, Transport } from "../../../transport/index.ts";
import { readResult, unpackResult } from "../../../work/index.ts";
import type { Office } from "../../office/office.ts";
import type { Placement } from "../../placement/placement.ts";
import { findSubstitute } from "../seats.ts";
import { ANSWER_BOUNDS, type AnswerBounds } from "../state/bounds.ts";
import { inTurn } from "./large-answers.ts";
import { type KeptOutput, type LiveBallot, MAX_KEPT_OUTPUT_BYTES, type Question } from "./live-ballot.ts";
import { questionTaskId } from "./messages.ts";
import { isFromStranger, questionOf, whyNotPut } from "./question.ts";

/** The pause before a question is put again that could not be, or for which nobody was there; in ms. */
export const PUT_PAUSE_MS = 500;

/** How long a question may be open before its result is looked for in the stream, and again, in ms (A4). */
const LOOK_AFTER_MS = 30_000;
/** How often it is seen whether there are such, in ms. */
const LOOK_INTERVAL_MS = 1_000;
/** Reads of results that are on their way at the same time. */
const MAX_LOOKS = 128;

/** What asking needs of whoever runs ballots. */
export interface AskingParts {
  transport: Transport;
  subjects: Subjects;
  office: Office;
  placement: Pick<Placement, "pick" | "seats">;
  clock: Clock;
  log: Logger;
  /** Default {@link ANSWER_BOUNDS}. */
  bounds?: AnswerBounds | undefined;
  /** Whether the run is still worked on. */
  isLive(run: LiveBallot): boolean;
  /** Brings the log to where the run is. */
  keep(run: LiveBallot): Promise<void>;
  /** Somebody who was not asked wrote the result of a question. */
  onStranger(question: Question, agent: string): void;
  /** Something happened to the run. */
  step(run: LiveBallot, event: BallotEvent): void;
}

/** The open questions of one holder of the office. */
export class Asking {
  readonly #parts: AskingParts;
  readonly #bounds: AnswerBounds;
  readonly #blobs: Blobs;
  /** By task id; who was looked for least recently comes first. */
  readonly #questions = new Map<string, Question>();
  #open: Subscription[] = [];
  /** Bytes of answers in memory, about. */
  #heldBytes = 0;
  #cancelLook: (() => void) | undefined;
  /** What listens to the writes of signed votes, by ballot. */
  readonly #writes = new Map<string, Subscription>();

  constructor(parts: AskingParts) {
    this.#parts = parts;
    this.#bounds = parts.bounds ?? ANSWER_BOUNDS;
    this.#blobs = inTurn(parts.transport.blobs);
  }

  /** Begins to hear results. */
  start(): void {
    const { transport, subjects } = this.#parts;
    for (const lane of LANES) {
      const filter = subjects.filters.doneInLane(lane);
      this.#open.push(transport.bus.subscribe(filter, (message) => this.#onDone(message))); // A2
    }
    this.#lookLater();
  }

  /** Hears and knows nothing any more. */
  stop(): void {
    for (const subscription of [...this.#open, ...this.#writes.values()]) subscription.close();
    this.#open = [];
    this.#cancelLook?.();
    this.#writes.clear();
    this.#questions.clear();
    this.#heldBytes = 0;
  }

  /** Whether open ballots hold so many answers that another one should wait. */
  get isFull(): boolean {
    return this.#heldBytes > this.#bounds.heldBytes;
  }

  /** Forgets the questions of a ballot that has ended. */
  forget(run: LiveBallot): void {
    for (const taskId of run.questions.keys()) {
      this.#questions.delete(taskId);
      this.#parts.placement.seats.leave(taskId);
    }
    this.#heldBytes -= run.heldBytes;
    this.#writes.get(run.id)?.close();
    this.#writes.delete(run.id);
  }

  /** Takes up what the decider asks. From here on results are heard, whoever put the question. */
  register(run: LiveBallot, effects: readonly BallotEffect[]): Question[] {
    const { subjects, clock } = this.#parts;
    const asAsked = { subjects, nowMs: clock.now() };
    const questions = effects.flatMap((effect) => questionOf(run, effect, asAsked) ?? []);
    for (const question of questions) {
      run.questions.set(question.taskId, question);
      this.#questions.set(question.taskId, question);
    }
    if (run.core.spec.strategy === "bft" && !this.#writes.has(run.id)) {
      const { transport } = this.#parts;
      const filter = subjects.filters.resultsInLane(laneOf(run.id));
      this.#writes.set(
        run.id,
        transport.bus.subscribe(filter, (message) => this.#onWrite(message)),
      );
    }
    return questions;
  }

  // Putting questions

  /** Publishes a question to its agent; again and again until it is stored, answered, or of no use any more. */
  async put(question: Question, isAgain: boolean): Promise<void> {
    const { run } = question;
    const whyNot = whyNotPut(question);
    if (whyNot !== undefined) {
      this.#parts.log.error({ alert: "topology", taskId: question.taskId, whyNot }, "a question is not put");
      return this.#abstain(question, `was not asked: ${whyNot}`);
    }
    try {
      const place = this.#placeOf(question);
      if (place === "gone") return void this.#putElsewhere(question);
      question.place = place;
      question.asked.add(place.agent);
      this.#parts.placement.seats.take(question.taskId, place.agent);
      const nowMs = this.#parts.clock.now();
      const { to, capability, taskId } = question;
      const what = "seat" in to ? `seat ${to.seat} of ${run.core.seats.length}` : to.role;
      await this.#parts.transport
        .log("tasks")
        .append(
          this.#parts.subjects.placed({ ...place, scope: run.id, taskId }),
          run.form.body(capability, question.body, question.endsAtMs - nowMs),
          {
            headers: run.form.headers(capability, { ...place, what, placedAt: toIsoTime(nowMs), isAgain }),
            messageId: `${taskId}.${place.agent}`, // A1
          },
        );
    } catch (error) {
      const told = toSwarmError(error);
      if (told.code === "conflict" || !this.isOpen(question)) return; // it is there already
      if (!told.retryable) return this.#abstain(question, `${told.code}: ${told.message}`);
      this.#parts.log.info({ err: told, taskId: question.taskId }, "a question is put again");
      this.#parts.clock.after(told.retryAfterMs ?? PUT_PAUSE_MS, () => {
        if (this.isOpen(question)) void this.put(question, true);
      });
    }
  }

  /** Whether somebody still waits for the answer. */
  isOpen({ run, isAnswered, endsAtMs }: Question): boolean {
    const { isLive, clock } = this.#parts;
    return isLive(run) && run.stage === "open" && !isAnswered && clock.now() < endsAtMs;
  }

  /** Where a question goes: to its seat's agent, or to the best for advice. */
  #placeOf({ run, to, capability }: Question): { host: string; agent: string } | "gone" {
    const { office, placement } = this.#parts;
    if (!("seat" in to)) {
      const [choice] = placement.pick({ count: 1, capability, diversity: "agent" });
      if (choice === undefined) {
        throw new SwarmError("unavailable", `no agent offers ${capability} at the moment`);
      }
      return { host: choice.host, agent: choice.agent };
    }
    const { agent } = run.core.seats[to.seat - 1] as Seat;
    const member = office.state.registry.members.get(agent);
    return member === undefined ? "gone" : { host: member.profile.host, agent };
  }

  /** A question is placed on an agent that is gone, or takes no new work and has not begun it. */
  takeBack({ agent, taskId }: PlacedAddress): void {
    const question = this.#questions.get(taskId);
    if (question === undefined || question.isAnswered || question.place?.agent !== agent) return;
    void this.#putElsewhere(question);
  }

  /** Another agent takes the seat over, or is asked for advice. */
  async #putElsewhere(question: Question): Promise<void> {
    const { run, to, taskId, place } = question;
    if (!this.isOpen(question) || question.isMoving === true) return;
    question.isMoving = true;
    try {
      if ("seat" in to) await this.#reseat(run, to.seat);
      await this.put(question, true);
      const hasMoved = place !== null && question.place !== null && place.agent !== question.place.agent;
      if (hasMoved) {
        const before = this.#parts.subjects.placed({ ...place, scope: run.id, taskId });
        await this.#parts.transport.log("tasks").purge({ filter: before });
      }
      question.isMoving = false;
    } catch (error) {
      this.#parts.log.info({ err: error, taskId }, "a seat is still to be taken over");
      this.#parts.clock.after(PUT_PAUSE_MS, () => {
        question.isMoving = false;
        void this.#putElsewhere(question);
      });
    }
  }

  /** @throws SwarmError `unavailable` when no other agent fits, or when the log does not take it. */
  async #reseat(run: LiveBallot, seat: number): Promise<void> {
    const { office, placement, transport, subjects, clock } = this.#parts;
    const { capability } = run.ballot;
    const substitute = findSubstitute(office.state, placement.pick, { capability, core: run.core, seat });
    if (substitute === null) throw new SwarmError("unavailable", `no other agent is there for seat ${seat}`);
    this.#parts.step(run, { type: "reseat", substitute, atMs: clock.now() });
    await this.#parts.keep(run);
    const news = { seat, agent: substitute.agent, at: toIsoTime(clock.now()) };
    transport.bus.publish(subjects.event("ballot", run.id, "reseated"), encode(news));
  }

  /** Nobody waits for these seats any more, though the ballot goes on. */
  withdraw(run: LiveBallot, asks: readonly { readonly seat: number; readonly round: number }[]): void {
    const { transport, subjects } = this.#parts;
    for (const { seat, round } of asks) {
      const taskId = questionTaskId(run.id, round, { seat });
      transport.bus.publish(subjects.cancel(run.id, taskId), encode({}));
    }
  }

  // Hearing answers

  /** Hears the result of a question that an earlier holder of the office put, or puts it again. */
  async recover(question: Question): Promise<void> {
    const stored = await this.#parts.transport.log("results").last(question.resultSubject);
    if (stored !== null) await this.#hear(question, stored);
    else if (!question.isAnswered) await this.put(question, true);
  }

  #lookLater(): void {
    const open = this.#open;
    this.#cancelLook = this.#parts.clock.after(LOOK_INTERVAL_MS, () => {
      void this.lookFor(LOOK_AFTER_MS).finally(() => {
        if (this.#open === open) this.#lookLater();
      });
    });
  }

  /** Looks for the results of questions that were put, or looked for, so long ago (A4). Never rejects. */
  async lookFor(afterMs: number): Promise<void> {
    const dueMs = this.#parts.clock.now() - afterMs;
    const due: Question[] = [];
    for (const question of this.#questions.values()) {
      if (question.lookedForMs > dueMs) break;
      due.push(question);
    }
    for (let from = 0; from < due.length; from += MAX_LOOKS) {
      await Promise.all(due.slice(from, from + MAX_LOOKS).map((question) => this.#look(question)));
    }
  }

  async #look(question: Question): Promise<void> {
    const { taskId, resultSubject } = question;
    if (question.isAnswered || this.#questions.get(taskId) !== question) return;
    this.#questions.delete(taskId);
    this.#questions.set(taskId, question);
    question.lookedForMs = this.#parts.clock.now();
    try {
      const stored = await this.#parts.transport.log("results").last(resultSubject);
      if (stored !== null && !question.isAnswered) await this.#hear(question, stored);
    } catch (error) {
      this.#parts.log.info({ err: error, taskId }, "a result could not be looked for");
    }
  }

  #onDone(message: Incoming): void {
    const taskId = lastToken(message.subject);
    const question = this.#questions.get(taskId);
    if (question === undefined || question.isAnswered || question.doneSubject !== message.subject) return;
    if (question.run.stage !== "open") return void this.#noteAnswered(question); // it decides nothing any more
    void this.#hear(question, message).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, taskId }, "a result could not be read");
      this.#abstain(question, `its result could not be read: ${toSwarmError(error).message}`);
    });
  }

  /** Takes a stored result. */
  async #hear(question: Question, message: Incoming): Promise<void> {
    const { run, to, round } = question;
    const { clock } = this.#parts;
    const result = readResult(await unpackResult(message, this.#blobs));
    if (!this.#noteAnswered(question)) return;
    if (question.heard !== undefined && Buffer.compare(question.heard, message.data) === 0) return;
    const atMs = clock.now();
    const usage = result.usage === undefined ? {} : { usage: result.usage };
    const { output, vote } = result;
    const failed = this.#whyFailed(question, result);
    if (!("seat" in to)) {
      const said = failed === undefined ? { output } : { failed };
      this.#parts.step(run, { type: "advice", ...said, ...usage, atMs });
    } else if (failed !== undefined) {
      this.#parts.step(run, { type: "abstain", seat: to.seat, round, reason: failed, ...usage, atMs });
    } else {
      this.#hold(run, to.seat, { round, output, bytes: message.data.length });
      this.#parts.step(run, { type: "answer", seat: to.seat, round, output, vote, ...usage, atMs });
    }
  }

  /** Why a result is no answer; undefined when it is one. */
  #whyFailed(question: Question, result: Result): string | undefined {
    const { status, error, agent } = result;
    if (status !== "completed") return `${error?.code ?? "internal"}: ${error?.message ?? status}`;
    if (!isFromStranger(question, result)) return undefined;
    this.#parts.onStranger(question, agent);
    return `answered by ${agent}, which was not asked`; // A5
  }

  /** Counts what an answer holds, and keeps a small output while there is room: it may be the verdict's. */
  #hold(run: LiveBallot, seat: number, { round, output, bytes }: KeptOutput & { bytes: number }): void {
    const isKept = bytes <= MAX_KEPT_OUTPUT_BYTES && this.#heldBytes + bytes <= this.#bounds.keptBytes;
    if (isKept) run.outputs.set(seat, { round, output });
    const held = isKept ? bytes : Math.min(bytes, Math.floor(MAX_BALLOT_VALUE_BYTES / run.core.seats.length));
    run.heldBytes += held;
    this.#heldBytes += held;
  }

  /** Looks at what somebody tried to store as a signed seat's result: what it signed counts against it, stored or not. */
  #onWrite(message: Incoming): void {
    const taskId = lastToken(message.subject);
    const question = this.#questions.get(taskId);
    if (question?.run.core.spec.strategy !== "bft" || question.resultSubject !== message.subject) return;
    void this.#hearWrite(question, message).catch((error: unknown) => {
      this.#parts.log.info({ err: error, taskId }, "a write of a signed vote could not be read");
    });
  }

  async #hearWrite(question: Question, message: Incoming): Promise<void> {
    const { run, to, round } = question;
    const { vote, output, usage } = readResult(await unpackResult(message, this.#blobs));
    if (vote === undefined || !("seat" in to) || !this.#parts.isLive(run) || run.stage !== "open") return;
    question.heard = message.data;
    this.#hold(run, to.seat, { round, output, bytes: message.data.length });
    const said = { output, vote, ...(usage === undefined ? {} : { usage }) };
    this.#parts.step(run, { type: "answer", seat: to.seat, round, ...said, atMs: this.#parts.clock.now() });
  }

  #abstain(question: Question, reason: string): void {
    const { run, to, round } = question;
    if (!this.#noteAnswered(question)) return;
    const atMs = this.#parts.clock.now();
    if ("seat" in to) this.#parts.step(run, { type: "abstain", seat: to.seat, round, reason, atMs });
    else this.#parts.step(run, { type: "advice", failed: reason, atMs });
  }

  /** Whether this answer is the first (A3), and the ballot still waits for one. */
  #noteAnswered(question: Question): boolean {
    const { run } = question;
    if (question.isAnswered) return false;
    question.isAnswered = true;
    this.#parts.placement.seats.leave(question.taskId);
    if (run.core.spec.strategy !== "bft") this.#questions.delete(question.taskId); // a second vote would count against it
    run.onAnswered?.();
    return this.#parts.isLive(run) && run.stage === "open";
  }
}
