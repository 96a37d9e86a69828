// One attempt, or one ask, inside an agent: the context that the author's code gets, and the ways to end it early. Leaves
// the slot and the lifecycle to agent.ts. The parts that most tasks never use (signal, log, deadline) are made on first use,
// because a context is made for every task.
// I1: after `end` the context does not change the agent; abandoned code cannot move the slot.
import type { Clock, Logger, Tracer } from "../../base/index.ts";
import { cutHead, inSpan, OUTPUT_TAIL_BYTES, sleep } from "../../base/index.ts";
import {
  type ExecRequest,
  type ExecResult,
  type HandedOff,
  type HandOffRequest,
  MAX_STEPS,
  type StepFacts,
  StepWait,
  SwarmError,
  showValue,
  stepName,
  type Task,
  type WaitingReason,
} from "../../protocol/index.ts";
import { codeOfThrown } from "../../work/index.ts";
import type {
  AgentContext,
  AgentLock,
  AgentShared,
  AskOptions,
  LockOptions,
  RecordOptions,
  StepOptions,
  StepWork,
} from "../define/context.ts";
import type { ExecLimits } from "../define/define.ts";
import type { SlotState } from "../lifecycle/slot-counts.ts";
import type { Exec } from "../ports/exec.ts";
import type { LockPort } from "../ports/lock.ts";
import type { SharedPort } from "../ports/shared.ts";
import type { VotePort } from "../ports/vote.ts";
import { type AskLink, askCapability, broadcast } from "../wire/ask.ts";
import { AttemptLocks } from "./locks.ts";
import { createShared } from "./shared.ts";

/** The services of a process that the run contexts of all its agents share. */
export interface RunPorts {
  readonly clock: Clock;
  readonly link: AskLink;
  readonly exec: Exec | undefined;
  readonly locks: LockPort | undefined;
  readonly votes: VotePort | undefined;
  readonly shared: SharedPort | undefined;
  readonly tracer: Tracer;
}

/** The part of the agent that a run context needs. */
export interface RunOwner {
  readonly id: string;
  readonly log: Logger;
  readonly ports: RunPorts;
  readonly execLimits: ExecLimits | undefined;
  /** Changes the state of the context's slot, and counts a turn of the work loop. */
  move(slot: { state: SlotState }, to: SlotState): void;
  /** Counts a turn of the work loop. */
  countTurn(): void;
}

/** The work of one slot: a task's attempt, or an ask. */
export interface RunWork {
  /** The task. A missing input is undefined. */
  readonly task: Task & { id: string };
  readonly number: number;
  /** See {@link AgentContext.key}. */
  readonly key: string;
  readonly deadlineMs: number;
  readonly handedOff?: HandedOff | undefined;
  /** Read on first use only, so that an implementation may create it lazily. */
  readonly signal: AbortSignal;
  progress(percent: number, note?: string): void;
  /** See {@link AgentContext.handOff}. */
  handOff(request: HandOffRequest): never;
  /** Performs and records a step; see {@link AgentContext.step}. */
  step(name: string, options: { once: boolean }, work: (step: StepFacts) => unknown): Promise<unknown>;
}

export class RunContext implements AgentContext {
  readonly agentId: string;
  readonly attempt: number;
  readonly #owner: RunOwner;
  readonly #slot: { state: SlotState };
  readonly #work: RunWork;
  #controller: AbortController | undefined;
  #unlink: (() => void) | undefined;
  #abortedBy: SwarmError | undefined;
  #reject: ((reason: SwarmError) => void) | undefined;
  #log: Logger | undefined;
  #steps: Set<string> | undefined;
  #locks: AttemptLocks | undefined;
  #shared: AgentShared | undefined;
  #code: Promise<unknown> | undefined;
  #failedCommand: (ExecResult & { program: string }) | undefined;
  #isProgressWarned = false;
  #waits = 0;
  #ended = false;

  constructor(owner: RunOwner, slot: { state: SlotState }, work: RunWork) {
    this.agentId = owner.id;
    this.attempt = work.number;
    this.#owner = owner;
    this.#slot = slot;
    this.#work = work;
  }

  get deadline(): Date {
    return new Date(this.#work.deadlineMs);
  }

  get key(): string {
    return this.#work.key;
  }

  get handedOff(): HandedOff | undefined {
    return this.#work.handedOff;
  }

  handOff(request: HandOffRequest = {}): never {
    return this.#work.handOff(request);
  }

  get log(): Logger {
    this.#log ??= this.#owner.log.child({ taskId: this.#work.task.id, attempt: this.attempt });
    return this.#log;
  }

  get signal(): AbortSignal {
    return (this.#controller ?? this.#makeController()).signal;
  }

  #makeController(): AbortController {
    const controller = new AbortController();
    this.#controller = controller;
    const outer = this.#work.signal;
    const onAbort = () => controller.abort(outer.reason);
    if (this.#abortedBy !== undefined) controller.abort(this.#abortedBy);
    else if (outer.aborted) onAbort();
    else if (!this.#ended) {
      outer.addEventListener("abort", onAbort, { once: true });
      this.#unlink = () => outer.removeEventListener("abort", onAbort);
    }
    return controller;
  }

  async step<T>(name: string, ...[options, work]: [StepWork<T>] | [StepOptions, StepWork<T>]): Promise<T> {
    return typeof options === "function"
      ? this.#step(name, {}, options)
      : this.#step(name, options, work as StepWork<T>);
  }

  async #step<T>(name: string, { key, once = false }: StepOptions, work: StepWork<T>): Promise<T> {
    this.signal.throwIfAborted();
    const whole = stepName(name, key);
    this.#steps ??= new Set();
    if (this.#steps.has(whole)) {
      throw stepError(
        `the step ${showValue(whole)} was used before in this attempt; give each step its own name, and in a loop its own key`,
      );
    }
    if (this.#steps.size >= MAX_STEPS)
      throw stepError(`an attempt has at most ${MAX_STEPS} steps; split the task`);
    this.#steps.add(whole);
    try {
      const spec = { name: `step ${name}`, kind: "internal", attributes: { "murmur.step": whole } } as const;
      const perform = () => this.#work.step(whole, { once }, work);
      return (await inSpan(this.#owner.ports.tracer, spec, perform, codeOfThrown)) as T;
    } catch (error) {
      // The attempt is over: no code of its author may catch this and go on.
      if (error instanceof StepWait || (error instanceof SwarmError && error.code === "stale_attempt")) {
        this.abort(error);
        return await new Promise<never>(() => undefined);
      }
      throw error;
    } finally {
      if (!this.#ended) this.#owner.countTurn();
    }
  }

  /** Performs `work` as the step of these options; without one, `work` is not recorded. */
  #inStep<T>(step: string | undefined, work: () => Promise<T>): Promise<T> {
    return step === undefined ? work() : this.#step(step, {}, work);
  }

  exec(command: ExecRequest, { step }: RecordOptions = {}): Promise<ExecResult> {
    return this.#inStep(step, () => this.#exec(command));
  }

  async #exec(command: ExecRequest): Promise<ExecResult> {
    const { execLimits, ports } = this.#owner;
    if (ports.exec === undefined || execLimits === undefined) {
      throw new SwarmError(
        "not_permitted",
        `agent ${this.agentId} may not run commands, because its definition has no "exec"; list the programs there`,
        { field: "exec" },
      );
    }
    const { exec, tracer } = ports;
    const run = () => exec(narrow(command, execLimits), { signal: this.signal });
    const ended = await this.waitFor("tool", inSpan(tracer, toolSpan(command), run, codeOfThrown));
    if (ended.exitCode !== 0) this.#failedCommand = { program: command.argv[0], ...ended };
    return ended;
  }

  async ask<Output = unknown>(
    capability: string,
    input: unknown,
    { step, ...options }: AskOptions & RecordOptions = {},
  ): Promise<Output> {
    const answer = await this.#inStep(step, () => {
      const asking = askCapability(this.#owner.ports.link, capability, input, {
        ...options,
        signal: this.signal,
      });
      return this.waitFor("agent", asking);
    });
    return answer as Output;
  }

  async lock(name: string, options: LockOptions = {}): Promise<AgentLock> {
    const port = this.#owner.ports.locks;
    if (port === undefined) {
      throw new SwarmError(
        "unavailable",
        `agent ${this.agentId} cannot take locks, because its process has no connection to a coordinator`,
      );
    }
    this.#locks ??= new AttemptLocks({
      port,
      agentId: this.agentId,
      signal: this.signal,
      onLost: (reason) => this.abort(reason),
    });
    return this.waitFor("lock", this.#locks.acquire(name, options));
  }

  get shared(): AgentShared {
    this.#shared ??= createShared({
      port: this.#owner.ports.shared,
      agentId: this.agentId,
      task: this.#work.task,
      wait: (promise) => this.waitFor("queue", promise),
    });
    return this.#shared;
  }

  broadcast(topic: string, value: unknown): void {
    broadcast(this.#owner.ports.link, topic, value);
  }

  progress(percent: number, note?: string): void {
    if (this.#ended) return;
    if (!(percent >= 0 && percent <= 100) && !this.#isProgressWarned) {
      this.#isProgressWarned = true;
      this.log.warn({ percent: String(percent) }, "progress is outside 0–100; the nearest value is reported");
    }
    this.#work.progress(percent, note);
    this.#owner.countTurn();
  }

  async sleep(delayMs: number, { step }: RecordOptions = {}): Promise<void> {
    const { clock } = this.#owner.ports;
    if (step === undefined) return this.#sleep(delayMs);
    // The end of the sleep is recorded when it begins, so a later attempt only sleeps for the rest.
    const untilMs = await this.#step(step, {}, () => clock.now() + delayMs);
    if (untilMs > clock.now()) await this.#sleep(untilMs - clock.now());
  }

  #sleep(delayMs: number): Promise<void> {
    return this.waitFor("timer", sleep(delayMs, { signal: this.signal, clock: this.#owner.ports.clock }));
  }

  async waitFor<T>(reason: WaitingReason, promise: Promise<T>): Promise<T> {
    // When several waits overlap, the first one sets the reason.
    if (this.#waits++ === 0) this.#move(reason);
    try {
      return await rejectOnAbort(promise, this.signal);
    } finally {
      if (--this.#waits === 0) this.#move("working");
    }
  }

  #move(to: SlotState): void {
    if (!this.#ended) this.#owner.move(this.#slot, to);
  }

  /** Settles like `promise`, the author's code, or rejects with the reason of {@link abort}, whichever is first. */
  untilAborted(promise: Promise<unknown>): Promise<unknown> {
    this.#code = promise;
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      promise.then(resolve, reject);
    });
  }

  /** Ends the work from outside: aborts its signal and fails it, even when its code does not stop. */
  abort(reason: SwarmError): void {
    this.#abortedBy = reason;
    this.#controller?.abort(reason);
    this.#reject?.(reason);
  }

  /** The reason of the abort, from outside or from the work's own signal; undefined without an abort. */
  get abortReason(): unknown {
    return this.#abortedBy ?? (this.#controller?.signal.aborted ? this.#controller.signal.reason : undefined);
  }

  /**
   * The end of the stderr of the last command whose exit code was not 0, for the trace of a failed attempt; undefined when no
   * command failed.
   */
  outputTail(): string | undefined {
    if (this.#failedCommand === undefined) return undefined;
    const { program, exitCode, stdout, stderr } = this.#failedCommand;
    const tail = cutHead(stderr.trim() === "" ? stdout : stderr, OUTPUT_TAIL_BYTES).trimEnd();
    return `${program} ended with exit code ${exitCode}\n${tail}`;
  }

  /** Ends the context (I1): the author's code has returned or thrown, or it is abandoned. */
  end(): void {
    this.#ended = true;
    this.#unlink?.();
    const locks = this.#locks;
    if (locks === undefined) return;
    locks.end(true);
    const releaseAll = () => locks.end(false);
    this.#code?.then(releaseAll, releaseAll);
  }
}

/** The span of a command: its program is the tool, and its arguments are left out, because they may quote a payload. */
function toolSpan({ argv: [program] }: ExecRequest) {
  const name = program.slice(program.lastIndexOf("/") + 1);
  const attributes = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name };
  return { name: `execute_tool ${name}`, kind: "internal", attributes } as const;
}

function stepError(message: string): SwarmError {
  return new SwarmError("internal", message, { field: "step", retryable: false });
}

/** Settles like the promise, or rejects with the signal's reason if it aborts first; a later rejection is ignored. */
function rejectOnAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Checks the program and lowers the limits to those of the agent's definition. @throws SwarmError `not_permitted`. */
function narrow(command: ExecRequest, limits: ExecLimits): ExecRequest {
  const program = command.argv[0];
  if (!limits.allow.includes(program)) {
    throw new SwarmError(
      "not_permitted",
      `the program ${showValue(program)} is not allowed for this agent; allowed by exec.allow of its definition: ${limits.allow.join(", ")}`,
      { field: "argv.0" },
    );
  }
  return {
    ...command,
    timeoutMs: lower(command.timeoutMs, limits.timeoutMs),
    maxOutputBytes: lower(command.maxOutputBytes, limits.maxOutputBytes),
    maxMemoryBytes: lower(command.maxMemoryBytes, limits.maxMemoryBytes),
  };
}

function lower(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
