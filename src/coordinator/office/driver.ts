// One coordinator's part in the office: feeds ticks, messages and log entries to the pure member (consensus/), and performs
// the member's effects. Owns the timers, the subscriptions and the waiting callers; the member makes all decisions.
//
// D1  The driver takes one input at a time, and performs every effect of an input before it takes the next one.
// D2  The driver tries an append once for each request of the member; only the member repeats an append.
// D3  Each caller gets one answer: the decision, an error, or `unavailable` after a timeout. After a timeout the command may
//     still be decided; a repeat with the same key gets the first decision.
// D4  After a pause of the process, the missed ticks come in one burst, directly after the messages that arrived during the
//     pause. So a leader that was paused for longer than an election timeout steps down at once, without waiting for ticks.
// D5  The driver abandons a member when the log was trimmed beyond the entries that the member read, or when the log is lost.
//     Then the driver starts again, as after a restart of the process. It remembers how far the member had read, and waits
//     while the log is shorter.
// D6  Before it appends `office-taken`, the driver checks that the entry at the expected sequence is still the entry that it
//     read (targetsReplacedLog).
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
import { Participation } from "./participation.ts";
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

/** The pause before a retry of an append with an unknown outcome, and before a shorter log is reported to the member, in ms. */
const APPEND_PAUSE_MS = 100;
/** The largest election message that is read, in bytes; real messages are below 300 bytes. */
const MAX_MESSAGE_BYTES = 4_096;
/** The pause between two tries to open a log that is not there yet, in ms. */
const OPEN_PAUSE_MS = 250;
/** The pause between two tries to open an unusable log, in ms: an operator must repair it, and each try may read a snapshot. */
const MEND_PAUSE_MS = 2_000;

/** Creates one coordinator's part in the office. @throws SwarmError `invalid_input` for an impossible membership. */
export function createOffice(options: OfficeOptions): Office {
  return new Coordinator(options);
}

/** The reason why the coordinator cannot open the log. `halts`: the log is unusable, and the coordinator halts. */
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
  readonly #pending: PendingAnswers;
  readonly #unknownAppends: UnknownAppends;
  readonly #noteRejected;
  readonly #tenureListeners: ((tenure: OfficeTenure | null) => void)[] = [];
  readonly #opened = Promise.withResolvers<void>();
  #rollCall: Subscription | undefined;
  #participation: Participation | null = null;
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
    this.#pending = new PendingAnswers(this.#clock);
    this.#unknownAppends = new UnknownAppends(options.log);
    this.#noteRejected = createRefusalNotes(options.id, options.audit);
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
    return measureAge(this.#running, this.#participation?.watch ?? null);
  }

  get #running(): Member<OfficeState, OfficeCommand> {
    if (this.#participation === null)
      throw new SwarmError("unavailable", "this coordinator has not read the log yet");
    return this.#participation.member;
  }

  status(): CoordinatorStatus {
    const { id, version } = this.#options;
    const own = { id, version, refusedMessages: this.#refusedMessages };
    if (this.#participation === null && this.#problem.halts) return describeHalted(this.#problem.reason, own);
    return describeMember(this.#running, own);
  }

  submit(key: string, command: OfficeCommand, bytes?: number): Promise<Json> {
    const size = bytes === undefined ? {} : { bytes };
    return this.#pending.decide(key, () => this.#step({ type: "command", key, command, ...size }));
  }

  barrier(): Promise<void> {
    return this.#pending.read((ticket) => this.#step({ type: "read", ticket }));
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
    if (this.#tenure !== null) onTenure(this.#tenure);
  }

  findProblem(): string | null {
    if (this.#participation === null) return `the control log is not open: ${this.#problem.reason}`;
    return findProblem(this.#participation.member, this.#participation.watch);
  }

  measure(): void {
    const { meter } = this.#options;
    meter.officeHalted.set(this.#isHalted ? 1 : 0);
    if (this.#participation === null) return;
    meter.officeLeader.set(this.#tenure === null ? 0 : 1);
    meter.officeTerm.set(this.#participation.member.election.term);
    meter.officeLogLag.set(Math.max(0, this.#participation.watch.lastSeq - this.appliedSeq));
  }

  /** True while this coordinator takes no part because of the contents of its log. */
  get #isHalted(): boolean {
    return this.#participation === null ? this.#problem.halts : haltedError(this.#running) !== undefined;
  }

  // Start and stop

  /** Takes part in the office. When a participation ends, starts the next one (D5), until this coordinator stops. */
  async #start(): Promise<void> {
    this.#rollCall = this.#options.transport.bus.subscribe(this.#subjects.coordinators, (request) => {
      if (this.#participation !== null || this.#problem.halts) request.respond(encode(this.status()));
    });
    while (!this.#isStopped) {
      const before = this.#participation;
      try {
        if (before === null || (await this.#canStartAgain(before))) {
          await this.#takePart(await findStartPoint(this.#stores, before?.place));
          this.#opened.resolve();
          await this.#participation?.ended;
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

  /** False when the member halted at an entry that this version cannot read, and the log still has that entry (no recovery). */
  async #canStartAgain({ member, haltCause }: Participation): Promise<boolean> {
    return haltCause !== null || (await isRecovered(this.#stores.log, member.office.fold.epoch));
  }

  #noticeProblem(error: unknown): void {
    const { log } = this.#options;
    const { message: reason } = error as Error;
    const halts = error instanceof SwarmError && error.code === "conflict";
    if (this.#isStopped || this.#problem.reason === reason) return;
    this.#problem = { reason, halts };
    if (halts) log.error({ alert: "coordinator_halted", reason, runbook: RUNBOOK }, "coordinator halted");
    else log.warn({ err: error }, "control log not open; retrying");
  }

  async #takePart(startPoint: StartPoint): Promise<void> {
    const { transport, id, members, log } = this.#options;
    const { fold, snapshot, rejected } = startPoint;
    const { logId, epoch, seq: startSeq } = fold;
    const startedMs = performance.now();
    const participation = new Participation(startPoint, {
      options: { ...this.#options, clock: this.#clock },
      stores: this.#stores,
      step: (own, input) =>
        this.#participation === own ? this.#step(input) : "this participation has ended",
      isInOffice: (own) => this.#participation === own && this.#tenure !== null,
    });
    await participation.load((stored) => this.#onStored(participation, stored));
    if (this.#isStopped) return participation.end();
    this.#participation = participation;
    this.#problem = NOT_READ;
    this.#seenTerm = fold.term;
    for (const fault of rejected) log.error({ alert: "office_snapshot", fault }, "snapshot not usable");
    const snapshotSeq = snapshot === null ? null : startSeq;
    const entries = this.appliedSeq - startSeq;
    const tookMs = Math.round(performance.now() - startedMs);
    log.info(
      { logId, epoch, snapshotSeq, entries, appliedSeq: this.appliedSeq, tookMs },
      "read the control log",
    );
    if (haltedError(participation.member) !== undefined) return this.#noticeHalt();
    participation.watch.start();
    participation.subscriptions.push(
      transport.bus.subscribe(this.#subjects.filters.electionTo(id), (message) =>
        this.#onMessage(message.subject, message.data),
      ),
    );
    participation.ticker.start(); // D4
    if (members.length === 1) this.#step({ type: "campaign" }); // there is no other member to wait for
  }

  #stop(): void {
    this.#isStopped = true;
    this.#rollCall?.close();
    this.#participation?.end();
    this.#pending.end();
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

  #onStored(participation: Participation, stored: Stored): void {
    if (this.#participation !== participation) return;
    participation.watch.note(stored.seq);
    const { sent } = participation;
    // The tail often delivers an entry of this driver before the ack of its append: then the entry need not be parsed.
    if (isSent(sent, stored)) this.#step({ type: "accepted", request: sent.request, seq: stored.seq });
    const error =
      stored.seq <= this.appliedSeq
        ? undefined
        : this.#step({ type: "stored", seq: stored.seq, entry: readJson(stored) });
    if (error === "gap") {
      participation.haltCause = "trimmed";
      this.#step({ type: "distrust", reason: `the log was trimmed beyond ${this.appliedSeq}` });
    } else participation.snapshots.noteEntry(stored.data.length);
  }

  /** Takes one input and performs its effects (D1). Returns the error of a refused input. */
  #step(input: MemberInput<OfficeCommand>): string | undefined {
    if (this.#isStopped) return "stopped";
    const participation = this.#participation;
    const member = this.#running;
    const wasHalted = haltedError(member) !== undefined;
    const effects = stepMember(member, input);
    if (effects.checkpoint !== null) participation?.snapshots.takeCheckpoint(effects.checkpoint);
    const { bus } = this.#options.transport;
    for (const { to, message } of effects.send) {
      bus.publish(this.#subjects.election(to, this.#options.id), encode(message));
    }
    for (const request of effects.appends) void this.#append(request);
    this.#pending.answer(effects, member.election.leader);
    if (!wasHalted && haltedError(member) !== undefined) this.#noticeHalt();
    if (effects.snapshot !== null) {
      participation?.snapshots.noteSnapshot(effects.snapshot);
      participation?.snapshots.tidy();
    }
    this.#noticeTenure(); // last: a listener may give the next input
    return effects.error;
  }

  // Effects

  async #append(request: AppendRequest<OfficeCommand>): Promise<void> {
    const { log, meter } = this.#options;
    const participation = this.#participation;
    const { expectedLastSeq } = request;
    // The outcome of an append is reported only to the member that requested it, not to a later member.
    const report = (input: MemberInput<OfficeCommand>) => {
      if (this.#participation === participation) this.#step(input);
    };
    const isReplaced =
      participation !== null && (await targetsReplacedLog(this.#stores.log, participation.place, request)); // D6
    if (participation !== null && isReplaced === true) {
      participation.haltCause = "lost";
      return report({
        type: "distrust",
        reason: `entry ${expectedLastSeq} differs from the entry that was read`,
      });
    }
    const startedMs = performance.now();
    const data = Buffer.from(entryText(request.entry));
    const sent = { request: request.request, seq: expectedLastSeq + 1, data };
    if (participation !== null) participation.sent = sent;
    const outcome: AppendOutcome =
      isReplaced === null
        ? { type: "unknown", why: new Error(`entry ${expectedLastSeq} cannot be read`) }
        : await tryAppend(this.#stores.log, this.#subjects.officeLog, request, data); // D2
    if (participation?.sent === sent) participation.sent = null;
    if (outcome.type !== "unknown") this.#unknownAppends.settle();
    if (outcome.type === "accepted") {
      meter.officeCommitSeconds.observe((performance.now() - startedMs) / 1_000);
      participation?.watch.note(outcome.seq);
      report({ type: "accepted", request: request.request, seq: outcome.seq });
      return;
    }
    if (outcome.type === "refused") {
      meter.fencedWrites.inc({ kind: "office" });
      log.info(
        { expectedLastSeq, lastSeq: outcome.lastSeq },
        "append rejected: the log ends at another sequence",
      );
      this.#noteRejected({ term: request.entry.term, expectedLastSeq, lastSeq: outcome.lastSeq });
      if (outcome.lastSeq < expectedLastSeq) await sleep(APPEND_PAUSE_MS, { clock: this.#clock });
      report({ type: "refused", request: request.request, lastSeq: outcome.lastSeq });
      return;
    }
    this.#unknownAppends.note(expectedLastSeq, outcome.why);
    await sleep(APPEND_PAUSE_MS, { clock: this.#clock });
    report({ type: "unknown", request: request.request });
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
    this.#participation?.snapshots.noteTenure(true);
    for (const listener of this.#tenureListeners) listener(this.#tenure);
  }

  #endTenure(): void {
    if (this.#tenure === null) return;
    this.#options.log.info({ term: this.#tenure.term }, "left the office");
    this.#tenure = null;
    this.#participation?.snapshots.noteTenure(false);
    for (const listener of this.#tenureListeners) listener(null);
  }

  /** Ends the participation of a halted member. The member stays, so that its status shows the halt (D5). */
  #noticeHalt(): void {
    const { log } = this.#options;
    const reason = haltedError(this.#running);
    if (this.#participation?.haltCause === "trimmed")
      log.warn({ reason }, "log trimmed beyond the entries read; starting again");
    else log.error({ alert: "coordinator_halted", reason, runbook: RUNBOOK }, "coordinator halted");
    this.#participation?.end();
  }
}
