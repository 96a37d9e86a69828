// The ballots of the swarm, while this coordinator holds the office: takes them from the hosts that received their tasks,
// puts the decider's questions to agents as placed tasks, feeds it their results, and carries out what it decides. What a
// ballot means is the decider's (consensus/ballot.ts), what is kept of it the reducer's (ballots.ts).
//
// D1  A question is put only after the log holds the ballot, or the round, that asks it. Whoever takes the office next
//     reads the results of all open questions, and puts those without one again, under the same task ids.
// D2  A result is heard where the server announces stored ones, on the lanes of scoped tasks: one subscription per lane for
//     all ballots. Of `bft` ballots the writes themselves are heard too, because a second vote is refused and never stored.
// D3  Nothing is decided by a run that is not in the table any more: with the office all of them are forgotten.
import { randomBytes } from "node:crypto";
import { z } from "zod";
import {
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  systemChance,
  systemClock,
  toIsoTime,
} from "../../base/index.ts";
import {
  type Ballot,
  type BallotEffect,
  type BallotEvent,
  type BallotResult,
  effectsOf,
  hashValue,
  type Json,
  openBallot,
  reseatBallot,
  type Seat,
  stepBallot,
  wakeAtMs,
} from "../../consensus/index.ts";
import {
  type BallotOpenRequest,
  ballotOpenRequestSchema,
  createSubjects,
  encode,
  HEADERS,
  LANE_COUNT,
  type PlacedAddress,
  parse,
  SwarmError,
  tokenSchema,
  toSwarmError,
  type WhereReply,
} from "../../protocol/index.ts";
import type { Incoming, IncomingRequest, Stored, Subscription, Transport } from "../../transport/index.ts";
import {
  createOutcomes,
  isScopeMarked,
  readResult,
  type TaskClient,
  unpackResult,
} from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import { type OfficeAnswers, unwrap } from "../office/server.ts";
import type { Placement } from "../placement/placement.ts";
import type { OpenBallot, OpenedBallot } from "./ballots.ts";
import { Batch } from "./batch.ts";
import { createEndings, type Endings } from "./ending.ts";
import { type Addressee, questionTaskId } from "./messages.ts";
import { MAX_KEPT_OUTPUT_BYTES, type Question, Run } from "./run.ts";
import { findSeats, findSubstitute, NOBODY, worthOf } from "./seating.ts";
import { viewBallot } from "./view.ts";

/** When a host asks again while too few agents are there, and while there are too many ballots; in ms. */
const RETRY_MS = { few: 500, full: 1_000 } as const;
/** The pause before a question is put again that could not be, or for which nobody was there; in ms. */
const PUT_PAUSE_MS = 500;
/** Ballots that a new holder of the office takes up at the same time. */
const MAX_TAKEN_UP = 32;

/** What a person decides. */
const decideSchema = z
  .strictObject({
    key: z.string().optional(),
    id: tokenSchema,
    by: z.string().min(1).max(128),
    choice: z.int().min(1).optional(),
    value: z.json().optional(),
  })
  .refine(
    ({ choice, value }) => (choice === undefined) !== (value === undefined),
    "must name either a candidate (choice) or a value",
  );
/** What the right answer was. */
const correctSchema = z.strictObject({ key: z.string().min(1).max(120), id: tokenSchema, value: z.json() });

/** Ballots, as one coordinator takes part in them. */
export interface BallotDriver {
  /** Start it before the office: it wants to hear of every change of its holder. */
  readonly service: Service;
  /** For the office's server. */
  readonly answers: OfficeAnswers;
}

/** Makes a coordinator's part in ballots. */
export function createBallots(parts: BallotParts): BallotDriver {
  return new Driver(parts);
}

interface BallotParts {
  transport: Transport;
  office: Office;
  placement: Pick<Placement, "pick" | "onQuestion">;
  tasks: Pick<TaskClient, "cancelScope">;
  log: Logger;
  meter: Meter;
  clock?: Clock;
}

class Driver implements BallotDriver {
  readonly service: Service;
  readonly #parts: BallotParts;
  readonly #clock: Clock;
  readonly #subjects;
  readonly #endings: Endings;
  readonly #opens: Batch<OpenedBallot>;
  readonly #steps: Batch<{ id: string; core: Json; bytes: number }>;
  readonly #runs = new Map<string, Run>();
  /** Every question of a run, by task id. */
  readonly #questions = new Map<string, Question>();
  readonly #opening = new Map<string, Promise<void>>();
  #open: Subscription[] = [];
  #isStopped = false;

  constructor(parts: BallotParts) {
    this.#parts = parts;
    const { transport, office, meter } = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#subjects = createSubjects(transport.prefix);
    const shared = { ...parts, clock: this.#clock, subjects: this.#subjects };
    this.#endings = createEndings({
      ...shared,
      outcomes: createOutcomes({
        transport,
        subjects: this.#subjects,
        meter,
        clock: this.#clock,
        chance: systemChance,
      }),
    });
    this.#opens = new Batch(office, (ballots) => ({ type: "ballots-open", ballots }));
    this.#steps = new Batch(office, (steps) => ({ type: "ballots-advance", steps }));
    this.service = createService({
      name: "ballots",
      start: () => this.#start(),
      stop: () => {
        this.#isStopped = true;
        this.#forgetAll();
      },
    });
  }

  readonly answers: OfficeAnswers = {
    "ballot-open": (body) => this.#openAsked(body),
    "ballot-decide": (body) => this.#decide(body),
    "ballot-correct": (body) => this.#correct(body),
    ballot: async (body) => {
      const { id } = parse(z.strictObject({ id: tokenSchema }), body, "ballot");
      await this.#parts.office.barrier();
      return viewBallot(this.#parts.office.state.ballots, id, this.#runs.get(id)?.core);
    },
  };

  /** @throws SwarmError `unavailable`, `rate_limited`, `not_leader`, `invalid_input`. */
  async #openAsked(body: unknown): Promise<{ opened: true }> {
    const request = parse(ballotOpenRequestSchema, body, "ballot-open");
    this.#checkOffice();
    const { taskId } = request;
    let opening = this.#opening.get(taskId);
    if (opening === undefined) {
      opening = this.#openOnce(request).finally(() => this.#opening.delete(taskId));
      this.#opening.set(taskId, opening);
    }
    await opening;
    return { opened: true };
  }

  /** A question is placed on an agent that is gone, or takes no new work and has not begun it. */
  #takeBack({ agent, taskId }: PlacedAddress): void {
    const question = this.#questions.get(taskId);
    if (question === undefined || question.isAnswered || question.place?.agent !== agent) return;
    void this.#putAgain(question);
  }

  #start(): void {
    const { office, placement } = this.#parts;
    placement.onQuestion((at) => this.#takeBack(at));
    office.onTenure((tenure) => this.#onTenure(tenure !== null));
    if (office.tenure !== null) this.#onTenure(true);
  }

  #checkOffice(): void {
    if (this.#parts.office.tenure !== null) return;
    throw new SwarmError("not_leader", "this coordinator does not hold the office: ask again");
  }

  // Taking and leaving the office

  #onTenure(inOffice: boolean): void {
    this.#forgetAll();
    if (!inOffice || this.#isStopped) return;
    const { bus } = this.#parts.transport;
    const { filters } = this.#subjects;
    for (let lane = 0; lane < LANE_COUNT; lane++) {
      this.#open.push(bus.subscribe(filters.doneInLane(lane), (message) => this.#onDone(message))); // D2
    }
    this.#open.push(
      bus.subscribe(filters.allWhere, (request) => this.#onWhere(request)),
      bus.subscribe(filters.allCancels, (message) => this.#onCancel(message)),
    );
    void this.#takeUp();
  }

  #forgetAll(): void {
    for (const subscription of this.#open) subscription.close();
    this.#open = [];
    for (const run of this.#runs.values()) run.cancelWake?.(); // D3
    this.#runs.clear();
    this.#questions.clear();
  }

  /** Goes on with what the last holder of the office left (D1). */
  async #takeUp(): Promise<void> {
    const { office, log } = this.#parts;
    const { open, outbox } = office.state.ballots;
    const runs = [...open.values()].map((ballot) => this.#begin(ballot, ballot.core as unknown as Ballot));
    for (const ending of outbox.values()) void this.#endings.carryOut(ending, null);
    if (runs.length + outbox.size > 0)
      log.info({ open: runs.length, ending: outbox.size }, "took ballots up");
    for (let from = 0; from < runs.length; from += MAX_TAKEN_UP) {
      await Promise.all(runs.slice(from, from + MAX_TAKEN_UP).map((run) => this.#resume(run)));
    }
  }

  async #resume(run: Run): Promise<void> {
    for (const effect of effectsOf(run.core)) {
      const question = this.#toQuestion(run, effect);
      if (question !== null) this.#register(question);
    }
    this.#wake(run);
    try {
      if (await this.#isCancelled(run.ballot)) return this.#cancel(run, "the task was cancelled");
      for (const question of run.unanswered) await this.#recover(question);
    } catch (error) {
      if (!this.#isLive(run)) return;
      this.#parts.log.warn({ err: error, ballot: run.id }, "a ballot is taken up again");
      this.#clock.after(PUT_PAUSE_MS, () => {
        if (this.#isLive(run)) void this.#resume(run);
      });
    }
  }

  async #isCancelled({ id, scope }: OpenBallot): Promise<boolean> {
    const { transport } = this.#parts;
    if (await isScopeMarked(transport, scope)) return true;
    return (await transport.log("results").last(this.#subjects.filters.resultById(id))) !== null;
  }

  /** Hears the result of a question that an earlier holder of the office put, or puts it again. */
  async #recover(question: Question): Promise<void> {
    const stored = await this.#parts.transport.log("results").last(question.resultSubject);
    if (stored !== null) return this.#hear(question, stored);
    if (!question.isAnswered) await this.#put(question, true);
  }

  #begin(ballot: OpenBallot, core: Ballot): Run {
    const run = new Run(ballot, core);
    this.#runs.set(run.id, run);
    return run;
  }

  #isLive(run: Run): boolean {
    return this.#runs.get(run.id) === run;
  }

  // Opening

  async #openOnce(request: BallotOpenRequest): Promise<void> {
    const { taskId } = request;
    if (await this.#isKnown(taskId)) return;
    const { opened, core, effects } = this.#prepare(request);
    const outcome = await this.#opens.add(opened, opened.bytes);
    if (outcome === "full") {
      throw new SwarmError("rate_limited", "too many ballots are open: the task waits in its queue", {
        retryAfterMs: RETRY_MS.full,
      });
    }
    const ballot = this.#parts.office.state.ballots.open.get(taskId);
    if (outcome !== "opened" || ballot === undefined || this.#runs.has(taskId)) return;
    const run = this.#begin(ballot, core);
    this.#tell(run, "opened", { seats: core.seats.length, strategy: core.spec.strategy });
    for (const effect of effects) {
      const question = this.#toQuestion(run, effect);
      if (question === null) continue;
      this.#register(question);
      void this.#put(question, false);
    }
    this.#wake(run);
  }

  /** Whether the ballot is open, or has ended: then its result is there, unless it aged out. */
  async #isKnown(taskId: string): Promise<boolean> {
    const { open, outbox, ended } = this.#parts.office.state.ballots;
    if (open.has(taskId) || outbox.has(taskId)) return true;
    if (!ended.has(taskId)) return false;
    return (
      (await this.#parts.transport.log("results").last(this.#subjects.filters.resultById(taskId))) !== null
    );
  }

  /** @throws SwarmError `unavailable` while there are too few agents and time to wait for more. */
  #prepare(request: BallotOpenRequest): { opened: OpenedBallot; core: Ballot; effects: BallotEffect[] } {
    const { office, placement } = this.#parts;
    const { taskId: id, capability, priority, scope, encoding, storedAtMs, task, traceparent } = request;
    const atMs = this.#clock.now();
    const leftMs = task.deadline === undefined ? Number.POSITIVE_INFINITY : Date.parse(task.deadline) - atMs;
    const spec = { ...request.ballot, timeoutMs: Math.max(1, Math.min(request.ballot.timeoutMs, leftMs)) };
    const seats = findSeats(office.state, placement.pick, {
      capability,
      spec,
      ...(task.labels === undefined ? {} : { labels: task.labels }),
    });
    if (seats.length < spec.seats && atMs < storedAtMs + spec.timeoutMs) {
      throw new SwarmError(
        "unavailable",
        `${seats.length} of ${spec.seats} agents with ${capability} and different ${spec.diversity === "model" ? "models" : "ids"} are there: the task waits`,
        { retryAfterMs: RETRY_MS.few },
      );
    }
    const [core, effects] = openBallot({
      id,
      spec,
      seats: fillUp(seats, spec.seats),
      nonce: randomBytes(16).toString("hex"),
      atMs,
      effectiveVoters: worthOf(office.state, capability, seats),
    });
    const opened = {
      id,
      capability,
      priority,
      scope,
      encoding,
      storedAtMs,
      openedAtMs: atMs,
      task: task as unknown as Json,
      ...(traceparent === undefined ? {} : { traceparent }),
      core: core as unknown as Json,
      bytes: 0,
    };
    // Through JSON: what goes into the log must be exactly what its readers will read.
    const text = JSON.stringify(opened);
    return { opened: { ...(JSON.parse(text) as OpenedBallot), bytes: text.length }, core, effects };
  }

  // Questions

  #toQuestion(run: Run, effect: BallotEffect): Question | null {
    if (effect.type !== "ask" && effect.type !== "consult") return null;
    const to: Addressee = effect.type === "ask" ? { seat: effect.seat } : { role: effect.question.role };
    const { round } = run.core;
    const { capability } = effect.type === "ask" ? run.ballot : effect;
    const taskId = questionTaskId(run.id, round, to);
    const resultSubject = this.#subjects.result(capability, run.id, taskId);
    return {
      run,
      taskId,
      round,
      to,
      capability,
      resultSubject,
      doneSubject: this.#subjects.doneOf(resultSubject),
      body: effect.question,
      endsAtMs: effect.endsAtMs,
      place: null,
      isAnswered: false,
    };
  }

  #register(question: Question): void {
    const { run, taskId } = question;
    run.questions.set(taskId, question);
    this.#questions.set(taskId, question);
  }

  /** Publishes a question to its agent; again and again until it is stored, answered, or of no use any more. */
  async #put(question: Question, isAgain: boolean): Promise<void> {
    const { run } = question;
    try {
      const place = this.#placeOf(question);
      if (place === "nobody") return this.#abstain(question, "no agent was there for this seat");
      if (place === "gone") return void this.#putAgain(question);
      question.place = place;
      const nowMs = this.#clock.now();
      const what =
        "seat" in question.to ? `seat ${question.to.seat} of ${run.core.seats.length}` : question.to.role;
      await this.#parts.transport
        .log("tasks")
        .append(
          this.#subjects.placed({ ...place, scope: run.id, taskId: question.taskId }),
          run.form.body(question.capability, question.body, question.endsAtMs - nowMs),
          {
            headers: run.form.headers(question.capability, {
              ...place,
              what,
              placedAt: toIsoTime(nowMs),
              isAgain,
            }),
            messageId: `${question.taskId}.${place.agent}`,
          },
        );
    } catch (error) {
      const told = toSwarmError(error);
      if (told.code === "conflict" || !this.#isOpen(question)) return; // it is there already
      if (!told.retryable) return this.#abstain(question, `${told.code}: ${told.message}`);
      this.#parts.log.info({ err: told, taskId: question.taskId }, "a question is put again");
      this.#clock.after(told.retryAfterMs ?? PUT_PAUSE_MS, () => {
        if (this.#isOpen(question)) void this.#put(question, true);
      });
    }
  }

  #isOpen({ run, isAnswered, endsAtMs }: Question): boolean {
    return this.#isLive(run) && run.stage === "open" && !isAnswered && this.#clock.now() < endsAtMs;
  }

  /** Where a question goes: to its seat's agent, or to the best for advice. */
  #placeOf({ run, to, capability }: Question): { host: string; agent: string } | "nobody" | "gone" {
    const { office, placement } = this.#parts;
    if (!("seat" in to)) {
      const [choice] = placement.pick({ count: 1, capability, diversity: "agent" });
      if (choice === undefined)
        throw new SwarmError("unavailable", `no agent offers ${capability} at the moment`);
      return { host: choice.host, agent: choice.agent };
    }
    const { agent } = run.core.seats[to.seat - 1] as Seat;
    if (agent === NOBODY) return "nobody";
    const member = office.state.registry.members.get(agent);
    return member === undefined ? "gone" : { host: member.profile.host, agent };
  }

  /** The agent of a question is gone: another one takes its seat over. */
  async #putAgain(question: Question): Promise<void> {
    const { run, to, taskId, place } = question;
    if (!this.#isOpen(question)) return;
    try {
      if ("seat" in to) {
        const { office, placement } = this.#parts;
        const seat = findSubstitute(office.state, placement.pick, {
          capability: run.ballot.capability,
          core: run.core,
          seat: to.seat,
        });
        if (seat === null) throw new SwarmError("unavailable", "no other agent is there for the seat");
        run.core = reseatBallot(run.core, seat);
        await this.#keep(run); // D1
        this.#tell(run, "reseated", { seat: to.seat, agent: seat.agent });
      }
      await this.#put(question, true);
      if (place !== null) {
        const old = this.#subjects.placed({ ...place, scope: run.id, taskId });
        if (place.agent !== question.place?.agent)
          await this.#parts.transport.log("tasks").purge({ filter: old });
      }
    } catch (error) {
      this.#parts.log.info({ err: error, taskId }, "a seat is still to be taken over");
      this.#clock.after(PUT_PAUSE_MS, () => void this.#putAgain(question));
    }
  }

  /** Brings the log to where the run is. @throws SwarmError when it could not be. */
  async #keep(run: Run): Promise<void> {
    const core = JSON.parse(JSON.stringify(run.core)) as Json;
    const bytes = JSON.stringify(run.ballot.task).length + JSON.stringify(core).length;
    const outcome = await this.#steps.add({ id: run.id, core, bytes }, bytes);
    if (outcome === "full") {
      throw new SwarmError("rate_limited", "too many ballots are open", { retryAfterMs: RETRY_MS.full });
    }
  }

  // Answers

  #onDone(message: Incoming): void {
    const taskId = message.subject.slice(message.subject.lastIndexOf(".") + 1);
    const question = this.#questions.get(taskId);
    if (question === undefined || question.isAnswered || question.doneSubject !== message.subject) return;
    void this.#hear(question, message).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, taskId }, "a result could not be read");
      this.#abstain(question, `its result could not be read: ${toSwarmError(error).message}`);
    });
  }

  /** Takes a stored result. */
  async #hear(question: Question, message: Incoming | Stored): Promise<void> {
    const { run, to, round } = question;
    const { transport } = this.#parts;
    const result = readResult(await unpackResult(message, transport.blobs));
    if (question.isAnswered) return;
    this.#noteAnswered(question);
    if (!this.#isLive(run) || run.stage !== "open") return;
    const atMs = this.#clock.now();
    const usage = result.usage === undefined ? {} : { usage: result.usage };
    const failed =
      result.status === "completed"
        ? undefined
        : `${result.error?.code ?? "internal"}: ${result.error?.message ?? result.status}`;
    if (!("seat" in to)) {
      const said = failed === undefined ? { output: result.output } : { failed };
      return this.#step(run, { type: "advice", ...said, ...usage, atMs });
    }
    const { seat } = to;
    if (failed !== undefined) {
      return this.#step(run, { type: "abstain", seat, round, reason: failed, ...usage, atMs });
    }
    if (message.data.length <= MAX_KEPT_OUTPUT_BYTES) run.outputs.set(seat, { round, output: result.output });
    this.#step(run, {
      type: "answer",
      seat,
      round,
      output: result.output,
      vote: result.vote,
      ...usage,
      atMs,
    });
  }

  #abstain(question: Question, reason: string): void {
    const { run, to, round } = question;
    if (question.isAnswered) return;
    this.#noteAnswered(question);
    if (!this.#isLive(run) || run.stage !== "open") return;
    const atMs = this.#clock.now();
    if ("seat" in to) this.#step(run, { type: "abstain", seat: to.seat, round, reason, atMs });
    else this.#step(run, { type: "advice", failed: reason, atMs });
  }

  #noteAnswered(question: Question): void {
    question.isAnswered = true;
    question.run.onAnswered?.();
  }

  // Deciding

  #step(run: Run, event: BallotEvent): void {
    const [core, effects] = stepBallot(run.core, event);
    run.core = core;
    const questions: Question[] = [];
    for (const effect of effects) {
      switch (effect.type) {
        case "ask":
        case "consult":
          questions.push(this.#toQuestion(run, effect) as Question);
          break;
        case "cancel":
          if (core.stage !== "closed") this.#withdraw(run, effect.asks);
          break;
        case "ask-human":
          this.#tell(run, "waits", { candidates: effect.candidates, reason: effect.reason });
          break;
        case "evidence":
          this.#tell(run, "evidence", effect.evidence);
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
    if (questions.length > 0) void this.#ask(run, questions);
  }

  /** Puts the questions of a new round, once the log holds it (D1). */
  async #ask(run: Run, questions: readonly Question[]): Promise<void> {
    for (const question of questions) this.#register(question);
    try {
      await this.#keep(run);
    } catch (error) {
      if (!this.#isLive(run) || run.stage !== "open") return;
      this.#parts.log.info({ err: error, ballot: run.id }, "a round is begun again");
      this.#clock.after(PUT_PAUSE_MS, () => {
        if (this.#isLive(run) && run.stage === "open") void this.#ask(run, questions);
      });
      return;
    }
    this.#tell(run, "round", { round: run.core.round, asked: questions.length });
    for (const question of questions) {
      if (this.#isOpen(question)) void this.#put(question, false);
    }
  }

  /** Nobody waits for these seats any more, though the ballot goes on. */
  #withdraw(run: Run, asks: readonly { seat: number; round: number }[]): void {
    for (const { seat, round } of asks) {
      const taskId = questionTaskId(run.id, round, { seat });
      this.#parts.transport.bus.publish(this.#subjects.cancel(run.id, taskId), encode({}));
    }
  }

  async #end(run: Run, result: BallotResult): Promise<void> {
    run.stage = "ending";
    run.cancelWake?.();
    try {
      await this.#endings.end(run, result);
    } catch (error) {
      run.ended.reject(toSwarmError(error));
      if (this.#isLive(run))
        this.#parts.log.warn({ err: error, ballot: run.id }, "a verdict was not decided here");
    } finally {
      if (this.#isLive(run)) {
        this.#runs.delete(run.id);
        for (const taskId of run.questions.keys()) this.#questions.delete(taskId);
      }
    }
  }

  #cancel(run: Run, reason: string): void {
    if (run.stage === "open") this.#step(run, { type: "cancel", reason, atMs: this.#clock.now() });
  }

  /** Gives the decider its time. */
  #wake(run: Run): void {
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

  // People

  /** A person decides a ballot that waits for one. @throws SwarmError `not_found`, `conflict`, `invalid_input`. */
  async #decide(body: unknown): Promise<{ decided: true }> {
    const { id, by, choice, value } = parse(decideSchema, body, "ballot-decide");
    const run = this.#runs.get(id);
    if (run === undefined || run.stage !== "open") {
      const { outbox, ended } = this.#parts.office.state.ballots;
      const isOver = run !== undefined || outbox.has(id) || ended.has(id);
      throw isOver
        ? new SwarmError("conflict", `ballot ${id} is decided already; murmur ballot show ${id} tells how`)
        : new SwarmError(
            "not_found",
            `there is no ballot ${id}; murmur ballot ls shows those that there are`,
          );
    }
    const said = choice === undefined ? { value } : { choice };
    this.#step(run, { type: "human", by, ...said, atMs: this.#clock.now() });
    await run.ended.promise;
    return { decided: true };
  }

  /** Somebody knows the right answer of an ended ballot. @throws SwarmError `not_found`, `invalid_input`. */
  async #correct(body: unknown): Promise<Json> {
    const { id, key, value } = parse(correctSchema, body, "ballot-correct");
    this.#checkOffice();
    const command = { type: "ballot-correct", id, hash: hashValue(value as Json) } as const;
    return unwrap(await this.#parts.office.submit(`c.${key}`, command));
  }

  // What others ask and tell

  #onWhere(request: IncomingRequest): void {
    const run = this.#runs.get(request.subject.slice(request.subject.lastIndexOf(".") + 1));
    if (run === undefined) return;
    const { capability, scope, priority, openedAtMs } = run.ballot;
    const { seats, answers, abstentions, stage } = run.core;
    const answered = stage === "closed" ? seats.length : answers.length + abstentions.length;
    const reply: WhereReply = {
      attempt: 1,
      progress: Math.round((100 * answered) / seats.length),
      agent: "-",
      startedAt: toIsoTime(openedAtMs),
      ballot: { capability, scope, priority, seats: seats.length, answered },
    };
    request.respond(encode(reply), { [HEADERS.contentType]: "application/json" });
  }

  #onCancel(message: Incoming): void {
    const [scope, taskId] = message.subject.split(".").slice(-2) as [string, string];
    const run = this.#runs.get(taskId);
    if (run !== undefined) this.#cancel(run, "the task was cancelled");
    if (taskId !== "-" || scope === "-") return;
    for (const other of [...this.#runs.values()]) {
      if (other.ballot.scope === scope) this.#cancel(other, `the scope ${scope} was cancelled`);
    }
  }

  #tell(run: Run, event: string, more: object): void {
    const body = encode({ ...more, at: toIsoTime(this.#clock.now()) });
    this.#parts.transport.bus.publish(this.#subjects.event("ballot", run.id, event), body);
  }
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
