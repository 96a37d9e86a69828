// Drives the pure member (consensus/) with time, the bus and the control log, and performs what it wants done. Owns
// timers, subscriptions and who waits for which answer; decides nothing itself.
//
// D1  Every effect of a step is performed before the next input is taken; inputs come one at a time.
// D2  An append is tried once for each request of the member; only the member repeats it.
// D3  Whoever waits is answered once: with the decision, with an error, or `unavailable` when the time is over. The
//     time being over decides nothing: a repeat with the same key gets the first decision.
// D4  Missed ticks are counted in one burst, after the messages that arrived meanwhile: a holder that was paused longer
//     than an election timeout steps down before it does anything else.
import { type Clock, createService, type Service, sleep, systemClock } from "../../base/index.ts";
import {
  type AppendRequest,
  createMember,
  type Genesis,
  haltedError,
  type Json,
  loadLog,
  type Member,
  type MemberInput,
  stepMember,
} from "../../consensus/index.ts";
import { type CoordinatorStatus, createSubjects, encode, SwarmError } from "../../protocol/index.ts";
import type { Stored, Subscription } from "../../transport/index.ts";
import { type OfficeCommand, type OfficeState, officeCommands } from "../state.ts";
import { ELECTION_TIMES } from "../time.ts";
import { openControlLog, RUNBOOK, readJson, tryAppend } from "./control-log.ts";
import { DOUBT_MS, LogWatch } from "./log-watch.ts";
import { checkMembers, type Office, type OfficeOptions, type OfficeTenure } from "./office.ts";
import { describeMember, findProblem, measureAge } from "./status.ts";
import { chooseSuccessor } from "./succession.ts";
import { Ticker } from "./ticker.ts";
import { toError, type Waiter, waitForAnswer } from "./waiting.ts";

/** The pause before an append whose fate is unknown is repeated, and before a refusal by a shorter log is believed. */
const APPEND_PAUSE_MS = 100;
/** Election messages are below 300 bytes. */
const MAX_MESSAGE_BYTES = 4_096;
/** The pause between two tries to open a log that is not there yet, or not as it should be. */
const OPEN_PAUSE_MS = 250;

/** Makes one coordinator's part in the office. @throws SwarmError `invalid_input` for a membership that cannot be. */
export function createOffice(options: OfficeOptions): Office {
  return new Driver(options);
}

class Driver implements Office {
  readonly service: Service;
  readonly #options: OfficeOptions;
  readonly #clock: Clock;
  readonly #subjects;
  readonly #controlLog;
  readonly #waiters = new Map<string, Waiter[]>();
  readonly #readers = new Map<string, Waiter>();
  readonly #tenureListeners: ((tenure: OfficeTenure | null) => void)[] = [];
  readonly #open: Subscription[] = [];
  readonly #opened = Promise.withResolvers<void>();
  // D4
  readonly #ticker = new Ticker({
    onTick: () => void this.#step({ type: "tick" }),
    onPause: (pausedMs) => this.#options.log.warn({ pausedMs }, "this process stood still"),
  });
  #genesis: Genesis = { logId: "", epoch: 0, seq: 0 };
  #member: Member<OfficeState, OfficeCommand> | null = null;
  #tenure: OfficeTenure | null = null;
  #tickets = 0;
  #refusedMessages = 0;
  #seenTerm = 0;
  #openProblem = "not read yet";
  #watch: LogWatch | null = null;
  #isStopped = false;

  constructor(options: OfficeOptions) {
    checkMembers(options);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#subjects = createSubjects(options.transport.prefix);
    this.#controlLog = options.transport.log("office");
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
    return measureAge(this.#running, this.#watch);
  }

  get #running(): Member<OfficeState, OfficeCommand> {
    if (this.#member === null)
      throw new SwarmError("unavailable", "this coordinator has not read the log yet");
    return this.#member;
  }

  status(): CoordinatorStatus {
    const { id, version } = this.#options;
    return describeMember(this.#running, {
      id,
      version,
      genesis: this.#genesis,
      refusedMessages: this.#refusedMessages,
    });
  }

  submit(key: string, command: OfficeCommand): Promise<Json> {
    return waitForAnswer(this.#clock, (waiter) => {
      const others = this.#waiters.get(key);
      // Under way already: one decision answers all.
      if (others !== undefined) others.push(waiter);
      else {
        this.#waiters.set(key, [waiter]);
        this.#step({ type: "command", key, command });
      }
      return () => {
        const rest = this.#waiters.get(key)?.filter((other) => other !== waiter) ?? [];
        if (rest.length > 0) this.#waiters.set(key, rest);
        else this.#waiters.delete(key);
      };
    });
  }

  async barrier(): Promise<void> {
    await waitForAnswer(this.#clock, (waiter) => {
      const ticket = String(++this.#tickets);
      this.#readers.set(ticket, waiter);
      this.#step({ type: "read", ticket });
      return () => this.#readers.delete(ticket);
    });
  }

  transfer(to?: string): string {
    const { id, members } = this.#options;
    const { election, office } = this.#running;
    if (!office.inOffice) throw toError("not_leader", election.leader);
    const target = chooseSuccessor(election, { id, members, to });
    this.#step({ type: "transfer", to: target });
    return target;
  }

  async handOver(timeoutMs: number): Promise<void> {
    if (this.#tenure === null) return;
    try {
      this.#options.log.info({ to: this.transfer() }, "handing the office over");
    } catch (error) {
      this.#options.log.info({ err: error }, "the office cannot be handed over");
      return;
    }
    await new Promise<void>((resolve) => {
      this.#clock.after(timeoutMs, resolve);
      this.onTenure((tenure) => {
        if (tenure === null) resolve();
      });
    });
  }

  onTenure(onTenure: (tenure: OfficeTenure | null) => void): void {
    this.#tenureListeners.push(onTenure);
  }

  findProblem(): string | null {
    if (this.#member === null) return `the control log is not open: ${this.#openProblem}`;
    return findProblem(this.#member, this.#watch!);
  }

  measure(): void {
    if (this.#member === null) return;
    const { meter } = this.#options;
    meter.officeLeader.set(this.#tenure === null ? 0 : 1);
    meter.officeTerm.set(this.#member.election.term);
    meter.officeLogLag.set(Math.max(0, this.#watch!.lastSeq - this.appliedSeq));
  }

  // Start and stop

  /** Opens the log, again and again until it can be opened or this coordinator is stopped. */
  async #start(): Promise<void> {
    const { log } = this.#options;
    let told = "";
    while (!this.#isStopped) {
      try {
        await this.#takePart(await openControlLog(this.#controlLog));
        this.#opened.resolve();
        return;
      } catch (error) {
        if (this.#isStopped) return;
        this.#openProblem = (error as Error).message;
        if (told !== this.#openProblem) log.warn({ err: error }, "waiting for the control log");
        told = this.#openProblem;
        await sleep(OPEN_PAUSE_MS, { clock: this.#clock });
      }
    }
  }

  async #takePart(genesis: Genesis): Promise<void> {
    const { transport, id, members, seed, log } = this.#options;
    this.#genesis = genesis;
    const member = createMember({
      config: {
        node: id,
        members,
        swarm: this.#genesis.logId,
        ...ELECTION_TIMES,
        preVote: true,
        checkQuorum: true,
      },
      seed,
      commandSet: officeCommands,
      genesis: this.#genesis,
      countsTicksOfAppends: true,
    });
    const startedMs = performance.now();
    let isLoading = true;
    const onStored = (stored: Stored) => {
      if (isLoading) loadLog(member, [readJson(stored)]);
      else this.#onStored(stored);
    };
    const tail = await this.#controlLog.tail({ afterSeq: this.#genesis.seq, onStored });
    if (this.#isStopped) return tail.close();
    this.#open.push(tail);
    this.#member = member;
    this.#watch = new LogWatch({
      log: this.#controlLog,
      genesis,
      appliedSeq: () => this.appliedSeq,
      clock: this.#clock,
      doubtMs: this.#options.doubtMs ?? DOUBT_MS,
      onLost: (reason) => {
        this.#watch?.stop();
        this.#step({ type: "distrust", reason });
      },
    });
    isLoading = false;
    this.#seenTerm = member.office.fold.term;
    const tookMs = Math.round(performance.now() - startedMs);
    log.info({ logId: this.#genesis.logId, appliedSeq: this.appliedSeq, tookMs }, "read the control log");
    if (haltedError(member) !== undefined) this.#noticeHalt();
    this.#watch.start();
    const { bus } = transport;
    this.#open.push(
      bus.subscribe(this.#subjects.filters.electionTo(id), (message) =>
        this.#onMessage(message.subject, message.data),
      ),
      bus.subscribe(this.#subjects.coordinators, (request) => request.respond(encode(this.status()))),
    );
    if (this.#isStopped) return;
    this.#ticker.start();
    if (members.length === 1) this.#step({ type: "campaign" }); // there is nobody to wait for
  }

  #stop(): void {
    this.#isStopped = true;
    this.#ticker.stop();
    this.#watch?.stop();
    for (const subscription of this.#open) subscription.close();
    for (const waiter of [...this.#waiters.values()].flat()) waiter.reject(toError("unknown", null));
    for (const waiter of [...this.#readers.values()]) waiter.reject(toError("not_leader", null));
    this.#endTenure();
  }

  // Inputs

  #onMessage(subject: string, data: Uint8Array): void {
    const from = subject.slice(subject.lastIndexOf(".") + 1);
    let message: unknown;
    try {
      message = data.length > MAX_MESSAGE_BYTES ? undefined : JSON.parse(new TextDecoder().decode(data));
    } catch {
      message = undefined;
    }
    const error = this.#step({ type: "receive", from, message });
    if (error === undefined || error.startsWith("halted")) return;
    this.#refusedMessages++;
    this.#options.log.debug({ from, error }, "refused an election message");
  }

  #onStored(stored: Stored): void {
    this.#watch?.note(stored.seq);
    if (stored.seq <= this.appliedSeq) return; // own entries are known by their acknowledgement
    this.#step({ type: "stored", seq: stored.seq, entry: readJson(stored) });
  }

  /** Takes one input and performs its effects (D1). Gives the error of a refused input. */
  #step(input: MemberInput<OfficeCommand>): string | undefined {
    if (this.#isStopped) return "stopped";
    const member = this.#running;
    const wasHalted = haltedError(member) !== undefined;
    const effects = stepMember(member, input);
    const { bus } = this.#options.transport;
    for (const { to, message } of effects.send) {
      bus.publish(this.#subjects.election(to, this.#options.id), encode(message));
    }
    for (const request of effects.appends) void this.#append(request);
    for (const answer of effects.answers) {
      const waiters = this.#waiters.get(answer.key) ?? [];
      for (const waiter of waiters) {
        if (answer.ok) waiter.resolve(answer.value);
        else waiter.reject(toError(answer.error, answer.leader ?? null));
      }
    }
    for (const { ticket, ok, error } of effects.reads) {
      const reader = this.#readers.get(ticket);
      if (ok) reader?.resolve(null);
      else reader?.reject(toError(error ?? "not_leader", member.election.leader));
    }
    if (!wasHalted && haltedError(member) !== undefined) this.#noticeHalt();
    this.#noticeTenure(); // last: its listeners may begin the next step
    return effects.error;
  }

  // Effects

  async #append(request: AppendRequest<OfficeCommand>): Promise<void> {
    const { log, meter } = this.#options;
    const startedMs = performance.now();
    const outcome = await tryAppend(this.#controlLog, this.#subjects.officeLog, request); // D2
    if (outcome.type === "accepted") {
      meter.officeCommitSeconds.observe((performance.now() - startedMs) / 1_000);
      this.#watch?.note(outcome.seq);
      this.#step({ type: "accepted", request: request.request, seq: outcome.seq });
      return;
    }
    if (outcome.type === "refused") {
      meter.fencedWrites.inc({ kind: "office" });
      log.info(
        { expectedLastSeq: request.expectedLastSeq, lastSeq: outcome.lastSeq },
        "an append was refused",
      );
      if (outcome.lastSeq < request.expectedLastSeq) await sleep(APPEND_PAUSE_MS, { clock: this.#clock });
      this.#step({ type: "refused", request: request.request, lastSeq: outcome.lastSeq });
      return;
    }
    log.warn(
      { err: outcome.why, expectedLastSeq: request.expectedLastSeq },
      "the fate of an append is unknown",
    );
    await sleep(APPEND_PAUSE_MS, { clock: this.#clock });
    this.#step({ type: "unknown", request: request.request });
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
    for (const listener of this.#tenureListeners) listener(this.#tenure);
  }

  #endTenure(): void {
    if (this.#tenure === null) return;
    this.#options.log.info({ term: this.#tenure.term }, "left the office");
    this.#tenure = null;
    for (const listener of this.#tenureListeners) listener(null);
  }

  #noticeHalt(): void {
    const reason = haltedError(this.#running);
    this.#options.log.error(
      { alert: "coordinator_halted", reason, runbook: RUNBOOK },
      "this coordinator halts",
    );
  }
}
