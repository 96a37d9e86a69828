// A simulated world of one task with steps: a journal that is fenced as the server's, hosts with wrong beliefs, lost calls, crashes
// between any two effects, and a person. The recorder, its decider, the fold and the task in flight are the real ones; this file
// plays the delivery of the task, and one chance, from the seed, decides everything.
import {
  createMeter,
  integerBetween,
  ManualClock,
  seededChance,
  silentLogger,
} from "../../../src/base/index.ts";
import {
  createSubjects,
  encode,
  type JournalRecord,
  RetryableError,
  type StepFacts,
  StepWait,
  SwarmError,
  toSwarmError,
} from "../../../src/protocol/index.ts";
import { waitingSteps } from "../../../src/work/attempt/human-wait.ts";
import { InFlightTask } from "../../../src/work/attempt/in-flight.ts";
import { StepsFold } from "../../../src/work/steps/fold.ts";
import { StepRecorder } from "../../../src/work/steps/recorder.ts";
import { type Journal, type JournalTip, NO_RECORDS, nextAttempt } from "../../../src/work/stores/journal.ts";
import { Oracle, Violation } from "./oracle.ts";
import { drawProgram, type Phase } from "./program.ts";

/** The deviations of a world with a deliberate bug. */
export interface Bends {
  /** Appends expect nothing. */
  readonly isUnfenced?: boolean;
  readonly recorder?: typeof StepRecorder;
  /** The records as an attempt reads them. */
  readonly records?: (records: readonly JournalRecord[]) => JournalRecord[];
  readonly waitingSteps?: typeof waitingSteps;
  readonly effectKey?: (key: string, attempt: number) => string;
  /** An attempt whose steps cannot be closed stores its result all the same. */
  readonly ignoresClose?: boolean;
}

/** The counts of a run: they show that the faults came. */
export type Counts = Record<
  | "appends"
  | "refused"
  | "unknownStored"
  | "unknownNotStored"
  | "late"
  | "crashes"
  | "twoHosts"
  | "stale"
  | "lost"
  | "waits"
  | "notDone"
  | "blobs"
  | "replays"
  | "oldReads",
  number
>;

export function noCounts(): Counts {
  return {
    appends: 0,
    refused: 0,
    unknownStored: 0,
    unknownNotStored: 0,
    late: 0,
    crashes: 0,
    twoHosts: 0,
    stale: 0,
    lost: 0,
    waits: 0,
    notDone: 0,
    blobs: 0,
    replays: 0,
    oldReads: 0,
  };
}

/** A call on its way to the server, or its answer on the way back. */
interface Call {
  readonly host: SimHost;
  /** False for the outside world, whose calls are only lost by a crash. */
  readonly mayBeLost: boolean;
  serve(): void;
  answer(): void;
  lose(): void;
  isServed: boolean;
  /** True when no client waits for the answer. */
  isOrphan: boolean;
}

interface SimHost {
  isAlive: boolean;
  /** The share of its calls that are lost. */
  loss: number;
  recorder: StepRecorder | undefined;
}

/** Faults come in the first turns; then the task must end. */
const FAULTY_TURNS = 300;
const MAX_TURNS = 8_000;
const MAX_DELIVERIES = 14;
/** Longer than the longest pause between two tries. */
const TURN_MS = 6_000;
const TASK = { capability: "echo", priority: "normal", scope: "-", taskId: "t1" } as const;
const subjects = createSubjects("murmur");
const meter = createMeter();

/** Lets everything happen that waits for no call. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Runs the world of a seed to the end of its task. @throws Violation */
export async function runWorld(seed: number, counts: Counts, bends: Bends = {}): Promise<void> {
  await new World(seed, counts, bends).run();
}

class World {
  readonly #clock = new ManualClock(1_700_000_000_000);
  readonly #chance;
  readonly #counts: Counts;
  readonly #bends: Bends;
  readonly #program: Phase[];
  readonly #oracle: Oracle;
  readonly #records: { seq: number; record: JournalRecord }[] = [];
  readonly #hosts: SimHost[] = [];
  readonly #blobs = new Map<string, Uint8Array>();
  /** The effects of the steps on the outside world. */
  readonly #effects = new Set<string>();
  #calls: Call[] = [];
  #seq: number;
  #deliveries = 0;
  #hasResult = false;
  #violation: Violation | undefined;
  /** Reads see only this many records: a leader that was cut off answers. */
  #oldView: number | undefined;
  #areFaultsOn = true;
  /** True after so many deliveries that no more faults come. */
  #isCalm = false;

  constructor(seed: number, counts: Counts, bends: Bends) {
    this.#chance = seededChance(seed);
    this.#counts = counts;
    this.#bends = bends;
    this.#program = drawProgram(this.#chance);
    this.#oracle = new Oracle(this.#program);
    this.#seq = integerBetween(this.#chance, 0, 50);
    // An earlier task had the same id.
    if (this.#isBy(0.2)) {
      const at = new Date(this.#clock.now() - 60_000).toISOString();
      this.#records.push({ seq: ++this.#seq, record: { type: "finished", attempt: 1, at } });
    }
  }

  async run(): Promise<void> {
    for (let turn = 0; ; turn++) {
      await settle();
      if (this.#violation !== undefined) throw this.#violation;
      this.#clock.advance(TURN_MS);
      this.#areFaultsOn = turn < FAULTY_TURNS && !this.#isCalm;
      const living = this.#hosts.filter(({ isAlive }) => isAlive);
      if (this.#hasResult && living.length === 0) return;
      if (turn > MAX_TURNS) throw new Violation("the task does not end");
      if (this.#areFaultsOn) this.#makeTrouble(living);
      else this.#oldView = undefined;
      if (living.length === 0 && !this.#hasResult) this.#goOn();
      else this.#handleCall();
    }
  }

  #isBy(probability: number): boolean {
    return this.#chance.next() < probability;
  }

  /** A crash, a wrong belief, a bad line, or a leader that was cut off. */
  #makeTrouble(living: readonly SimHost[]): void {
    const [host] = living;
    if (host !== undefined && this.#isBy(0.015)) this.#crash(living.at(-1) ?? host);
    else if (living.length === 1 && !this.#hasResult && this.#isBy(0.02)) {
      if (this.#isWaiting() === undefined && this.#deliver()) this.#counts.twoHosts++;
    } else if (host !== undefined && this.#isBy(0.01)) host.loss = 0.95;
    else if (this.#isBy(0.01))
      this.#oldView =
        this.#oldView === undefined ? integerBetween(this.#chance, 0, this.#records.length) : undefined;
  }

  #crash(host: SimHost): void {
    host.isAlive = false;
    this.#counts.crashes++;
    this.#calls = this.#calls.filter((call) => call.host !== host || (!call.isServed && this.#isBy(0.5)));
    for (const call of this.#calls) if (call.host === host) call.isOrphan = true;
  }

  /** The task is on no host: a person settles its step, or it is delivered again. */
  #goOn(): void {
    const open = this.#isWaiting();
    if (open === undefined) {
      if (!this.#deliver()) this.#isCalm = true;
      return;
    }
    const [step = ""] = open;
    const isDone = this.#oracle.runs(step) > 0 && this.#effects.has(step);
    if (!isDone) this.#counts.notDone++;
    const facts = { attempt: 1, agent: "-", at: this.#now(), step, by: "ada", isDone };
    this.#store({ type: "settled", ...facts, ...(isDone ? { output: `${step} told` } : {}) });
  }

  /** The steps that wait for a person. */
  #isWaiting(): readonly string[] | undefined {
    const tip = this.#records.at(-1)?.record;
    if (tip?.type === "waiting") return tip.steps;
    if (tip?.type !== "settled") return undefined;
    const fold = new StepsFold({ keepsOutputs: false });
    for (const { record } of this.#records) fold.add(record);
    return fold.open.length === 0 ? undefined : fold.open;
  }

  #handleCall(): void {
    const call = this.#calls[integerBetween(this.#chance, 0, this.#calls.length - 1)];
    if (call === undefined) return;
    const done = () => {
      this.#calls = this.#calls.filter((other) => other !== call);
    };
    const isLost = call.mayBeLost && !call.isOrphan && this.#areFaultsOn && this.#isBy(call.host.loss);
    if (isLost) {
      call.lose();
      call.isOrphan = true;
      if (call.isServed || this.#isBy(0.5)) done();
      return;
    }
    if (!call.isServed) {
      call.serve();
      call.isServed = true;
      if (call.isOrphan) done();
      else if (this.#isBy(0.5)) return;
    }
    if (call.isOrphan) return;
    call.answer();
    done();
  }

  /** A call of a host. `perform` runs at the server, once, at some moment; or never. */
  #call<T>(
    host: SimHost,
    perform: () => T,
    { mayBeLost = true, onLost = () => {}, onLate = () => {} } = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let outcome: { value: T } | { error: unknown } | undefined;
      const call: Call = {
        host,
        mayBeLost,
        isServed: false,
        isOrphan: false,
        serve: () => {
          if (call.isOrphan) onLate();
          try {
            outcome = { value: perform() };
          } catch (error) {
            outcome = { error };
            if (error instanceof Violation) this.#violation ??= error;
          }
        },
        answer: () => {
          if (!host.isAlive || outcome === undefined) return;
          if ("value" in outcome) resolve(outcome.value);
          else reject(outcome.error);
        },
        lose: () => {
          onLost();
          if (host.isAlive) reject(new SwarmError("unavailable", "no answer"));
        },
      };
      this.#calls.push(call);
    });
  }

  /** Delivers the task to one more host. False when it was delivered often enough. */
  #deliver(): boolean {
    if (this.#areFaultsOn && this.#deliveries >= MAX_DELIVERIES) return false;
    const count = ++this.#deliveries;
    const host: SimHost = { isAlive: true, loss: 0.08, recorder: undefined };
    this.#hosts.push(host);
    this.#see(host, count).then(
      () => this.#leave(host),
      (error: unknown) => {
        this.#leave(host);
        const { code } = toSwarmError(error);
        // These leave the delivery to be redelivered.
        if (["conflict", "unavailable", "stale_attempt"].includes(code)) return;
        this.#violation ??=
          error instanceof Violation ? error : new Violation(`a host failed: ${String(error)}`);
      },
    );
    return true;
  }

  #leave(host: SimHost): void {
    host.isAlive = false;
    if (host.recorder?.isStale === true) this.#counts.stale++;
  }

  /** One delivery, as delivery.ts sees it through. */
  async #see(host: SimHost, deliveryCount: number): Promise<void> {
    const inFlight = this.#makeInFlight(host, deliveryCount);
    if (deliveryCount > 1) {
      if (this.#hasResult) return;
      await inFlight.readJournal();
    }
    const waiting = (this.#bends.waitingSteps ?? waitingSteps)(inFlight);
    const { number, died } = nextAttempt(inFlight.tip.record);
    const facts = { attempt: number, agent: "a", at: this.#now() };
    if (waiting !== null) return this.#wait(inFlight, facts, waiting);
    if (died) {
      const error = { code: "internal", message: "died", retryable: true } as const;
      return inFlight.record({ type: "failed", ...facts, attempt: number - 1, retryAt: this.#now(), error });
    }
    if (deliveryCount > 1) await inFlight.record({ type: "started", ...facts });
    const startSeq = deliveryCount > 1 ? inFlight.tipSeq : 0;
    const recorder = this.#makeRecorder(host, inFlight, number);
    host.recorder = recorder;
    const outputs = new Map<string, { output: unknown } | { message: string }>();
    const failure = await this.#runProgram({ host, recorder, number, startSeq, outputs }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure instanceof Violation) throw failure;
    const closing = recorder.close().catch((error: unknown) => {
      if (toSwarmError(error).code === "unavailable") this.#counts.lost++;
      throw error;
    });
    await (this.#bends.ignoresClose === true ? closing.catch(() => undefined) : closing);
    if (failure === undefined || this.#bends.ignoresClose === true) {
      return this.#call(host, () => {
        this.#oracle.finished(outputs, recorder.isStale);
        this.#hasResult = true;
      });
    }
    if (failure instanceof StepWait) return this.#wait(inFlight, facts, [failure.step]);
    const error = toSwarmError(failure);
    const { code, message, retryable } = error;
    const reopened = recorder.reopenedBy(error);
    await inFlight.record({
      type: "failed",
      ...facts,
      retryAt: this.#now(),
      error: { code, message, retryable },
      reopened,
    });
  }

  async #wait(
    inFlight: InFlightTask,
    facts: { attempt: number; agent: string; at: string },
    steps: readonly string[],
  ) {
    this.#counts.waits++;
    if (inFlight.tip.record?.type === "waiting") return;
    await inFlight.record({ type: "waiting", ...facts, steps: [...steps] });
  }

  #makeInFlight(host: SimHost, deliveryCount: number): InFlightTask {
    const delivery = {
      subject: subjects.task(TASK),
      data: encode({}),
      seq: 1,
      deliveryCount,
      pending: 0,
      storedAtMs: this.#clock.now() - 1_000,
      header: () => undefined,
      ack: () => undefined,
      nak: () => undefined,
      working: () => undefined,
    };
    const parts = { journal: this.#journalOf(host), log: silentLogger };
    return new InFlightTask({ delivery, at: TASK, placement: undefined }, parts);
  }

  #makeRecorder(host: SimHost, inFlight: InFlightTask, number: number): StepRecorder {
    const Recorder = this.#bends.recorder ?? StepRecorder;
    return new Recorder({
      ledger: inFlight,
      attempt: { number, agentId: "a", key: this.#bends.effectKey?.("t1", number) ?? "t1" },
      encoding: "json",
      blobs: {
        put: (data) =>
          this.#call(
            host,
            () => {
              const $blob = String(Buffer.from(data.subarray(0, 40)));
              this.#blobs.set($blob, data);
              this.#counts.blobs++;
              return { $blob, bytes: data.length };
            },
            { mayBeLost: false },
          ),
        get: ({ $blob }) =>
          this.#call(host, () => this.#blobs.get($blob) ?? new Uint8Array(), { mayBeLost: false }),
      },
      meter,
      clock: this.#clock,
      chance: this.#chance,
      wireError: ({ code, message, retryable }) => ({ code, message, retryable }),
      isAborted: () => host.recorder?.isStale === true,
      onStale: () => undefined,
    });
  }

  async #runProgram(attempt: ProgramRun): Promise<void> {
    for (const { kind, names, fails, size } of this.#program) {
      if (kind === "stop") {
        if (attempt.number <= fails) throw new RetryableError("a failure between two steps");
        continue;
      }
      const once = kind === "once" || kind === "flaky once";
      const mayFail =
        kind === "flaky" || kind === "flaky once" ? fails : kind === "caught" ? Number.POSITIVE_INFINITY : 0;
      const steps = names.map((name) => this.#perform(attempt, name, { once, fails: mayFail, size }));
      const failing = Promise.all(steps);
      await (kind === "caught"
        ? failing.catch((error) => this.#catch(attempt, names[0] ?? "", error))
        : failing);
    }
  }

  /** The code of the agent catches the error of a step, but not the end of its attempt. */
  #catch({ outputs }: ProgramRun, name: string, error: unknown): void {
    const { message } = toSwarmError(error);
    if (message !== failureOf(name)) throw error;
    this.#check(() => this.#oracle.returned(name, { message }));
    outputs.set(name, { message });
  }

  async #perform(
    attempt: ProgramRun,
    name: string,
    step: { once: boolean; fails: number; size: number },
  ): Promise<void> {
    const { host, recorder, outputs } = attempt;
    let hasRun = false;
    const work = async (facts: StepFacts) => {
      hasRun = true;
      this.#check(() => this.#oracle.ran(name, facts.effectKey, attempt.startSeq));
      if (this.#oracle.runs(name) <= step.fails) throw new RetryableError(failureOf(name));
      await this.#call(host, () => this.#effects.add(name), { mayBeLost: false });
      return `${name} run ${this.#oracle.runs(name)} ${"x".repeat(step.size)}`;
    };
    const output = await recorder.perform(name, { once: step.once }, work);
    if (!host.isAlive) return;
    if (!hasRun) this.#counts.replays++;
    this.#check(() => this.#oracle.returned(name, { output }));
    outputs.set(name, { output });
  }

  #check(invariants: () => void): void {
    try {
      invariants();
    } catch (error) {
      if (error instanceof Violation) this.#violation ??= error;
      throw error;
    }
  }

  #journalOf(host: SimHost): Journal {
    const unused = () => Promise.reject(new Violation("a simulated host does not close journals"));
    return {
      tip: () => this.#call(host, () => this.#tip()),
      append: (_capability, _taskId, record, tip) => this.#append(host, record, tip),
      records: () => this.#call(host, () => this.#read()),
      history: unused,
      close: unused,
    };
  }

  #append(host: SimHost, record: JournalRecord, tip: JournalTip): Promise<JournalTip> {
    let isStored = false;
    const perform = () => {
      const lastSeq = this.#records.at(-1)?.seq ?? 0;
      if (lastSeq !== tip.seq && this.#bends.isUnfenced !== true) {
        this.#counts.refused++;
        throw new SwarmError("conflict", `expected ${tip.seq}, the tip is ${lastSeq}`);
      }
      isStored = true;
      this.#counts.appends++;
      return { record, seq: this.#store(record), handed: null };
    };
    const onLost = () => this.#counts[isStored ? "unknownStored" : "unknownNotStored"]++;
    return this.#call(host, perform, { onLost, onLate: () => this.#counts.late++ });
  }

  #store(record: JournalRecord): number {
    const seq = ++this.#seq;
    this.#records.push({ seq, record });
    this.#check(() => this.#oracle.stored(record, seq));
    return seq;
  }

  #view() {
    if (this.#oldView === undefined) return this.#records;
    if (this.#oldView < this.#records.length) this.#counts.oldReads++;
    return this.#records.slice(0, this.#oldView);
  }

  #tip(): JournalTip {
    const last = this.#view().at(-1);
    return last === undefined ? NO_RECORDS : { ...last, handed: null };
  }

  #read() {
    const { records: bend } = this.#bends;
    const view = this.#view();
    if (bend === undefined) return view;
    const seq = view.at(-1)?.seq ?? 0;
    return bend(view.map(({ record }) => record)).map((record) => ({ record, seq }));
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

/** An attempt that runs the program. */
interface ProgramRun {
  readonly host: SimHost;
  readonly recorder: StepRecorder;
  readonly number: number;
  readonly startSeq: number;
  readonly outputs: Map<string, { output: unknown } | { message: string }>;
}

function failureOf(name: string): string {
  return `${name} fails`;
}
