// The ballots of the swarm, while this coordinator is in office: takes ballots from the hosts that received their tasks,
// feeds events to each ballot's decider, and carries out the effects. The runner in this file alone changes a live ballot.
// The decider (consensus/ballot/ballot.ts) owns the rules of a ballot; the reducer (state/ballots.ts) owns the stored state.
//
// D1  A question is published only after the control log holds the ballot, or the round, that asks it. The next coordinator
//     in office reads the results of all open questions, and publishes those without a result again under the same task ids.
// D2  A ballot that is no longer in the runner's table gets no event. When the coordinator leaves office, the table is emptied.
import {
  type Clock,
  createService,
  type Logger,
  type Meter,
  NO_TRACER,
  type Service,
  systemChance,
  systemClock,
  type Tracer,
} from "../../base/index.ts";
import {
  type Ballot,
  type BallotEvent,
  type BallotResult,
  effectsOf,
  stepBallot,
  wakeAtMs,
} from "../../consensus/index.ts";
import {
  type Audit,
  createSubjects,
  encode,
  HEADERS,
  lastToken,
  NO_SCOPE,
  PLACEHOLDER,
  SwarmError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Incoming, IncomingRequest, Subscription, Transport } from "../../transport/index.ts";
import { createResultStore, endingBallotOf, isScopeMarked, type TaskClient } from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import type { OfficeAnswers } from "../office/server.ts";
import type { Placement } from "../placement/placement.ts";
import { Asker, QUESTION_RETRY_PAUSE_MS } from "./ask/asker.ts";
import { BallotQuestions, type LiveBallot, type Question } from "./ask/live-ballot.ts";
import { Batch } from "./batch.ts";
import { BallotCloser } from "./close.ts";
import { BallotIntake, type NewBallot } from "./open/intake.ts";
import { sizeOf, tooMany } from "./open/prepare.ts";
import { answerPeople } from "./show/people.ts";
import { BallotReporter, whereReplyOf } from "./show/reporter.ts";
import { coreOf, type OpenBallot } from "./state/ballots.ts";
import type { AnswerBounds } from "./state/bounds.ts";

/** The pause before the runner retries to decide the end of a ballot, in ms. */
const END_PAUSE_MS = 500;
/** The most ballots that a new coordinator in office resumes at the same time. */
const MAX_RESUMING = 32;

const TASK_CANCELLED = "the task was cancelled";

/** The part of a coordinator that runs ballots. */
export interface BallotDriver {
  readonly service: Service;
  /** The answers to the office requests about ballots. */
  readonly answers: OfficeAnswers;
}

/** Makes the part of a coordinator that runs ballots while the coordinator is in office. */
export function createBallots(parts: BallotParts): BallotDriver {
  return new BallotRunner(parts);
}

interface BallotParts {
  transport: Transport;
  office: Office;
  placement: Pick<Placement, "pick" | "seats" | "onQuestion" | "waitForRollCall">;
  tasks: Pick<TaskClient, "cancelQuestions">;
  log: Logger;
  meter: Meter;
  /** Makes a span for each ballot; without it, there are none. */
  tracer?: Tracer | undefined;
  /** Records refused votes and answers at once; without it they are only in the verdict. */
  audit?: Audit | undefined;
  clock?: Clock;
  /** Limits of the memory for answers; default ANSWER_BOUNDS (state/bounds.ts). */
  bounds?: AnswerBounds;
}

/** A live ballot as the runner holds it: only the runner writes its fields. */
class RunningBallot implements LiveBallot {
  readonly id: string;
  readonly ballot: OpenBallot;
  readonly questions: BallotQuestions;
  core: Ballot;
  stage: LiveBallot["stage"] = "open";
  wakesAtMs: number | null = null;
  cancelWake: (() => void) | undefined;
  #end = Promise.withResolvers<void>();

  constructor(ballot: OpenBallot, core: Ballot) {
    this.id = ballot.id;
    this.ballot = ballot;
    this.core = core;
    this.questions = new BallotQuestions(ballot, core.spec);
    this.#end.promise.catch(() => undefined); // usually no request waits for it
  }

  get whenDecided(): Promise<void> {
    return this.#end.promise;
  }

  /** Tells the waiting requests that the control log holds the end. */
  noteDecided(): void {
    this.#end.resolve();
  }

  /** Tells the waiting requests that this try failed. Later requests wait for the next try. */
  noteUndecided(error: SwarmError): void {
    this.#end.reject(error);
    this.#end = Promise.withResolvers<void>();
    this.#end.promise.catch(() => undefined);
  }
}

class BallotRunner implements BallotDriver {
  readonly service: Service;
  readonly answers: OfficeAnswers;
  readonly #parts: BallotParts;
  readonly #clock: Clock;
  readonly #subjects;
  readonly #closer: BallotCloser;
  readonly #steps: Batch<{ id: string; core: string; bytes: number }>;
  readonly #asker: Asker;
  readonly #ballots = new Map<string, RunningBallot>();
  readonly #intake: BallotIntake;
  readonly #reporter: BallotReporter;
  #subscriptions: Subscription[] = [];
  #isStopped = false;

  constructor(parts: BallotParts) {
    this.#parts = parts;
    const { transport, office, meter } = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#subjects = createSubjects(transport.prefix);
    const shared = { ...parts, clock: this.#clock, subjects: this.#subjects };
    this.#reporter = new BallotReporter(shared);
    this.#closer = new BallotCloser({
      ...shared,
      tracer: parts.tracer ?? NO_TRACER,
      results: createResultStore({
        transport,
        subjects: this.#subjects,
        meter,
        clock: this.#clock,
        chance: systemChance,
      }),
    });
    this.#asker = new Asker({
      ...shared,
      isLive: (live) => this.#isLive(live),
      keep: (live) => this.#keep(live),
      onUnaskedAgent: (question, agent) => this.#reporter.reportUnaskedAgent(question, agent),
      step: (live, event) => this.#feed(live, event),
    });
    this.#intake = new BallotIntake({
      ...shared,
      isFull: () => this.#asker.isFull,
      onWait: (id, reason) => this.#reporter.reportWaitForAgents(id, reason),
      onOpened: (opened) => this.#onOpened(opened),
    });
    this.#steps = new Batch(office, (steps) => ({ type: "ballots-advance", steps }));
    this.answers = {
      "ballot-open": (body) => this.#intake.open(body),
      ...answerPeople({
        office,
        clock: this.#clock,
        findBallot: (id) => this.#ballots.get(id),
        whyWaiting: (id) => this.#intake.whyWaiting(id),
        countVacancies: () => this.#intake.countVacancies(),
        step: (live, event) => this.#feed(live, event),
      }),
    };
    this.service = createService({
      name: "ballots",
      start: () => this.#start(),
      stop: () => {
        this.#isStopped = true;
        this.#forgetAll();
      },
    });
  }

  #start(): void {
    const { office, placement } = this.#parts;
    placement.onQuestion((at) => this.#asker.takeBack(at));
    office.onTenure((tenure) => this.#onTenure(tenure !== null));
  }

  // Taking and leaving office

  #onTenure(inOffice: boolean): void {
    this.#forgetAll();
    if (!inOffice || this.#isStopped) return;
    const { bus } = this.#parts.transport;
    const { filters } = this.#subjects;
    this.#asker.start();
    this.#subscriptions.push(
      bus.subscribe(filters.allWhere, (request) => this.#onWhere(request)),
      bus.subscribe(filters.allCancels, (message) => this.#onCancel(message)),
      this.#parts.transport.onState((state) => {
        if (state === "connected") void this.#catchUp();
      }),
    );
    void this.#resumeAll();
  }

  #forgetAll(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    this.#subscriptions = [];
    for (const live of this.#ballots.values()) live.cancelWake?.(); // D2
    this.#ballots.clear();
    this.#intake.clear();
    this.#asker.stop();
  }

  /** Resumes the ballots that an earlier coordinator in office opened (D1), and carries out the ends that it decided. */
  async #resumeAll(): Promise<void> {
    const { office, log } = this.#parts;
    const { open, outbox } = office.state.ballots;
    const all = [...open.values()].map((ballot) => this.#add(ballot, coreOf(ballot)));
    for (const ending of outbox.values()) void this.#closer.carryOut(ending);
    if (all.length + outbox.size > 0)
      log.info({ open: all.length, ending: outbox.size }, "ballots taken over; resuming them");
    for (let from = 0; from < all.length; from += MAX_RESUMING) {
      await Promise.all(all.slice(from, from + MAX_RESUMING).map((live) => this.#resume(live)));
    }
  }

  async #resume(live: RunningBallot): Promise<void> {
    const { result } = live.core;
    if (result !== undefined) return void this.#end(live, result); // closed, but its end is not in the control log yet
    this.#asker.register(live, effectsOf(live.core));
    this.#wake(live);
    try {
      if (await this.#wasCancelled(live)) return this.#cancel(live, TASK_CANCELLED);
      for (const question of live.questions.unanswered) await this.#asker.recover(question);
    } catch (error) {
      if (!this.#isLive(live)) return;
      this.#parts.log.warn(
        { err: error, ballot: live.id },
        `ballot not resumed; retrying in ${QUESTION_RETRY_PAUSE_MS} ms`,
      );
      this.#clock.after(QUESTION_RETRY_PAUSE_MS, () => {
        if (this.#isLive(live)) void this.#resume(live);
      });
    }
  }

  /** Reads the results and cancellations that were published while the connection was broken. */
  async #catchUp(): Promise<void> {
    await this.#asker.checkForResults(0);
    for (const live of [...this.#ballots.values()]) {
      if (!this.#isLive(live) || live.stage !== "open") continue;
      try {
        if (await this.#wasCancelled(live)) this.#cancel(live, TASK_CANCELLED);
      } catch (error) {
        this.#parts.log.info(
          { err: error, ballot: live.id },
          "ballot not checked for a cancellation; checking again at the next reconnect",
        );
      }
    }
  }

  /**
   * Whether the ballot was cancelled while this coordinator did not listen: then its scope is marked, or its task has a result.
   * @throws SwarmError `unavailable`.
   */
  async #wasCancelled({ id, ballot }: LiveBallot): Promise<boolean> {
    const { transport } = this.#parts;
    if (await isScopeMarked(transport, ballot.scope)) return true;
    return (await transport.log("results").last(this.#subjects.filters.resultById(id))) !== null;
  }

  #add(ballot: OpenBallot, core: Ballot): RunningBallot {
    const live = new RunningBallot(ballot, core);
    this.#ballots.set(live.id, live);
    return live;
  }

  #isLive(live: LiveBallot): boolean {
    return this.#ballots.get(live.id) === live;
  }

  /** Asks the agents of a ballot that the control log now holds (D1). */
  #onOpened({ ballot, core, effects, cancelReason }: NewBallot): void {
    if (this.#ballots.has(ballot.id)) return;
    const live = this.#add(ballot, core);
    this.#reporter.reportOpened(live);
    if (core.result !== undefined) return void this.#end(live, core.result);
    const questions = this.#asker.register(live, effects);
    if (cancelReason === undefined) {
      for (const question of questions) void this.#asker.publish(question, false);
      this.#wake(live);
    } else this.#cancel(live, cancelReason);
  }

  // Deciding

  /** Stores the ballot's state in the control log. @throws SwarmError when the control log does not take it. */
  async #keep(live: LiveBallot): Promise<void> {
    const core = JSON.stringify(live.core);
    const bytes = sizeOf({ task: live.ballot.task, core });
    const outcome = await this.#steps.add({ id: live.id, core, bytes }, bytes);
    if (outcome === "full") throw tooMany();
  }

  /** Takes an event for a ballot from another file; drops it when the ballot is not live any more (D2). */
  #feed(live: LiveBallot, event: BallotEvent): void {
    const running = this.#ballots.get(live.id);
    if (running !== undefined && running === live) this.#step(running, event);
  }

  #step(live: RunningBallot, event: BallotEvent): void {
    const [core, effects] = stepBallot(live.core, event);
    live.core = core;
    for (const effect of effects) {
      switch (effect.type) {
        case "ask":
        case "consult":
          break; // all of them together, below
        case "cancel":
          if (core.stage !== "closed") this.#asker.withdraw(live, effect.asks);
          break;
        case "ask-human":
          void this.#beginRound(live, []);
          this.#reporter.reportWaitForPerson(live, effect);
          break;
        case "evidence":
          this.#reporter.reportEvidence(live, effect.evidence);
          break;
        case "refuse":
          throw new SwarmError(effect.code, effect.message, { field: effect.field });
        case "close":
          void this.#end(live, effect);
          return;
        default:
          effect satisfies never;
      }
    }
    this.#wake(live);
    const questions = this.#asker.register(live, effects);
    if (questions.length > 0) void this.#beginRound(live, questions);
  }

  /** Publishes the questions of a new round once the control log holds the round (D1). */
  async #beginRound(live: RunningBallot, questions: readonly Question[]): Promise<void> {
    try {
      await this.#keep(live);
    } catch (error) {
      if (!this.#isLive(live) || live.stage !== "open") return;
      this.#parts.log.info(
        { err: error, ballot: live.id },
        `ballot round not stored; retrying in ${QUESTION_RETRY_PAUSE_MS} ms`,
      );
      this.#clock.after(QUESTION_RETRY_PAUSE_MS, () => {
        if (this.#isLive(live) && live.stage === "open") void this.#beginRound(live, questions);
      });
      return;
    }
    if (questions.length > 0) this.#reporter.reportRound(live, questions.length);
    for (const question of questions) {
      if (this.#asker.isOpen(question)) void this.#asker.publish(question, false);
    }
  }

  /** Ends the ballot. Retries while the control log does not take the decision, because no other event would end the ballot. */
  async #end(live: RunningBallot, result: BallotResult): Promise<void> {
    live.stage = "ending";
    live.cancelWake?.();
    try {
      const decided = await this.#closer.decide(live, result);
      if (decided !== null) {
        live.noteDecided();
        await this.#closer.carryOut(decided.ending, decided);
      } else await this.#followStoredEnd(live);
    } catch (error) {
      live.noteUndecided(toSwarmError(error));
      if (!this.#isLive(live)) return; // the next coordinator in office decides it
      this.#parts.log.warn(
        { err: error, ballot: live.id },
        `ballot end not decided; retrying in ${END_PAUSE_MS} ms`,
      );
      this.#clock.after(END_PAUSE_MS, () => {
        if (this.#isLive(live)) void this.#end(live, result);
      });
      return;
    }
    if (!this.#isLive(live)) return;
    this.#ballots.delete(live.id);
    this.#asker.forget(live);
  }

  /**
   * The control log held an end before this command. While this coordinator is in office, only its own commands are stored:
   * then it was an earlier try whose outcome was unknown, and no other coordinator carries it out.
   * @throws SwarmError `unavailable` when this coordinator has left the office.
   */
  async #followStoredEnd(live: RunningBallot): Promise<void> {
    if (!this.#isLive(live)) {
      throw new SwarmError("unavailable", `another coordinator ends the ballot ${live.id}: ask again`);
    }
    live.noteDecided();
    const ending = this.#parts.office.state.ballots.outbox.get(live.id);
    if (ending !== undefined) await this.#closer.carryOut(ending);
  }

  #cancel(live: RunningBallot, reason: string): void {
    if (live.stage === "open") this.#step(live, { type: "cancel", reason, atMs: this.#clock.now() });
  }

  /** Sets the timer for the decider's next tick. */
  #wake(live: RunningBallot): void {
    const atMs = wakeAtMs(live.core);
    if (atMs === live.wakesAtMs || atMs === null) return;
    live.cancelWake?.();
    live.wakesAtMs = atMs;
    live.cancelWake = this.#clock.after(atMs - this.#clock.now(), () => {
      live.wakesAtMs = null;
      if (this.#isLive(live) && live.stage === "open")
        this.#step(live, { type: "tick", atMs: this.#clock.now() });
    });
  }

  // Requests and cancellations from others

  #onWhere(request: IncomingRequest): void {
    const live = this.#ballots.get(lastToken(request.subject));
    if (live === undefined) return;
    request.respond(encode(whereReplyOf(live)), { [HEADERS.contentType]: "application/json" });
  }

  #onCancel(message: Incoming): void {
    const [scope, taskId] = message.subject.split(".").slice(-2) as [string, string];
    if (taskId !== PLACEHOLDER) {
      const live = this.#ballots.get(taskId);
      if (live !== undefined) this.#cancel(live, TASK_CANCELLED);
      else this.#intake.cancel(scope, taskId, TASK_CANCELLED);
      return;
    }
    // A closing ballot cancels its open questions, under its own id as the scope.
    if (scope === NO_SCOPE || endingBallotOf(message) !== undefined) return;
    const reason = `the scope ${scope} was cancelled`;
    this.#intake.cancel(scope, PLACEHOLDER, reason);
    for (const live of [...this.#ballots.values()]) {
      if (live.ballot.scope === scope) this.#cancel(live, reason);
    }
  }
}
