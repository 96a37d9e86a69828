// Drives the pure member (consensus/) with time, the bus and the control log, and performs what it wants done. Owns
// timers, subscriptions and who waits for which answer; decides nothing itself.
//
// D1  Every effect of a step is performed before the next input is taken; inputs come one at a time.
// D2  An append is tried once for each request of the member; only the member repeats it.
// D3  Whoever waits is answered once: with the decision, with an error, or `unavailable` when the time is over. The
//     time being over decides nothing: a repeat with the same key gets the first decision.
// D4  Missed ticks are counted in one burst, after the messages that arrived meanwhile: a holder that was paused longer
//     than an election timeout steps down before it does anything else.
// D5  A member is left for good when the log went on without it (trimmed beyond what it read) or is lost; then everything
//     begins again, as after a restart of the process, but nothing that was read is forgotten: a log that has less is
//     waited out.
// D6  Before the office is asked for, the log must have the entry that it is asked behind (takesAnotherLog).
import { type Clock, createService, type Service, sleep, systemClock, utf8Text } from "../../base/index.ts";
import {
  type AppendRequest,
  entryText,
  haltedError,
  type Member,
  type MemberInput,
  stepMember,
} from "../../consensus/index.ts";
import {
  type CoordinatorStatus,
  createSubjects,
  encode,
  type Json,
  lastToken,
  SwarmError,
} from "../../protocol/index.ts";
import type { Stored, Subscription } from "../../transport/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";
import { type AppendOutcome, isSent, RUNBOOK, readJson, tryAppend } from "./control-log.ts";
import { handOver } from "./hand-over.ts";
import { checkMembers, type Office, type OfficeOptions, type OfficeTenure } from "./office.ts";
import { auditTenures, createRefusalNotes } from "./office-audit.ts";
import { createPart, endPart, loadPart, type Participation, placeOf } from "./participation.ts";
import { PendingAnswers, toError } from "./pending-answers.ts";
import {
  findStartPoint,
  isRecovered,
  openOfficeStores,
  type StartPoint,
  targetsReplacedLog,
} from "./start-point.ts";
import { describeHalted, describeMember, findProblem, measureAge } from "./status.ts";
import { chooseSuccessor } from "./successor.ts";
import { UnknownAppends } from "./unknown-appends.ts";

/** The pause before an append whose fate is unknown is repeated, and before a refusal by a shorter log is believed. */
const APPEND_PAUSE_MS = 100;
/** Election messages are below 300 bytes. */
const MAX_MESSAGE_BYTES = 4_096;
/** The pause between two tries to open a log that is not there yet. */
const OPEN_PAUSE_MS = 250;
/** The same for a log that is not as it should be: somebody must mend it, and a snapshot may be read for each look. */
const MEND_PAUSE_MS = 2_000;

/** Makes one coordinator's part in the office. @throws SwarmError `invalid_input` for a membership that cannot be. */
export function createOffice(options: OfficeOptions): Office {
  return new Coordinator(options);
}

/** Why the log cannot be opened; with `halts`, because it is not what it should be. */
interface Problem {
  readonly reason: string;
  readonly halts: boolean;
}
const NOT_READ: Problem = { reason: "not read yet", halts: false };

class Coordinator implements Office {
  readonly service: Service;
  readonly #options: OfficeOptions;
  readonly #clock: Clock;
  readonly #subjects;
  readonly #stores;
  readonly #waiters: PendingAnswers;
  readonly #unknown: UnknownAppends;
  readonly #noteRefused;
  readonly #tenureListeners: ((tenure: OfficeTenure | null) => void)[] = [];
  readonly #opened = Promise.withResolvers<void>();
  #rollCall: Subscription | undefined;
  #part: Participation | null = null;
  #tenure: OfficeTenure | null = null;
  #refusedMessages = 0;
  #seenTerm = 0;
  #problem = NOT_READ;
  #isStopped = false;

  constructor(options: OfficeOptions) {
    checkMembers(options);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#subjects = createSubjects(options.transport.prefix);
    this.#stores = openOfficeStores(options.transport);
    this.#waiters = new PendingAnswers(this.#clock);
    this.#unknown = new UnknownAppends(options.log);
    this.#noteRefused = createRefusalNotes(options.id, options.audit);
    if (options.audit !== undefined) auditTenures(this, options.audit);
    this.service = createService({
      name: "office",
      start: () => void this.#start(),
      stop: () => this.#stop(),
    });
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get tenure(): OfficeTenure | null {
    return this.#tenure;
  }

  get state(): OfficeState {
    return this.#running.office.fold.state;
  }

  get logTime(): number {
    return this.#running.office.fold.at;
  }

  get appliedSeq(): number {
    return this.#running.office.fold.seq;
  }

  get ageMs(): number {
    return measureAge(this.#running, this.#part?.watch ?? null);
  }

  get #running(): Member<OfficeState, OfficeCommand> {
    if (this.#part === null) throw new SwarmError("unavailable", "this coordinator has not read the log yet");
    return this.#part.member;
  }

  status(): CoordinatorStatus {
    const { id, version } = this.#options;
    const own = { id, version, refusedMessages: this.#refusedMessages };
    if (this.#part === null && this.#problem.halts) return describeHalted(this.#problem.reason, own);
    return describeMember(this.#running, own);
  }

  submit(key: string, command: OfficeCommand, bytes?: number): Promise<Json> {
    const size = bytes === undefined ? {} : { bytes };
    return this.#waiters.decide(key, () => this.#step({ type: "command", key, command, ...size }));
  }

  barrier(): Promise<void> {
    return this.#waiters.read((ticket) => this.#step({ type: "read", ticket }));
  }

  transfer(to?: string): string {
    const { id, members } = this.#options;
    const { election, office } = this.#running;
    if (!office.inOffice) throw toError("not_leader", election.leader);
    const target = chooseSuccessor(election, { id, members, to });
    this.#step({ type: "transfer", to: target });
    return target;
  }

  handOver(timeoutMs: number): Promise<void> {
    return handOver(this, { timeoutMs, clock: this.#clock, log: this.#options.log });
  }

  onTenure(onTenure: (tenure: OfficeTenure | null) => void): void {
    this.#tenureListeners.push(onTenure);
  }

  findProblem(): string | null {
    if (this.#part === null) return `the control log is not open: ${this.#problem.reason}`;
    return findProblem(this.#part.member, this.#part.watch);
  }

  measure(): void {
    if (this.#part === null) return;
    const { meter } = this.#options;
    meter.officeLeader.set(this.#tenure === null ? 0 : 1);
    meter.officeTerm.set(this.#part.member.election.term);
    meter.officeLogLag.set(Math.max(0, this.#part.watch.lastSeq - this.appliedSeq));
  }

  // Start and stop

  /** Takes part, again and again (D5), until this coordinator is stopped. */
  async #start(): Promise<void> {
    this.#rollCall = this.#options.transport.bus.subscribe(this.#subjects.coordinators, (request) => {
      if (this.#part !== null || this.#problem.halts) request.respond(encode(this.status()));
    });
    while (!this.#isStopped) {
      const before = this.#part;
      try {
        if (before === null || (await this.#canBeginAgain(before))) {
          await this.#takePart(
            await findStartPoint(this.#stores, before === null ? undefined : placeOf(before)),
          );
          this.#opened.resolve();
          await this.#part?.over.promise;
          continue;
        }
      } catch (error) {
        this.#noticeProblem(error);
      }
      await sleep(this.#problem.halts || before !== null ? MEND_PAUSE_MS : OPEN_PAUSE_MS, {
        clock: this.#clock,
      });
    }
  }

  /** Who met an entry that it cannot read would meet it again, unless the log was recovered. */
  async #canBeginAgain({ member, end }: Participation): Promise<boolean> {
    return end !== null || (await isRecovered(this.#stores.log, member.office.fold.epoch));
  }

  #noticeProblem(error: unknown): void {
    const { log } = this.#options;
    const { message: reason } = error as Error;
    const halts = error instanceof SwarmError && error.code === "conflict";
    if (this.#isStopped || this.#problem.reason === reason) return;
    this.#problem = { reason, halts };
    if (halts) log.error({ alert: "coordinator_halted", reason, runbook: RUNBOOK }, "this coordinator halts");
    else log.warn({ err: error }, "waiting for the control log");
  }

  async #takePart(beginning: StartPoint): Promise<void> {
    const { transport, id, members, log } = this.#options;
    const { fold, snapshot, rejected } = beginning;
    const { logId, epoch, seq: beginSeq } = fold;
    const startedMs = performance.now();
    const part = createPart(beginning, {
      options: { ...this.#options, clock: this.#clock },
      stores: this.#stores,
      step: (own, input) => (this.#part === own ? this.#step(input) : "this part is over"),
      isInOffice: (own) => this.#part === own && this.#tenure !== null,
    });
    await loadPart(part, this.#stores.log, (stored) => this.#onStored(part, stored));
    if (this.#isStopped) return endPart(part);
    this.#part = part;
    this.#problem = NOT_READ;
    this.#seenTerm = fold.term;
    for (const fault of rejected) log.error({ alert: "office_snapshot", fault }, "a snapshot cannot be used");
    const snapshotSeq = snapshot === null ? null : beginSeq;
    const entries = this.appliedSeq - beginSeq;
    const tookMs = Math.round(performance.now() - startedMs);
    log.info(
      { logId, epoch, snapshotSeq, entries, appliedSeq: this.appliedSeq, tookMs },
      "read the control log",
    );
    if (haltedError(part.member) !== undefined) return this.#noticeHalt();
    part.watch.start();
    part.subscriptions.push(
      transport.bus.subscribe(this.#subjects.filters.electionTo(id), (message) =>
        this.#onMessage(message.subject, message.data),
      ),
    );
    part.ticker.start(); // D4
    if (members.length === 1) this.#step({ type: "campaign" }); // there is nobody to wait for
  }

  #stop(): void {
    this.#isStopped = true;
    this.#rollCall?.close();
    if (this.#part !== null) endPart(this.#part);
    this.#waiters.end();
    this.#endTenure();
  }

  // Inputs

  #onMessage(subject: string, data: Uint8Array): void {
    const from = lastToken(subject);
    let message: unknown;
    try {
      message = data.length > MAX_MESSAGE_BYTES ? undefined : JSON.parse(utf8Text(data));
    } catch {
      message = undefined;
    }
    const error = this.#step({ type: "receive", from, message });
    if (error === undefined || error.startsWith("halted")) return;
    this.#refusedMessages++;
    this.#options.meter.officeMessagesRefused.inc();
    this.#options.log.debug({ from, error }, "refused an election message");
  }

  #onStored(part: Participation, stored: Stored): void {
    if (this.#part !== part) return;
    part.watch.note(stored.seq);
    const { sent } = part;
    // The own entry often comes back before its acknowledgement, and need not be read.
    if (isSent(sent, stored)) this.#step({ type: "accepted", request: sent.request, seq: stored.seq });
    const error =
      stored.seq <= this.appliedSeq
        ? undefined
        : this.#step({ type: "stored", seq: stored.seq, entry: readJson(stored) });
    if (error === "gap") {
      part.end = "beyond";
      this.#step({ type: "distrust", reason: `the log was trimmed beyond ${this.appliedSeq}` });
    } else part.snapshots.noteEntry(stored.data.length);
  }

  /** Takes one input and performs its effects (D1). Gives the error of a refused input. */
  #step(input: MemberInput<OfficeCommand>): string | undefined {
    if (this.#isStopped) return "stopped";
    const part = this.#part;
    const member = this.#running;
    const wasHalted = haltedError(member) !== undefined;
    const effects = stepMember(member, input);
    if (effects.checkpoint !== null) part?.snapshots.takeCheckpoint(effects.checkpoint);
    const { bus } = this.#options.transport;
    for (const { to, message } of effects.send) {
      bus.publish(this.#subjects.election(to, this.#options.id), encode(message));
    }
    for (const request of effects.appends) void this.#append(request);
    this.#waiters.answer(effects, member.election.leader);
    if (!wasHalted && haltedError(member) !== undefined) this.#noticeHalt();
    if (effects.snapshot !== null) {
      part?.snapshots.noteSnapshot(effects.snapshot);
      part?.snapshots.tidy();
    }
    this.#noticeTenure(); // last: its listeners may begin the next step
    return effects.error;
  }

  // Effects

  async #append(request: AppendRequest<OfficeCommand>): Promise<void> {
    const { log, meter } = this.#options;
    const part = this.#part;
    const { expectedLastSeq } = request;
    // What became of an append concerns the member that asked, and no later one.
    const tell = (input: MemberInput<OfficeCommand>) => {
      if (this.#part === part) this.#step(input);
    };
    const takesAnother =
      part !== null && (await targetsReplacedLog(this.#stores.log, placeOf(part), request)); // D6
    if (part !== null && takesAnother === true) {
      part.end = "lost";
      return tell({ type: "distrust", reason: `entry ${expectedLastSeq} is not the one that was read` });
    }
    const startedMs = performance.now();
    const data = Buffer.from(entryText(request.entry));
    const sent = { request: request.request, seq: expectedLastSeq + 1, data };
    if (part !== null) part.sent = sent;
    const outcome: AppendOutcome =
      takesAnother === null
        ? { type: "unknown", why: new Error(`entry ${expectedLastSeq} cannot be read`) }
        : await tryAppend(this.#stores.log, this.#subjects.officeLog, request, data); // D2
    if (part?.sent === sent) part.sent = null;
    if (outcome.type !== "unknown") this.#unknown.settle();
    if (outcome.type === "accepted") {
      meter.officeCommitSeconds.observe((performance.now() - startedMs) / 1_000);
      part?.watch.note(outcome.seq);
      tell({ type: "accepted", request: request.request, seq: outcome.seq });
      return;
    }
    if (outcome.type === "refused") {
      meter.fencedWrites.inc({ kind: "office" });
      log.info({ expectedLastSeq, lastSeq: outcome.lastSeq }, "an append was refused");
      this.#noteRefused({ term: request.entry.term, expectedLastSeq, lastSeq: outcome.lastSeq });
      if (outcome.lastSeq < expectedLastSeq) await sleep(APPEND_PAUSE_MS, { clock: this.#clock });
      tell({ type: "refused", request: request.request, lastSeq: outcome.lastSeq });
      return;
    }
    this.#unknown.note(expectedLastSeq, outcome.why);
    await sleep(APPEND_PAUSE_MS, { clock: this.#clock });
    tell({ type: "unknown", request: request.request });
  }

  #noticeTenure(): void {
    const { id, log, meter, transport } = this.#options;
    const { inOffice, fold } = this.#running.office;
    if (fold.term > this.#seenTerm) {
      this.#seenTerm = fold.term;
      meter.officeChanges.inc();
    }
    if (!inOffice) {
      this.#endTenure();
      return;
    }
    if (this.#tenure?.term === fold.term) return;
    const since = new Date(this.#clock.now()).toISOString();
    this.#tenure = { id, pid: process.pid, term: fold.term, since };
    log.info({ term: fold.term }, "took the office");
    transport.bus.publish(this.#subjects.event("office", id, "taken"), encode(this.#tenure));
    this.#part?.snapshots.noteTenure(true);
    for (const listener of this.#tenureListeners) listener(this.#tenure);
  }

  #endTenure(): void {
    if (this.#tenure === null) return;
    this.#options.log.info({ term: this.#tenure.term }, "left the office");
    this.#tenure = null;
    this.#part?.snapshots.noteTenure(false);
    for (const listener of this.#tenureListeners) listener(null);
  }

  /** A halted member stays to be seen; what comes next is looked for (D5). */
  #noticeHalt(): void {
    const { log } = this.#options;
    const reason = haltedError(this.#running);
    if (this.#part?.end === "beyond") log.warn({ reason }, "this coordinator begins again");
    else log.error({ alert: "coordinator_halted", reason, runbook: RUNBOOK }, "this coordinator halts");
    if (this.#part !== null) endPart(this.#part);
  }
}
