// The world of a workflow test: the logs, the engine, the queue of tasks and the time, in memory. It does what an engine does, in the
// same order (append, effects, ack), and can lose the engine between any two of them.
import { type Chance, seededChance } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { Decider, MAX_TRIGGERS } from "../decide/decider.ts";
import { type Effect, MAX_ID_LENGTH } from "../decide/effects.ts";
import type { Command, Refusal, Trigger } from "../decide/triggers.ts";
import { plainJson } from "../decide/values.ts";
import { checkInput, type WorkflowDefinition } from "../define/define.ts";
import type { Author, Outcome } from "../log/facts.ts";
import { type Fold, stateOf } from "../log/fold.ts";
import { summaryOf, waitingOf } from "../log/summary.ts";
import { type AgentFunction, attemptTask } from "./agents.ts";
import { readLog } from "./read-log.ts";
import { TestShared } from "./shared.ts";
import type {
  Kill,
  StartOptions,
  TestCall,
  TestEnd,
  TestRun,
  WorkflowTest,
  WorkflowTestOptions,
} from "./types.ts";

/** The start of time in tests: 2026-01-01. */
const START_MS = Date.UTC(2026, 0, 1);
/** The most events of one wait. A workflow that polls for ever would otherwise hang its test. */
const MAX_EVENTS = 1_000_000;

/** A published task. */
interface TestTask {
  readonly runId: string;
  readonly n: number;
  readonly effect: Extract<Effect, { type: "task" }>;
  attempt: number;
  /** The time of the next attempt, or of the end of the running one. */
  atMs: number;
  /** The end of the running attempt. */
  outcome: Outcome | null;
  hasStarted: boolean;
}

/** The stored parts of a run, and the decider as a cache. */
interface Stored {
  readonly id: string;
  texts: string[];
  decider: Decider | null;
  definition: WorkflowDefinition | null;
  inbox: Trigger[];
  seq: number;
  wakes: { readonly n: number; readonly atMs: number }[];
  end: TestEnd | null;
  readonly refusals: Refusal[];
  readonly shared: TestShared;
}

/**
 * Makes a test for one or several definitions: children need theirs, and a name may have several versions.
 * @throws RangeError when there is none.
 */
export function createWorkflowTest(
  definitions: WorkflowDefinition | readonly WorkflowDefinition[],
  options: WorkflowTestOptions = {},
): WorkflowTest {
  return new World(definitions, options);
}

class World implements WorkflowTest {
  #definitions: readonly WorkflowDefinition[] = [];
  readonly #agents: Readonly<Record<string, AgentFunction>>;
  readonly #chance: Chance;
  readonly #kills: Kill[];
  readonly #stored = new Map<string, Stored>();
  readonly #tasks = new Map<string, TestTask>();
  readonly #ended = new Map<string, Outcome>();
  readonly #calls: TestCall[] = [];
  #nowMs: number;

  constructor(definitions: WorkflowDefinition | readonly WorkflowDefinition[], options: WorkflowTestOptions) {
    this.#definitions = listOf(definitions);
    if (this.#definitions.length === 0)
      throw new RangeError("a workflow test expects at least one definition");
    this.#agents = options.agents ?? {};
    this.#chance = seededChance(options.seed ?? 1);
    this.#kills = [...(options.kills ?? [])];
    this.#nowMs = options.startMs ?? START_MS;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get runs(): readonly string[] {
    return [...this.#stored.keys()];
  }

  start(input: unknown, options: StartOptions & { workflow?: string } = {}): TestRun {
    const id = options.id ?? `run-${this.#stored.size + 1}`;
    if (id.length > MAX_ID_LENGTH) {
      throw new SwarmError(
        "invalid_input",
        `the id of a workflow has at most ${MAX_ID_LENGTH} characters, got ${id.length}`,
        { field: "id" },
      );
    }
    const definition = this.#find(
      options.workflow ?? (this.#definitions[0] as WorkflowDefinition).name,
      options.version,
    );
    if (definition === undefined)
      throw new SwarmError("not_found", `the test has no workflow ${options.workflow}`);
    checkInput(definition, input);
    if (this.#stored.has(id))
      throw new SwarmError("conflict", `the id ${id} is used already`, { field: "id" });
    const { labels, deadlineMs, signals } = options;
    this.#begin(id, definition, {
      type: "start",
      name: definition.name,
      version: definition.version,
      input: plainJson(input ?? null, "input"),
      ...(labels === undefined ? {} : { labels }),
      ...(signals === undefined ? {} : { signals }),
      ...(deadlineMs === undefined ? {} : { deadlineMs: this.#nowMs + deadlineMs }),
    });
    return this.run(id);
  }

  run(id: string): TestRun {
    const stored = this.#stored.get(id);
    if (stored === undefined)
      throw new RangeError(`the test has no run ${id}; runs: ${this.runs.join(", ")}`);
    const send = (command: Command, by?: string | Author) => this.#send(stored, command, by);
    const world = this;
    return {
      id,
      get state() {
        return stateOf(world.#foldOf(stored));
      },
      get summary() {
        return summaryOf(world.#foldOf(stored));
      },
      get fold() {
        return world.#foldOf(stored);
      },
      get log() {
        return stored.texts;
      },
      shared: stored.shared,
      get calls() {
        return world.#calls.filter(({ run }) => run === id);
      },
      result: () => this.#result(stored),
      async untilWaiting() {
        await world.#pump(() => stored.end !== null || world.#waitsForTest(stored));
        return waitingOf(world.#foldOf(stored));
      },
      signal: (name, value = null) => send({ type: "signal", name, value }),
      approve: (path, by, note) =>
        send({ type: "approve", path, ...(note === undefined ? {} : { note }) }, by),
      reject: (path, by, note) => send({ type: "reject", path, ...(note === undefined ? {} : { note }) }, by),
      pause: () => send({ type: "pause" }),
      resume: (options = {}) => send({ type: "resume", ...options }),
      cancel: (options = {}) => send({ type: "cancel", ...options }),
      retry: (options = {}) => send({ type: "retry", ...options }),
    };
  }

  async deploy(definitions: WorkflowDefinition | readonly WorkflowDefinition[]): Promise<void> {
    this.#definitions = listOf(definitions);
    for (const stored of this.#stored.values()) {
      const { begun } = this.#foldOf(stored);
      stored.decider = null;
      stored.definition =
        begun === null ? stored.definition : (this.#find(begun.name, begun.version) ?? null);
      if (stored.end === null) await this.#decide(stored);
    }
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (let at = await this.#settle(); at !== null && at <= untilMs; at = await this.#settle())
      this.#nowMs = at;
    this.#nowMs = untilMs;
    await this.#settle();
  }

  #begin(id: string, definition: WorkflowDefinition | null, command: Command): void {
    this.#stored.set(id, {
      id,
      texts: [],
      decider: null,
      definition,
      inbox: [{ type: "command", seq: 1, command }],
      seq: 1,
      wakes: [],
      end: null,
      refusals: [],
      shared: new TestShared(),
    });
  }

  #find(name: string, version?: number): WorkflowDefinition | undefined {
    return this.#definitions
      .filter(
        (definition) => definition.name === name && (version === undefined || definition.version === version),
      )
      .sort((one, other) => other.version - one.version)[0];
  }

  async #send(stored: Stored, command: Command, by?: string | Author): Promise<Refusal | null> {
    const author = typeof by === "string" ? { user: by, proven: true } : by;
    const seq = ++stored.seq;
    stored.inbox.push({ type: "command", seq, command, ...(author === undefined ? {} : { by: author }) });
    while (stored.inbox.length > 0) await this.#decide(stored);
    return stored.refusals.find(({ trigger }) => trigger.type === "command" && trigger.seq === seq) ?? null;
  }

  async #result(stored: Stored): Promise<TestEnd> {
    await this.#pump(() => stored.end !== null);
    if (stored.end !== null) return stored.end;
    const fold = this.#foldOf(stored);
    const { reason, path } = waitingOf(fold) ?? {};
    const detail =
      fold.blocked?.message ?? `it waits for ${reason ?? "nothing"}${path === undefined ? "" : ` (${path})`}`;
    throw new Error(`workflow ${stored.id} does not end by itself (${stateOf(fold)}): ${detail}`);
  }

  /** Lets things happen until `isDone`, or until nothing more can happen. The time jumps to the next event. */
  async #pump(isDone: () => boolean): Promise<void> {
    for (let events = 0; events < MAX_EVENTS; events++) {
      const nextMs = await this.#settle();
      if (isDone() || nextMs === null) return;
      this.#nowMs = Math.max(this.#nowMs, nextMs);
    }
    throw new Error(
      `the test has seen ${MAX_EVENTS} events; a workflow that never ends needs continueAs and a bound in the test`,
    );
  }

  #waitsForTest(stored: Stored): boolean {
    const reason = waitingOf(this.#foldOf(stored))?.reason;
    return reason === "human" || reason === "signal";
  }

  /** Does everything that can be done now. Returns the time of the next event; null when there is none. */
  async #settle(): Promise<number | null> {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const stored of [...this.#stored.values()]) {
        this.#ringWakes(stored);
        if (stored.inbox.length === 0) continue;
        isBusy = true;
        await this.#decide(stored);
      }
      if (isBusy) continue;
      for (const task of [...this.#tasks.values()]) {
        if (task.atMs > this.#nowMs) continue;
        isBusy = true;
        await this.#work(task);
      }
    }
    let next = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#tasks.values()) next = Math.min(next, atMs);
    for (const { wakes } of this.#stored.values()) for (const { atMs } of wakes) next = Math.min(next, atMs);
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  #ringWakes(stored: Stored): void {
    const due = stored.wakes.filter(({ atMs }) => atMs <= this.#nowMs);
    if (due.length === 0) return;
    stored.wakes = stored.wakes.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { n } of due)
      stored.inbox.push({ type: "command", seq: ++stored.seq, command: { type: "wake", n } });
  }

  /** One decision of the engine, with the kills of the test. */
  async #decide(stored: Stored): Promise<void> {
    const triggers = new Set(stored.inbox.slice(0, MAX_TRIGGERS));
    const decider = this.#deciderOf(stored);
    const decision = decider.decide({ triggers: [...triggers], nowMs: this.#nowMs });
    const number = decision.entry?.entry ?? 0;
    if (this.#isKilled(stored, number, "decide")) return;
    if (decision.isRollup) stored.texts = [];
    if (decision.entry !== null) stored.texts.push(decision.text);
    if (this.#isKilled(stored, number, "append")) return;
    const half = Math.ceil(decision.effects.length / 2);
    for (const effect of decision.effects.slice(0, half)) this.#perform(stored, effect);
    if (this.#isKilled(stored, number, "effects")) return;
    for (const effect of decision.effects.slice(half)) this.#perform(stored, effect);
    if (this.#isKilled(stored, number, "ack")) return;
    stored.refusals.push(...decision.refusals);
    stored.inbox = stored.inbox.filter((trigger) => !triggers.has(trigger));
  }

  #isKilled(stored: Stored, entry: number, after: Kill["after"]): boolean {
    const at = this.#kills.findIndex(
      (kill) => kill.entry === entry && kill.after === after && (kill.run ?? stored.id) === stored.id,
    );
    if (at < 0) return false;
    this.#kills.splice(at, 1);
    stored.decider = null;
    return true;
  }

  #deciderOf(stored: Stored): Decider {
    stored.decider ??= new Decider(readLog(stored), stored.definition);
    return stored.decider;
  }

  #foldOf(stored: Stored): Fold {
    return this.#deciderOf(stored).fold;
  }

  #perform(stored: Stored, effect: Effect): void {
    switch (effect.type) {
      case "task":
        this.#publish(stored, effect);
        return;
      case "cancel":
        this.#cancelTask(effect.taskId);
        return;
      case "child":
        if (!this.#stored.has(effect.id)) this.#startChild(effect);
        return;
      case "cancel-child": {
        const child = this.#stored.get(effect.id);
        if (child !== undefined && child.end === null) {
          child.inbox.push({ type: "command", seq: ++child.seq, command: { type: "cancel" } });
        }
        return;
      }
      case "shared":
        stored.inbox.push({ type: "result", n: effect.n, outcome: stored.shared.perform(effect) });
        return;
      case "wake":
        if (!stored.wakes.some(({ n }) => n === effect.n))
          stored.wakes.push({ n: effect.n, atMs: effect.atMs });
        return;
      case "end":
        this.#end(stored, effect);
        return;
      case "reopen":
        stored.end = null;
        return;
      default:
        effect satisfies never;
    }
  }

  #publish(stored: Stored, effect: Extract<Effect, { type: "task" }>): void {
    const { id } = effect.task;
    const n = Number(id.slice(id.lastIndexOf("-") + 1));
    const known = this.#ended.get(id);
    if (known !== undefined) this.#deliver(stored.id, n, known);
    if (known !== undefined || this.#tasks.has(id)) return;
    this.#tasks.set(id, {
      runId: stored.id,
      n,
      effect,
      attempt: 0,
      atMs: this.#nowMs,
      outcome: null,
      hasStarted: false,
    });
  }

  /** Ends a task that waits or runs: the host's code has ended when its result is stored. */
  #cancelTask(taskId: string): void {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return;
    const error = { code: "cancelled", message: "the step was cancelled", retryable: false } as const;
    this.#endTask(task, { status: "cancelled", error, ...(task.hasStarted ? {} : { neverStarted: true }) });
  }

  #startChild({ id, workflow, version, input, parent, depth }: Extract<Effect, { type: "child" }>): void {
    const definition = this.#find(workflow, version);
    this.#begin(id, definition ?? null, {
      type: "start",
      name: workflow,
      version: definition?.version ?? version ?? 1,
      input,
      parent,
      depth,
    });
  }

  #end(stored: Stored, { type: _type, ...end }: Extract<Effect, { type: "end" }>): void {
    stored.end ??= end;
    const { parent } = this.#foldOf(stored).begun ?? {};
    if (parent === undefined) return;
    const error = end.error ?? {
      code: "internal",
      message: `the child ended ${end.state}`,
      retryable: false,
    };
    const outcome: Outcome =
      end.state === "completed"
        ? { status: "completed", ...(end.output === undefined ? {} : { output: end.output }) }
        : { status: end.state === "cancelled" ? "cancelled" : "failed", error };
    this.#deliver(parent.id, parent.n, outcome);
  }

  /** Starts the next attempt of a task, or ends the running one. */
  async #work(task: TestTask): Promise<void> {
    if (task.outcome !== null) {
      this.#endTask(task, task.outcome);
      return;
    }
    const { effect } = task;
    const { capability, input, id } = effect.task;
    const attempt = ++task.attempt;
    task.hasStarted = true;
    this.#calls.push({
      run: task.runId,
      taskId: id,
      path: effect.path,
      capability,
      input,
      key: effect.key,
      attempt,
      atMs: this.#nowMs,
    });
    const { shared } = this.#stored.get(task.runId)!;
    const call = { taskId: id, key: effect.key, attempt, nowMs: this.#nowMs, shared };
    const end = await attemptTask(this.#agents[capability], effect.task, call, this.#chance);
    task.atMs = this.#nowMs + end.afterMs;
    if (end.outcome !== null && end.afterMs === 0) this.#endTask(task, end.outcome);
    else task.outcome = end.outcome;
  }

  #endTask(task: TestTask, outcome: Outcome): void {
    this.#tasks.delete(task.effect.task.id);
    this.#ended.set(task.effect.task.id, outcome);
    this.#deliver(task.runId, task.n, outcome);
  }

  #deliver(runId: string, n: number, outcome: Outcome): void {
    this.#stored.get(runId)?.inbox.push({ type: "result", n, outcome });
  }
}

function listOf(
  definitions: WorkflowDefinition | readonly WorkflowDefinition[],
): readonly WorkflowDefinition[] {
  return Array.isArray(definitions) ? definitions : [definitions as WorkflowDefinition];
}
