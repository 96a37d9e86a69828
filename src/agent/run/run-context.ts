// One attempt inside an agent: the context that the author's code sees, and the ways in which it ends early.
// Made for every task, so that what most tasks never touch (signal, log, deadline) is made on first use.
// I1: after `end` the context does nothing more to the agent; code that was left behind cannot move its slot.
import type { Clock, Logger } from "../../base/index.ts";
import { sleep } from "../../base/index.ts";
import {
  type ExecRequest,
  type ExecResult,
  type HandedOff,
  type HandOffRequest,
  SwarmError,
  showValue,
  type Task,
  type WaitingReason,
} from "../../protocol/index.ts";
import type { AgentContext, AgentLock, AskOptions, LockOptions } from "../define/context.ts";
import type { ExecLimits } from "../define/define.ts";
import type { SlotPlace } from "../lifecycle/slot-counts.ts";
import type { Exec } from "../ports/exec.ts";
import type { LockPort } from "../ports/lock.ts";
import type { VotePort } from "../ports/vote.ts";
import { type AskLink, askCapability, broadcast } from "../wire/ask.ts";
import { AttemptLocks } from "./locks.ts";

/** The most named steps of one attempt; bounds what a runaway loop can pile up. */
export const MAX_STEPS = 10_000;

/** What a process offers to the runs of all its agents. */
export interface RunPorts {
  readonly clock: Clock;
  readonly link: AskLink;
  readonly exec: Exec | undefined;
  readonly locks: LockPort | undefined;
  readonly votes: VotePort | undefined;
}

/** What a run needs of its agent. */
export interface RunOwner {
  readonly id: string;
  readonly log: Logger;
  readonly ports: RunPorts;
  readonly execLimits: ExecLimits | undefined;
  /** Moves the run's slot, and counts a turn of the work loop. */
  move(slot: { place: SlotPlace }, to: SlotPlace): void;
  /** Counts a turn of the work loop. */
  turn(): void;
}

/** What is performed: a task's attempt, or an ask. */
export interface RunWork {
  /** An absent input reads as undefined. */
  readonly task: Task & { id: string };
  readonly number: number;
  readonly deadlineMs: number;
  readonly handedOff?: HandedOff | undefined;
  /** Read on first use only: whoever gives it may make it then. */
  readonly signal: AbortSignal;
  progress(percent: number, note?: string): void;
  /** See {@link AgentContext.handOff}. */
  handOff(request: HandOffRequest): never;
}

export class RunContext implements AgentContext {
  readonly agentId: string;
  readonly attempt: number;
  readonly #owner: RunOwner;
  readonly #slot: { place: SlotPlace };
  readonly #work: RunWork;
  #controller: AbortController | undefined;
  #unlink: (() => void) | undefined;
  #brokenBy: SwarmError | undefined;
  #reject: ((reason: SwarmError) => void) | undefined;
  #log: Logger | undefined;
  #steps: Set<string> | undefined;
  #locks: AttemptLocks | undefined;
  #code: Promise<unknown> | undefined;
  #waits = 0;
  #ended = false;

  constructor(owner: RunOwner, slot: { place: SlotPlace }, work: RunWork) {
    this.agentId = owner.id;
    this.attempt = work.number;
    this.#owner = owner;
    this.#slot = slot;
    this.#work = work;
  }

  get deadline(): Date {
    return new Date(this.#work.deadlineMs);
  }

  get handedOff(): HandedOff | undefined {
    return this.#work.handedOff;
  }

  handOff(request: HandOffRequest = {}): never {
    return this.#work.handOff(request);
  }

  get log(): Logger {
    this.#log ??= this.#owner.log.child({ taskId: this.#work.task.id });
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
    if (this.#brokenBy !== undefined) controller.abort(this.#brokenBy);
    else if (outer.aborted) onAbort();
    else if (!this.#ended) {
      outer.addEventListener("abort", onAbort, { once: true });
      this.#unlink = () => outer.removeEventListener("abort", onAbort);
    }
    return controller;
  }

  async step<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    this.signal.throwIfAborted();
    this.#steps ??= new Set();
    if (this.#steps.has(name)) {
      throw stepError(
        `the step ${showValue(name)} was done before in this attempt; give each step its own name`,
      );
    }
    if (this.#steps.size >= MAX_STEPS)
      throw stepError(`an attempt has at most ${MAX_STEPS} steps; split the task`);
    this.#steps.add(name);
    const value = await work();
    this.#owner.turn();
    return value;
  }

  async exec(command: ExecRequest): Promise<ExecResult> {
    const { execLimits, ports } = this.#owner;
    if (ports.exec === undefined || execLimits === undefined) {
      throw new SwarmError(
        "not_permitted",
        `agent ${this.agentId} may not run commands: its definition has no "exec"`,
        { field: "exec" },
      );
    }
    return this.waitFor("tool", ports.exec(narrow(command, execLimits), { signal: this.signal }));
  }

  async ask<Output = unknown>(capability: string, input: unknown, options: AskOptions = {}): Promise<Output> {
    const answer = askCapability(this.#owner.ports.link, capability, input, {
      ...options,
      signal: this.signal,
    });
    return (await this.waitFor("agent", answer)) as Output;
  }

  async lock(name: string, options: LockOptions = {}): Promise<AgentLock> {
    const port = this.#owner.ports.locks;
    if (port === undefined) {
      throw new SwarmError(
        "unavailable",
        `agent ${this.agentId} cannot take locks: its process reaches no coordinator`,
      );
    }
    this.#locks ??= new AttemptLocks({
      port,
      agentId: this.agentId,
      signal: this.signal,
      onLost: (reason) => this.breakOff(reason),
    });
    return this.waitFor("lock", this.#locks.acquire(name, options));
  }

  broadcast(topic: string, value: unknown): void {
    broadcast(this.#owner.ports.link, topic, value);
  }

  progress(percent: number, note?: string): void {
    if (this.#ended) return;
    this.#work.progress(percent, note);
    this.#owner.turn();
  }

  sleep(delayMs: number): Promise<void> {
    return this.waitFor("timer", sleep(delayMs, { signal: this.signal, clock: this.#owner.ports.clock }));
  }

  async waitFor<T>(reason: WaitingReason, promise: Promise<T>): Promise<T> {
    // Of several waits at once the first names the reason.
    if (this.#waits++ === 0) this.#move(reason);
    try {
      return await orAborted(promise, this.signal);
    } finally {
      if (--this.#waits === 0) this.#move("working");
    }
  }

  #move(to: SlotPlace): void {
    if (!this.#ended) this.#owner.move(this.#slot, to);
  }

  /** The outcome of the author's code, or the reason why the agent was broken off, whichever is first. */
  orBroken(promise: Promise<unknown>): Promise<unknown> {
    this.#code = promise;
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      promise.then(resolve, reject);
    });
  }

  /** Ends the run from outside: aborts its signal and fails it, whatever its code does. */
  breakOff(reason: SwarmError): void {
    this.#brokenBy = reason;
    this.#controller?.abort(reason);
    this.#reject?.(reason);
  }

  /** Why the run was broken off or aborted, if it was. */
  get abortReason(): unknown {
    return this.#brokenBy ?? (this.#controller?.signal.aborted ? this.#controller.signal.reason : undefined);
  }

  /** The author's code has returned, thrown or been left behind (I1). */
  end(): void {
    this.#ended = true;
    this.#unlink?.();
    const locks = this.#locks;
    if (locks === undefined) return;
    locks.end(true);
    const giveBack = () => locks.end(false);
    this.#code?.then(giveBack, giveBack);
  }
}

function stepError(message: string): SwarmError {
  return new SwarmError("internal", message, { field: "step", retryable: false });
}

/** The promise, or the signal's reason when it aborts first. What the promise rejects with after that is dropped. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** A command within what the agent's definition allows. @throws SwarmError `not_permitted`. */
function narrow(command: ExecRequest, limits: ExecLimits): ExecRequest {
  const program = command.argv[0];
  if (!limits.allow.includes(program)) {
    throw new SwarmError(
      "not_permitted",
      `${showValue(program)} is not among the agent's commands; allowed: ${limits.allow.join(", ")}`,
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
