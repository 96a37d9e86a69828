// The world of one workflow under faults: several engines with caches that may be stale, a log with compare-and-set, refused
// appends, triggers that come twice and out of order, and engines that die between append, effects and acks.
// One seed is one run of a random definition; the same seed repeats it exactly. The driver's rules that the real engine must follow
// are in `Engine`; a mutant breaks one of them.
import { type Chance, integerBetween, seededChance } from "../../../src/base/index.ts";
import {
  all,
  type Command,
  Decider,
  type Decision,
  defineWorkflow,
  type Effect,
  emptyFold,
  type Flow,
  foldLog,
  map,
  type Outcome,
  race,
  sleep,
  stateOf,
  step,
  type Trigger,
  type WorkflowDefinition,
} from "../../../src/workflow/index.ts";

/** A broken rule of the driver or of a host. */
export type Mutant =
  | "acks before effects"
  | "effects before append"
  | "commands as delivered"
  | "believes a stale fold"
  | "undoes only completed steps";

const ID = "r";
/** The most turns of the faulty phase, and of the calm one after it: there everything must come to its end. */
const FAULTY_TURNS = 400;
const CALM_TURNS = 20_000;

interface Task {
  readonly n: number;
  readonly key: string;
  readonly capability: string;
}

/** A random definition: the same for the same seed. */
function makeDefinition(seed: number): WorkflowDefinition {
  let names = 0;
  const chance = seededChance(seed);
  type Part = () => Flow<unknown>;
  const leaf = (): Part => {
    const name = `s${++names}`;
    if (chance.next() < 0.15) {
      const ms = integerBetween(chance, 1, 50);
      return () => sleep(name, ms);
    }
    const options = chance.next() < 0.6 ? { undo: { call: "undo" } } : {};
    const call = chance.next() < 0.06 ? "fails" : "works";
    return () => step(name, call, names, options);
  };
  const part = (depth: number): Part => {
    const dice = chance.next();
    if (depth === 0 || dice < 0.4) return leaf();
    const parts = Array.from({ length: integerBetween(chance, 1, 3) }, () => part(depth - 1));
    if (dice < 0.6) return () => all(parts.map((make) => make()));
    if (dice < 0.7)
      return () =>
        all(
          parts.map((make) => make()),
          { settle: "all" },
        );
    if (dice < 0.8) return () => race(parts.map((make) => make()));
    if (dice < 0.9) {
      const name = `m${++names}`;
      return () =>
        map(name, [1, 2, 3, 4], { concurrency: 2 }, (item) =>
          step("do", "works", item, { undo: { call: "undo" } }),
        );
    }
    return function* () {
      for (const make of parts) yield* make();
    };
  };
  const parts = Array.from({ length: 4 }, () => part(2));
  return defineWorkflow({
    name: "w",
    version: 1,
    *run() {
      for (const make of parts) yield* make();
    },
  });
}

/** Runs one seed. Returns the broken promise, or null. */
export function runSeed(seed: number, mutant: Mutant | null = null): string | null {
  const world = new World(seed, mutant);
  return world.run();
}

class World {
  readonly #chance: Chance;
  readonly #mutant: Mutant | null;
  readonly #definition: WorkflowDefinition;
  readonly #engines: (Decider | null)[];
  readonly #texts: string[] = [];
  readonly #commands: { seq: number; command: Command }[] = [];
  #pending: Trigger[] = [];
  readonly #tasks = new Map<number, Task>();
  readonly #ended = new Map<number, Outcome>();
  /** The effects of agents by key. */
  readonly #ledger = new Map<string, number>();
  #wakes: { n: number; atMs: number }[] = [];
  #end: string | null = null;
  readonly #refused = new Set<number>();
  #nowMs = 0;
  #fault: string | null = null;
  #isCalm = false;

  constructor(seed: number, mutant: Mutant | null) {
    this.#chance = seededChance(seed);
    this.#mutant = mutant;
    this.#definition = makeDefinition(seed);
    this.#engines = Array.from({ length: integerBetween(this.#chance, 2, 4) }, () => null);
  }

  run(): string | null {
    this.#send({ type: "start", name: "w", version: 1, input: null });
    for (let turn = 0; turn < FAULTY_TURNS && this.#fault === null; turn++) this.#turn();
    this.#isCalm = true;
    this.#send({ type: "resume" });
    for (let turn = 0; turn < CALM_TURNS && this.#fault === null && !this.#isQuiet; turn++) this.#turn();
    return this.#fault ?? this.#check();
  }

  get #isQuiet(): boolean {
    return this.#pending.length === 0 && this.#tasks.size === 0 && this.#wakes.length === 0;
  }

  #flip(probability: number): boolean {
    return !this.#isCalm && this.#chance.next() < probability;
  }

  #send(command: Command): void {
    const seq = this.#commands.length + 1;
    this.#commands.push({ seq, command });
    this.#pending.push({ type: "command", seq, command });
  }

  #turn(): void {
    if (this.#flip(0.01)) this.#send({ type: "pause" });
    if (this.#flip(0.02)) this.#send({ type: "resume" });
    if (this.#flip(0.002)) this.#send({ type: "cancel" });
    const dice = this.#chance.next();
    if (dice < 0.3) this.#perform();
    else if (dice < 0.45) this.#pass();
    else this.#deliver();
  }

  /** A host performs a task. */
  #perform(): void {
    const tasks = [...this.#tasks.values()];
    const task = tasks[integerBetween(this.#chance, 0, tasks.length - 1)];
    if (task === undefined) return;
    this.#ledger.set(task.key, (this.#ledger.get(task.key) ?? 0) + 1);
    const error = { code: "tool_failed", message: "no", retryable: false } as const;
    const failed: Outcome =
      this.#mutant === "undoes only completed steps"
        ? { status: "cancelled", error, neverStarted: true }
        : { status: "failed", error };
    this.#finish(task.n, task.capability === "fails" ? failed : { status: "completed", output: task.n });
  }

  #finish(n: number, outcome: Outcome): void {
    this.#tasks.delete(n);
    if (this.#ended.has(n)) return;
    this.#ended.set(n, outcome);
    this.#pending.push({ type: "result", n, outcome });
  }

  #pass(): void {
    this.#nowMs += integerBetween(this.#chance, 0, 20);
    const due = this.#wakes.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#wakes = this.#wakes.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { n } of due) this.#send({ type: "wake", n });
  }

  /** Some of the pending triggers come to an engine; they stay pending until it acks them. */
  #deliver(): void {
    if (this.#pending.length === 0) return;
    const picked = this.#pending.filter(() => this.#chance.next() < 0.5);
    if (this.#flip(0.5)) picked.reverse();
    const at = integerBetween(this.#chance, 0, this.#engines.length - 1);
    if (picked.length > 0) this.#decide(at, picked);
  }

  /** The rules of an engine: decide, append, effects, acks. */
  #decide(at: number, picked: Trigger[]): void {
    const decider = this.#engines[at] ?? this.#load();
    this.#engines[at] = decider;
    const triggers =
      this.#mutant === "commands as delivered" ? picked : this.#withStoredCommands(picked, decider);
    const expected = decider.fold.entries;
    // Clocks of engines differ.
    const decision = decider.decide({ triggers, nowMs: this.#nowMs - (this.#flip(0.2) ? 5 : 0) });
    if (this.#mutant === "effects before append") this.#effects(decision);
    if (this.#mutant === "acks before effects") this.#ack(picked);
    if (!this.#append(at, expected, decision)) return;
    for (const { trigger } of decision.refusals)
      if (trigger.type === "command") this.#refused.add(trigger.seq);
    if (this.#flip(0.1) || !this.#effects(decision) || this.#flip(0.1)) this.#die(at);
    else this.#ack(picked);
  }

  #die(at: number): void {
    this.#engines[at] = null;
  }

  /** All stored commands that the fold has not taken, up to the newest in `picked`: commands apply in the order of the stream. */
  #withStoredCommands(picked: Trigger[], decider: Decider): Trigger[] {
    const last = Math.max(0, ...picked.map((trigger) => (trigger.type === "command" ? trigger.seq : 0)));
    const { lastCommand } = decider.fold;
    const earlier = this.#commands
      .filter(({ seq }) => seq <= last && seq > lastCommand && !this.#refused.has(seq))
      .map(({ seq, command }): Trigger => ({ type: "command", seq, command }));
    const known = new Set(earlier.map((trigger) => (trigger.type === "command" ? trigger.seq : 0)));
    return [...earlier, ...picked.filter((trigger) => trigger.type !== "command" || !known.has(trigger.seq))];
  }

  /** True when the decision may have its effects: its entry is stored, or it has none and its fold is at the tip. */
  #append(at: number, expected: number, decision: Decision): boolean {
    if (decision.entry === null) {
      const isCurrent = expected === this.#texts.length || this.#mutant === "believes a stale fold";
      if (!isCurrent) this.#die(at);
      return isCurrent;
    }
    if (expected !== this.#texts.length || this.#flip(0.03)) {
      this.#die(at); // Refused: drop the fold, read, decide again.
      return false;
    }
    this.#texts.push(decision.text);
    return true;
  }

  #load(): Decider {
    const read = foldLog(ID, this.#texts);
    if (!read.ok) throw new Error(`broken log at ${read.entry}: ${read.fault}`);
    return new Decider(this.#texts.length === 0 ? emptyFold(ID) : read.fold, this.#definition);
  }

  /** False when the engine died within. */
  #effects(decision: Decision): boolean {
    for (const effect of decision.effects) {
      if (this.#flip(0.03)) return false;
      this.#effect(effect);
    }
    return true;
  }

  #effect(effect: Effect): void {
    if (effect.type === "wake") this.#wakes.push(effect);
    else if (effect.type === "end") this.#end ??= effect.state;
    else if (effect.type === "task") this.#publish(effect);
    else if (effect.type === "cancel") {
      const n = Number(effect.taskId.slice(ID.length + 1));
      const error = { code: "cancelled", message: "cancelled", retryable: false } as const;
      if (this.#tasks.has(n)) this.#finish(n, { status: "cancelled", error, neverStarted: true });
    }
  }

  #publish({ task, key }: Extract<Effect, { type: "task" }>): void {
    const n = Number(task.id.slice(ID.length + 1));
    const isStored = this.#texts.some((text) => text.includes(`"n":${n},`) || text.includes(`"n":${n}}`));
    if (!isStored) this.#fault ??= `task ${n} was published before its order was stored`;
    const known = this.#ended.get(n);
    if (known !== undefined) this.#pending.push({ type: "result", n, outcome: known });
    else this.#tasks.set(n, { n, key, capability: task.capability });
  }

  #ack(picked: readonly Trigger[]): void {
    // A trigger that came twice stays once.
    const kept = this.#flip(0.1) ? picked.slice(0, 1) : [];
    this.#pending = this.#pending.filter((trigger) => !picked.includes(trigger) || kept.includes(trigger));
  }

  #check(): string | null {
    const decider = this.#load();
    const { fold } = decider;
    const state = stateOf(fold);
    if (this.#end === null) return `the run did not end: ${state}`;
    if (state !== this.#end) return `the stored end is ${this.#end}, the log says ${state}`;
    if (decider.decide({ triggers: [], nowMs: this.#nowMs }).entry !== null) return "a replay decides again";
    for (const { seq, command } of this.#commands) {
      const isKept = command.type === "wake" || fold.commandEntries.has(seq) || this.#refused.has(seq);
      if (!isKept) return `command ${seq} (${command.type}) was lost`;
    }
    for (const [key, count] of this.#ledger) if (count > 1) return `${key} had its effect ${count} times`;
    const isUndone = state === "compensated" || state === "cancelled";
    for (const [path, op] of fold.ops) {
      if (op.kind !== "step" || op.undo === undefined) continue;
      const hadEffect = this.#ledger.has(`${ID}/${path}`);
      const wasUndone = this.#ledger.has(`${ID}/${path}~undo`);
      if (wasUndone && !isUndone) return `${path} was undone in a run that ${state}`;
      const failed = state === "failed" || isUndone;
      if (failed && hadEffect && !wasUndone) return `${path} had an effect that was not undone (${state})`;
    }
    return null;
  }
}
