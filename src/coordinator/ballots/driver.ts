// The ballots of the swarm, while this coordinator holds the office: takes them from the hosts that received their tasks,
// puts the decider's questions to agents as placed tasks, feeds it their results, and carries out what it decides. What a
// ballot means is the decider's (consensus/ballot.ts), what is kept of it the reducer's (ballots.ts).
//
// D1  A question is put only after the log holds the ballot, or the round, that asks it. Whoever takes the office next
//     reads the results of all open questions, and puts those without one again, under the same task ids.
// D2  Nothing is decided by a run that is not in the table any more: with the office all of them are forgotten.
import {
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  systemChance,
  systemClock,
} from "../../base/index.ts";
import {
  type Ballot,
  type BallotEffect,
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
  SwarmError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Incoming, IncomingRequest, Subscription, Transport } from "../../transport/index.ts";
import { createResultStore, type TaskClient } from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import type { OfficeAnswers } from "../office/server.ts";
import type { Placement } from "../placement/placement.ts";
import { Asking, PUT_PAUSE_MS } from "./ask/asker.ts";
import { LiveBallot, type Question } from "./ask/live-ballot.ts";
import { Batch } from "./batch.ts";
import { wasCancelled } from "./cancelled.ts";
import { type BallotCloser, createBallotCloser } from "./close.ts";
import { Openings } from "./open/intake.ts";
import { sizeOf, tooMany } from "./open/prepare.ts";
import { News, whereIs } from "./show/reporter.ts";
import { answerPeople } from "./show/people.ts";
import { coreOf, type OpenBallot } from "./state/ballots.ts";
import type { AnswerBounds } from "./state/bounds.ts";

/** The pause before an end that could not be decided is tried again, in ms. */
const END_PAUSE_MS = 500;
/** Ballots that a new holder of the office takes up at the same time. */
const MAX_TAKEN_UP = 32;

/** Ballots, as one coordinator takes part in them. */
export interface BallotDriver {
  /** Start it before the office: it wants to hear of every change of its holder. */
  readonly service: Service;
  /** For the office's server. */
  readonly answers: OfficeAnswers;
}

/** Makes a coordinator's part in ballots. */
export function createBallots(parts: BallotParts): BallotDriver {
  return new BallotRunner(parts);
}

interface BallotParts {
  transport: Transport;
  office: Office;
  placement: Pick<Placement, "pick" | "seats" | "onQuestion" | "knowsWhoLives">;
  tasks: Pick<TaskClient, "cancelScope">;
  log: Logger;
  meter: Meter;
  /** Where refused votes are kept at once; without it only in the verdict. */
  /** Where refused votes and answers are kept at once; without it only in the verdict. */
  audit?: Audit | undefined;
  clock?: Clock;
  /** How much memory answers may take; default ANSWER_BOUNDS (bounds.ts). */
  bounds?: AnswerBounds;
}

class BallotRunner implements BallotDriver {
  readonly service: Service;
  readonly answers: OfficeAnswers;
  readonly #parts: BallotParts;
  readonly #clock: Clock;
  readonly #subjects;
  readonly #endings: BallotCloser;
  readonly #steps: Batch<{ id: string; core: string; bytes: number }>;
  readonly #asking: Asking;
  readonly #runs = new Map<string, LiveBallot>();
  readonly #openings: Openings;
  readonly #news: News;
  #open: Subscription[] = [];
  #isStopped = false;

  constructor(parts: BallotParts) {
    this.#parts = parts;
    const { transport, office, meter } = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#subjects = createSubjects(transport.prefix);
    const shared = { ...parts, clock: this.#clock, subjects: this.#subjects };
    this.#news = new News(shared);
    this.#endings = createBallotCloser({
      ...shared,
      outcomes: createResultStore({
        transport,
        subjects: this.#subjects,
        meter,
        clock: this.#clock,
        chance: systemChance,
      }),
    });
    this.#asking = new Asking({
      ...shared,
      isLive: (run) => this.#isLive(run),
      keep: (run) => this.#keep(run),
      onStranger: (question, agent) => this.#news.stranger(question, agent),
      step: (run, event) => this.#step(run, event),
    });
    this.#openings = new Openings({
      ...shared,
      isFull: () => this.#asking.isFull,
      onWait: (id, reason) => this.#news.waitsForAgents(id, reason),
      onOpened: (...opened) => this.#onOpened(...opened),
    });
    this.#steps = new Batch(office, (steps) => ({ type: "ballots-advance", steps }));
    this.answers = {
      "ballot-open": (body) => this.#openings.open(body),
      ...answerPeople({
        office,
        clock: this.#clock,
        findRun: (id) => this.#runs.get(id),
        whyWaiting: (id) => this.#openings.whyWaiting(id),
        step: (run, event) => this.#step(run, event),
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
    placement.onQuestion((at) => this.#asking.takeBack(at));
    office.onTenure((tenure) => this.#onTenure(tenure !== null));
    if (office.tenure !== null) this.#onTenure(true);
  }

  // Taking and leaving the office

  #onTenure(inOffice: boolean): void {
    this.#forgetAll();
    if (!inOffice || this.#isStopped) return;
    const { bus } = this.#parts.transport;
    const { filters } = this.#subjects;
    this.#asking.start();
    this.#open.push(
      bus.subscribe(filters.allWhere, (request) => this.#onWhere(request)),
      bus.subscribe(filters.allCancels, (message) => this.#onCancel(message)),
      this.#parts.transport.onState((state) => {
        if (state === "connected") void this.#catchUp();
      }),
    );
    void this.#takeUp();
  }

  #forgetAll(): void {
    for (const subscription of this.#open) subscription.close();
    this.#open = [];
    for (const run of this.#runs.values()) run.cancelWake?.(); // D2
    this.#runs.clear();
    this.#openings.clear();
    this.#asking.stop();
  }

  /** Goes on with what the last holder of the office left (D1). */
  async #takeUp(): Promise<void> {
    const { office, log } = this.#parts;
    const { open, outbox } = office.state.ballots;
    const runs = [...open.values()].map((ballot) => this.#begin(ballot, coreOf(ballot)));
    for (const ending of outbox.values()) void this.#endings.carryOut(ending, null);
    if (runs.length + outbox.size > 0)
      log.info({ open: runs.length, ending: outbox.size }, "took ballots up");
    for (let from = 0; from < runs.length; from += MAX_TAKEN_UP) {
      await Promise.all(runs.slice(from, from + MAX_TAKEN_UP).map((run) => this.#resume(run)));
    }
  }

  async #resume(run: LiveBallot): Promise<void> {
    const { result } = run.core;
    if (result !== undefined) return void this.#end(run, result); // closed, and not decided in the log yet
    this.#asking.register(run, effectsOf(run.core));
    this.#wake(run);
    try {
      if (await wasCancelled(this.#parts.transport, run.ballot))
        return this.#cancel(run, "the task was cancelled");
      for (const question of run.unanswered) await this.#asking.recover(question);
    } catch (error) {
      if (!this.#isLive(run)) return;
      this.#parts.log.warn({ err: error, ballot: run.id }, "a ballot is taken up again");
      this.#clock.after(PUT_PAUSE_MS, () => {
        if (this.#isLive(run)) void this.#resume(run);
      });
    }
  }

  /** Hears what was said while the connection was broken: results, and that a ballot's task was cancelled. */
  async #catchUp(): Promise<void> {
    await this.#asking.lookFor(0);
    for (const run of [...this.#runs.values()]) {
      if (!this.#isLive(run) || run.stage !== "open") continue;
      try {
        if (await wasCancelled(this.#parts.transport, run.ballot))
          this.#cancel(run, "the task was cancelled");
      } catch (error) {
        this.#parts.log.info({ err: error, ballot: run.id }, "whether it was cancelled could not be seen");
      }
    }
  }

  #begin(ballot: OpenBallot, core: Ballot): LiveBallot {
    const run = new LiveBallot(ballot, core);
    this.#runs.set(run.id, run);
    return run;
  }

  #isLive(run: LiveBallot): boolean {
    return this.#runs.get(run.id) === run;
  }

  /** The log holds the ballot: now its agents are asked (D1). */
  #onOpened(ballot: OpenBallot, core: Ballot, effects: BallotEffect[], cancelled: string | undefined): void {
    if (this.#runs.has(ballot.id)) return;
    const run = this.#begin(ballot, core);
    this.#news.opened(run);
    if (core.result !== undefined) return void this.#end(run, core.result);
    const questions = this.#asking.register(run, effects);
    if (cancelled === undefined) {
      for (const question of questions) void this.#asking.put(question, false);
      this.#wake(run);
    } else this.#cancel(run, cancelled);
  }

  // Deciding

  /** Brings the log to where the run is. @throws SwarmError when it could not be. */
  async #keep(run: LiveBallot): Promise<void> {
    const core = JSON.stringify(run.core);
    const bytes = sizeOf({ task: run.ballot.task, core });
    const outcome = await this.#steps.add({ id: run.id, core, bytes }, bytes);
    if (outcome === "full") throw tooMany();
  }

  #step(run: LiveBallot, event: BallotEvent): void {
    const [core, effects] = stepBallot(run.core, event);
    run.core = core;
    for (const effect of effects) {
      switch (effect.type) {
        case "ask":
        case "consult":
          break; // below, all together
        case "cancel":
          if (core.stage !== "closed") this.#asking.withdraw(run, effect.asks);
          break;
        case "ask-human":
          void this.#beginRound(run, []);
          this.#news.waitsForPerson(run, effect);
          break;
        case "evidence":
          this.#news.evidence(run, effect.evidence);
          break;
        case "refuse":
          throw new SwarmError(effect.code, effect.message, { field: effect.field });
        case "close":
          void this.#end(run, effect);
          return;
        default:
          effect satisfies never;
      }
    }
    this.#wake(run);
    const questions = this.#asking.register(run, effects);
    if (questions.length > 0) void this.#beginRound(run, questions);
  }

  /** Puts the questions of a new round, once the log holds it (D1). */
  async #beginRound(run: LiveBallot, questions: readonly Question[]): Promise<void> {
    try {
      await this.#keep(run);
    } catch (error) {
      if (!this.#isLive(run) || run.stage !== "open") return;
      this.#parts.log.info({ err: error, ballot: run.id }, "a round is begun again");
      this.#clock.after(PUT_PAUSE_MS, () => {
        if (this.#isLive(run) && run.stage === "open") void this.#beginRound(run, questions);
      });
      return;
    }
    if (questions.length > 0) this.#news.round(run, questions.length);
    for (const question of questions) {
      if (this.#asking.isOpen(question)) void this.#asking.put(question, false);
    }
  }

  /** Ends the ballot; what cannot be decided now is tried again, because nothing else would. */
  async #end(run: LiveBallot, result: BallotResult): Promise<void> {
    run.stage = "ending";
    run.cancelWake?.();
    try {
      await this.#endings.end(run, result);
    } catch (error) {
      run.ended.reject(toSwarmError(error));
      if (!this.#isLive(run)) return; // the next holder of the office decides it
      this.#parts.log.warn({ err: error, ballot: run.id }, "a ballot's end is decided again");
      this.#clock.after(END_PAUSE_MS, () => {
        if (this.#isLive(run)) void this.#end(run, result);
      });
      return;
    }
    if (!this.#isLive(run)) return;
    this.#runs.delete(run.id);
    this.#asking.forget(run);
  }

  #cancel(run: LiveBallot, reason: string): void {
    if (run.stage === "open") this.#step(run, { type: "cancel", reason, atMs: this.#clock.now() });
  }

  /** Gives the decider its time. */
  #wake(run: LiveBallot): void {
    const atMs = wakeAtMs(run.core);
    if (atMs === run.wakesAtMs || atMs === null) return;
    run.cancelWake?.();
    run.wakesAtMs = atMs;
    run.cancelWake = this.#clock.after(atMs - this.#clock.now(), () => {
      run.wakesAtMs = null;
      if (this.#isLive(run) && run.stage === "open")
        this.#step(run, { type: "tick", atMs: this.#clock.now() });
    });
  }

  // What others ask and tell

  #onWhere(request: IncomingRequest): void {
    const run = this.#runs.get(lastToken(request.subject));
    if (run === undefined) return;
    request.respond(encode(whereIs(run)), { [HEADERS.contentType]: "application/json" });
  }

  #onCancel(message: Incoming): void {
    const [scope, taskId] = message.subject.split(".").slice(-2) as [string, string];
    if (taskId !== NO_SCOPE) {
      const run = this.#runs.get(taskId);
      if (run !== undefined) this.#cancel(run, "the task was cancelled");
      else this.#openings.cancel(scope, taskId, "the task was cancelled");
      return;
    }
    if (scope === NO_SCOPE) return;
    const reason = `the scope ${scope} was cancelled`;
    // The stragglers of a ballot are cancelled by its own id, and no ballot is on its way under that.
    if (!this.#runs.has(scope)) this.#openings.cancel(scope, NO_SCOPE, reason);
    for (const run of [...this.#runs.values()]) {
      if (run.ballot.scope === scope) this.#cancel(run, reason);
    }
  }
}
