// The simulated world of workflows: real engines on the in-memory server, a real worker, a manual clock, and all chance from one seed. For a
// while everything breaks; then the world is calm, and every run must come to its end with all promises kept (checks.ts).
//
// S1  One seed gives one run, line by line; the digest of all lines shows it.
// S2  Faults are those of process.ts, and: engines are killed, paused, stopped and added; commands come at any time, also after the end; a host dies
//     between a cancel and its result.
import { createHash } from "node:crypto";
import {
  type Chance,
  type Clock,
  createMeter,
  integerBetween,
  type Logger,
  ManualClock,
  seededChance,
  silentLogger,
} from "../../../src/base/index.ts";
import { CommandStore } from "../../../src/engine/commands/command-store.ts";
import { createEngine, type Engine } from "../../../src/engine/index.ts";
import { LogStore } from "../../../src/engine/stores/log-store.ts";
import { createSubjects, TerminalError } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import { type Command, Decider, foldLog, stateOf } from "../../../src/workflow/index.ts";
import type { RunReport } from "../../support/sim/report.ts";
import { makePlacedConsumer } from "../../work/office.ts";
import { ScriptedWorkforce } from "../../work/support.ts";
import { definitionsOf } from "../support.ts";
import { checkWorld, type Seen } from "./checks.ts";
import { ENDLESS, MAIN, type Made, makeDefinitions, SIGNAL } from "./definitions.ts";
import type { Mutant } from "./mutants.ts";
import { type Parked, SimulatedProcess, type Stage } from "./process.ts";

/** The id of the run, and the prefix of the swarm. */
export const RUN = "run";
export const PREFIX = "murmur";
/** The turns with faults, and the most turns of the calm after them. */
const FAULTY_TURNS = 250;
const CALM_TURNS = 400;
/** The time of a calm turn, in ms: the longest sleep of a definition ends within some ten. */
const CALM_TURN_MS = 500;
/** The most engines at once. */
const MAX_ENGINES = 4;
/** How often a host dies when it hears of a cancel, and the most such deaths: each may cost a step one attempt. */
const HOST_DIES = 0.3;
const MAX_HOST_DEATHS = 2;
const START_MS = 1_700_000_000_000;
const TAIL_LINES = 40;
const WAITS_FOR_PERSON: ReadonlySet<string> = new Set(["paused", "blocked", "compensation_failed"]);

/** The faults of this world; each is counted when it really happens. */
export const FAULTS = [
  "request lost",
  "answer lost",
  "append refused",
  "ack lost",
  "nak lost",
  "working lost",
  "broadcast lost",
  "hosts unheard",
  "delivered twice",
  "engine killed",
  "engine paused",
  "engine stopped",
  "engine added",
  "host killed at a cancel",
  "time jumped",
  "signal sent",
  "pause sent",
  "resume sent",
  "cancel sent",
  "retry sent",
  "command sent after the end",
] as const;

/** Runs one seed. `onLine` gets every line. */
export async function runSeed(
  seed: number,
  mutant: Mutant | null = null,
  onLine?: (text: string) => void,
): Promise<RunReport> {
  const world = new World(seed, mutant, onLine);
  let failure: string | null;
  try {
    failure = await world.run();
  } catch (error) {
    failure = String((error as Error).stack);
  }
  await world.stop();
  return world.report(failure);
}

let onRefusal: (id: string, seq: number) => void = () => undefined;
const { decide } = Decider.prototype;
/** Notes each command that a decision refused; also when its engine died before it could tell. */
Decider.prototype.decide = function (input) {
  const decision = decide.call(this, input);
  for (const { trigger } of decision.refusals)
    if (trigger.type === "command") onRefusal(this.fold.id, trigger.seq);
  return decision;
};
function hearRefusals(hear: typeof onRefusal): void {
  onRefusal = hear;
}

interface Living {
  readonly process: SimulatedProcess;
  readonly engine: Engine;
  readonly connection: Transport;
}

interface Work {
  readonly capability: string;
  readonly key: string;
  finish(): void;
}

interface Host {
  readonly transport: Transport;
  isDead: boolean;
}

class World implements Stage {
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #mutant: Mutant | null;
  readonly #onLine: ((text: string) => void) | undefined;
  readonly #made: Made;
  readonly #clock = new ManualClock(START_MS);
  readonly #server: MemoryServer;
  readonly #raw: Transport;
  readonly #meter = createMeter();
  readonly #digest = createHash("sha256");
  readonly #tail: string[] = [];
  readonly #faults = new Map<string, number>();
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #seen: Seen = { effects: new Map(), sent: [], refused: new Set(), died: new Map(), early: null };
  #engines: Living[] = [];
  #number = 0;
  #host: Host | null = null;
  #hosts = 0;
  #parked: Parked[] = [];
  #works: Work[] = [];
  /** The steps that ended in this turn: their results may not be stored yet. */
  #ending: Work[] = [];
  #isCalm = false;
  #lines = 0;

  constructor(seed: number, mutant: Mutant | null, onLine: ((text: string) => void) | undefined) {
    this.#seed = seed;
    this.#chance = seededChance(seed);
    this.#mutant = mutant;
    this.#onLine = onLine;
    this.#made = makeDefinitions(seed);
    this.#server = new MemoryServer({ clock: this.#clock, chance: seededChance(seed + 1) });
    this.#raw = connectMemory({ prefix: PREFIX, server: this.#server });
  }

  // The stage of the processes

  flip(probability: number): boolean {
    return !this.#isCalm && this.#chance.next() < probability;
  }

  park(item: Parked): void {
    this.#parked.push(item);
  }

  count(fault: string): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
    this.trace(`! ${fault}`);
  }

  trace(text: string): void {
    const line = `${this.#clock.now() - START_MS} ${text}`;
    this.#lines++;
    this.#digest.update(`${line}\n`);
    this.#tail.push(line);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    this.#onLine?.(line);
  }

  // One run

  /** The broken promise; null when all were kept. */
  async run(): Promise<string | null> {
    hearRefusals((id, seq) => {
      if (id === RUN) this.#seen.refused.add(seq);
    });
    await this.#raw.init();
    await this.#startHost();
    const count = integerBetween(this.#chance, 2, MAX_ENGINES);
    for (let at = 0; at < count; at++) this.#addEngine();
    await this.#settle();
    await this.#send({ type: "start", name: MAIN, version: 1, input: null });
    for (let turn = 0; turn < FAULTY_TURNS && this.#seen.early === null; turn++) {
      await this.#turn();
      await this.#settle();
    }
    const ended = this.#seen.early !== null || (await this.#calmDown());
    const fault =
      this.#seen.early ?? (ended ? null : "the run did not end, or left messages behind, in a calm world");
    return fault ?? (await checkWorld({ raw: this.#raw, made: this.#made, seen: this.#seen }));
  }

  report(failure: string | null): RunReport {
    return {
      seed: this.#seed,
      failure,
      digest: this.#digest.digest("hex"),
      figures: { lines: this.#lines, commands: this.#seen.sent.length, effects: this.#seen.effects.size },
      faults: this.#faults,
      tail: failure === null ? [] : this.#tail,
    };
  }

  /** Stops everything that still runs, so that no timer is left. */
  async stop(): Promise<void> {
    this.#isCalm = true;
    const engines = this.#engines.filter(({ process }) => !process.isDead);
    for (const { process } of engines) process.resume();
    let isOver = false;
    const stops = [
      ...engines.map(
        ({ engine }) =>
          () =>
            engine.stop(),
      ),
      ...this.#stops,
    ];
    const stopping = Promise.allSettled(stops.map((stop) => stop())).then(() => {
      isOver = true;
    });
    for (let turn = 0; turn < CALM_TURNS && !isOver; turn++) {
      while (this.#parked.length > 0) this.#deliver();
      this.#finishWork();
      await this.#settle();
      this.#clock.advance(CALM_TURN_MS);
    }
    await stopping;
  }

  /** Lets everything happen that needs no further event. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.#ending = [];
  }

  async #turn(): Promise<void> {
    if (this.#host === null) await this.#startHost();
    const dice = this.#chance.next();
    if (dice < 0.02) await this.#command();
    else if (dice < 0.06) this.#breakEngine();
    else if (dice < 0.2) this.#finishWork();
    else if (dice < 0.35) this.#pass();
    else this.#deliver();
  }

  #pass(): void {
    const isJump = this.#chance.next() < 0.1;
    if (isJump) this.count("time jumped");
    this.#clock.advance(integerBetween(this.#chance, 0, isJump ? 3_000 : 200));
  }

  /** Delivers some of the messages that are on the way, in any order. */
  #deliver(): void {
    for (let left = integerBetween(this.#chance, 1, 4); left > 0 && this.#parked.length > 0; left--) {
      const [item] = this.#parked.splice(integerBetween(this.#chance, 0, this.#parked.length - 1), 1);
      this.trace(item?.name ?? "-");
      item?.run();
    }
  }

  async #calmDown(): Promise<boolean> {
    this.#isCalm = true;
    this.trace("calm");
    for (const { process } of this.#engines) process.resume();
    if (this.#engines.length === 0) this.#addEngine();
    if (this.#host === null) await this.#startHost();
    for (let turn = 0; turn < CALM_TURNS; turn++) {
      while (this.#parked.length > 0) this.#deliver();
      this.#finishWork();
      await this.#settle();
      if (turn % 20 === 0) await this.#resumeAll();
      this.#clock.advance(CALM_TURN_MS);
      await this.#settle();
      if (turn % 20 > 10 && (await this.#isQuiet())) return true;
    }
    return false;
  }

  /** An operator resumes what waits for a person: a paused run, and a run whose trigger came too often. */
  async #resumeAll(): Promise<void> {
    const subjects = createSubjects(PREFIX);
    const parts = { transport: this.#raw, subjects, clock: this.#clock, chance: this.#chance };
    const logs = new LogStore(parts);
    for (const subject of (await this.#raw.log("workflows").subjects(subjects.filters.workflows())).keys()) {
      const id = subjects.readWorkflow(subject) ?? "-";
      const read = foldLog(id, (await logs.read(id)).texts);
      if (!read.ok || !WAITS_FOR_PERSON.has(stateOf(read.fold))) continue;
      if (id === RUN) await this.#send({ type: "resume" });
      else await new CommandStore(parts).append(id, { command: { type: "resume" } });
    }
  }

  /** True when the run has its result, and no task and no command waits. */
  async #isQuiet(): Promise<boolean> {
    if (this.#parked.length > 0 || this.#works.length > 0) return false;
    const filter = createSubjects(PREFIX).filters.resultOfTask("workflow", RUN);
    if ((await this.#raw.log("results").last(filter)) === null) return false;
    const [tasks, flow] = await Promise.all([this.#raw.log("tasks").info(), this.#raw.log("flow").info()]);
    const lanes = await this.#raw.queue("results").consumers();
    const waiting = lanes.reduce((sum, { pending, ackPending }) => sum + pending + ackPending, 0);
    return tasks.messages + waiting === 0 && (flow.messages === 0 || (await this.#hasOnlyWakes()));
  }

  /** A wake-up that a run no longer needs comes later, and changes nothing. */
  async #hasOnlyWakes(): Promise<boolean> {
    for await (const { subject } of this.#raw.log("flow").read())
      if (!subject.startsWith(`${PREFIX}.wake.`)) return false;
    return true;
  }

  // Engines

  #addEngine(): void {
    const id = `engine-${++this.#number}`;
    const skewMs = integerBetween(this.#chance, -400, 400);
    const process = new SimulatedProcess(id, { stage: this, clock: this.#clock, skewMs });
    const connection = connectMemory({ prefix: PREFIX, server: this.#server });
    const wrapped = process.wrap(connection);
    const transport = this.#mutant?.bend({ transport: wrapped, raw: this.#raw, process }) ?? wrapped;
    const chance = seededChance(this.#seed * 100 + this.#number);
    const common = { transport, meter: this.#meter, log: this.#logger(), clock: process.clock, chance };
    const engine = createEngine({
      ...common,
      id,
      definitions: definitionsOf(...this.#made.definitions),
      tasks: createTaskClient(common),
    });
    this.#engines.push({ process, engine, connection });
    void engine.start().catch((error: unknown) => this.trace(`${id} did not start: ${String(error)}`));
  }

  #breakEngine(): void {
    const living = this.#engines[integerBetween(this.#chance, 0, this.#engines.length - 1)];
    const dice = this.#chance.next();
    if (living === undefined || (dice < 0.25 && this.#engines.length < MAX_ENGINES)) {
      this.count("engine added");
      this.#addEngine();
    } else if (dice < 0.5) {
      this.count("engine killed");
      this.#kill(living);
    } else if (dice < 0.6) {
      this.count("engine stopped");
      if (living.process.isPaused) living.process.resume();
      void living.engine.stop().catch(() => undefined);
      this.#engines = this.#engines.filter((other) => other !== living);
    } else if (living.process.isPaused) living.process.resume();
    else {
      this.count("engine paused");
      living.process.pause();
    }
  }

  /** W2 */
  #kill(living: Living): void {
    const { process, connection } = living;
    this.#engines = this.#engines.filter((other) => other !== living);
    const sent = this.#parked.filter(({ from }) => from === process);
    this.#parked = this.#parked.filter(({ from }) => from !== process);
    for (const item of sent) if (this.flip(0.5)) item.run();
    process.kill();
    void connection.close();
  }

  #logger(): Logger {
    const note = (_fields: unknown, message?: string) => this.trace(`log ${message ?? "-"}`);
    return { ...silentLogger, info: note, warn: note, error: note } as unknown as Logger;
  }

  // The host

  async #startHost(): Promise<void> {
    const hostId = `host-${++this.#hosts}`;
    const transport = connectMemory({ prefix: PREFIX, server: this.#server });
    const host: Host = { transport, isDead: false };
    this.#host = host;
    await makePlacedConsumer(this.#raw, hostId);
    const workforce = new ScriptedWorkforce(8, ({ task, key, signal }) => {
      if (host.isDead) return new Promise(() => undefined); // The delivery had reached the process that died.
      const { capability, scope } = task;
      this.trace(`host begins ${task.id} ${key}`);
      const known = this.#seen.effects.get(key);
      this.#seen.effects.set(key, { capability, tasks: [...(known?.tasks ?? []), task.id] });
      void this.#checkOrder(scope, task.id);
      return new Promise((resolve, reject) => {
        const work: Work = {
          capability,
          key,
          finish: () => (capability === "fails" ? reject(new TerminalError("no")) : resolve(task.id)),
        };
        this.#works.push(work);
        signal.addEventListener("abort", () => {
          if (host.isDead) return;
          if (this.#hosts <= MAX_HOST_DEATHS && this.flip(HOST_DIES)) {
            this.#killHost(host);
            return;
          }
          this.#works = this.#works.filter((other) => other !== work);
          reject(signal.reason as Error);
        });
      });
    });
    const clock: Clock = {
      now: () => this.#clock.now(),
      after: (delayMs, run) =>
        this.#clock.after(delayMs, () => {
          if (!host.isDead) run();
        }),
    };
    const common = { transport, meter: this.#meter, log: silentLogger, clock };
    const worker = createWorker({
      ...common,
      chance: seededChance(this.#seed + 2),
      hostId,
      workforce,
      capabilities: ["works", "fails", "undo", ENDLESS].map((name) => ({ name })),
    });
    await worker.start();
    this.#stops.push(async () => {
      host.isDead = false; // The timers of a dead host must end, too.
      await worker.stop().catch(() => undefined);
    });
  }

  /** The steps that the host had run once more: a step whose process died before its record is done again. */
  #killHost(host: Host): void {
    this.count("host killed at a cancel");
    host.isDead = true;
    this.#host = null;
    for (const { key } of [...this.#works.splice(0), ...this.#ending])
      this.#seen.died.set(key, (this.#seen.died.get(key) ?? 0) + 1);
    void host.transport.close();
  }

  /** A task begins only after the entry that orders it is stored. */
  async #checkOrder(runId: string, taskId: string): Promise<void> {
    const n = taskId.slice(runId.length + 1);
    const subject = createSubjects(PREFIX).workflow(runId);
    for await (const { data } of this.#raw.log("workflows").read({ filter: subject })) {
      if (new RegExp(`"n":${n}[,}]`).test(Buffer.from(data).toString())) return;
    }
    this.#seen.early ??= `task ${taskId} began before its order was stored`;
  }

  #finishWork(): void {
    const able = this.#works.filter(({ capability }) => capability !== ENDLESS);
    for (let left = this.#isCalm ? able.length : 1; left > 0 && able.length > 0; left--) {
      const [work] = able.splice(integerBetween(this.#chance, 0, able.length - 1), 1);
      this.#works = this.#works.filter((other) => other !== work);
      this.trace(`host ends ${work?.capability}`);
      if (work !== undefined) this.#ending.push(work);
      work?.finish();
    }
  }

  // Commands

  async #command(): Promise<void> {
    const dice = this.#chance.next();
    if (dice < 0.4) await this.#send({ type: "signal", name: SIGNAL, value: this.#seen.sent.length });
    else if (dice < 0.55) await this.#send({ type: "pause" });
    else if (dice < 0.8) await this.#send({ type: "resume" });
    else if (dice < 0.88) await this.#send({ type: "cancel" });
    else await this.#send({ type: "retry" });
  }

  async #send(command: Command): Promise<void> {
    const subjects = createSubjects(PREFIX);
    const filter = subjects.filters.resultOfTask("workflow", RUN);
    if (!this.#isCalm && (await this.#raw.log("results").last(filter)) !== null)
      this.count("command sent after the end");
    if (command.type !== "start") this.count(`${command.type} sent`);
    const store = new CommandStore({ transport: this.#raw, subjects, clock: this.#clock });
    const seq = await store.append(RUN, { command });
    this.#seen.sent.push({ seq, type: command.type });
  }
}
