// Where asks come in: performs each in a free slot, lets a bounded number wait, and answers every one that still waits
// when its sender gives up.
// I1: each ask that arrives gets exactly one reply: the output, an error, or (its time over) `timeout`.
// I2: waiting asks are bounded per capability and per agent; beyond the bound the answer is `rate_limited`.
import { type Clock, newId } from "../../base/index.ts";
import {
  type Encoding,
  HEADERS,
  NO_SCOPE,
  replyEncodingOf,
  SwarmError,
  type Task,
  toSwarmError,
} from "../../protocol/index.ts";
import type { IncomingRequest } from "../../transport/index.ts";
import type { Agent } from "../agent.ts";
import type { RunWork } from "../run/run-context.ts";
import type { AgentSlot } from "../run/slot.ts";
import { readBody, readWaitMs, respond, respondError } from "../wire/ask.ts";
import type { Pool } from "./pool.ts";

/**
 * Asks that wait for a slot, per capability and per agent. At 30,000 small asks a second this is 35 ms of work; slow
 * agents should turn further askers away rather than let them run into their timeouts.
 */
export const MAILBOX_LIMIT = 1_024;
/** What a refused asker is told to wait before it asks again. */
const RETRY_AFTER_MS = 100;
/** How often the time of running and waiting asks is checked: a late reply is of no use to anyone, so coarsely. */
const SWEEP_INTERVAL_MS = 250;

/** An ask that waits for a slot. */
interface WaitingAsk {
  request: IncomingRequest;
  capability: string;
  waitMs: number;
  deadlineMs: number;
}

export class AskDesk {
  readonly #clock: Clock;
  readonly #running = new Set<AskWork>();
  /** Waiting asks of pools (any agent) and of agents (that one). Empty queues are removed. */
  readonly #waiting = new Map<Pool | Agent, WaitingAsk[]>();
  #sweeping = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An ask for any agent of a pool. */
  receive(pool: Pool, request: IncomingRequest): void {
    this.#admit(pool, pool.next(true), this.#read(pool.capability, request));
  }

  /** An ask for one certain agent. */
  receiveFor(agent: Agent, request: IncomingRequest): void {
    if (!agent.accepting) {
      respondError(
        request,
        new SwarmError("unavailable", `agent ${agent.id} is ${agent.state} and takes no asks; ask another`),
      );
      return;
    }
    const isFree = agent.countedFree > 0 && agent.asking < agent.askLimit;
    const capability = agent.definition.capabilities[0] as string;
    this.#admit(agent, isFree ? agent : undefined, this.#read(capability, request));
  }

  #read(capability: string, request: IncomingRequest): WaitingAsk {
    const waitMs = readWaitMs(request);
    return { request, capability, waitMs, deadlineMs: this.#clock.now() + waitMs };
  }

  #admit(queueOf: Pool | Agent, agent: Agent | undefined, ask: WaitingAsk): void {
    this.#keepSweeping();
    if (agent !== undefined) {
      this.#perform(agent, ask);
      return;
    }
    const queue = this.#waiting.get(queueOf) ?? [];
    if (queue.length >= MAILBOX_LIMIT) {
      respondError(
        ask.request,
        new SwarmError(
          "rate_limited",
          `${MAILBOX_LIMIT} asks wait for ${ask.capability} already; ask again later, or hand in a task, which waits in the queue`,
          { retryAfterMs: RETRY_AFTER_MS },
        ),
      );
      return;
    }
    queue.push(ask);
    if (queue.length === 1) this.#waiting.set(queueOf, queue);
  }

  /** A slot of the agent came free: its own waiting asks go first, then those of its pools. */
  serve(agent: Agent, pools: readonly Pool[]): void {
    if (this.#waiting.size === 0) return;
    for (const queueOf of [agent, ...pools]) {
      const queue = this.#waiting.get(queueOf);
      while (queue !== undefined && agent.countedFree > 0 && agent.asking < agent.askLimit) {
        const ask = queue.shift();
        if (ask === undefined) break;
        this.#perform(agent, ask);
      }
      if (queue?.length === 0) this.#waiting.delete(queueOf);
    }
  }

  /** Turns away all that wait for what will not answer any more. */
  refuse(queueOf: Pool | Agent, reason: SwarmError): void {
    for (const { request } of this.#waiting.get(queueOf) ?? []) respondError(request, reason);
    this.#waiting.delete(queueOf);
  }

  #perform(agent: Agent, ask: WaitingAsk): void {
    let body: { value: unknown; encoding: Encoding };
    try {
      body = readBody(ask.request);
    } catch (error) {
      respondError(
        ask.request,
        toSwarmError(error),
        replyEncodingOf(ask.request.data, ask.request.header(HEADERS.contentType)),
      );
      return;
    }
    const work = new AskWork(agent.take(ask.capability, true), ask, body);
    this.#running.add(work);
    agent.perform(work.slot, work).then(
      (output) => this.#answer(work, output),
      (error: unknown) => this.#fail(work, toSwarmError(error)),
    );
  }

  #answer(work: AskWork, output: unknown): void {
    try {
      respond(work.ask.request, output, work.encoding);
    } catch (error) {
      respondError(work.ask.request, toSwarmError(error), work.encoding);
    }
    this.#finish(work);
  }

  #fail(work: AskWork, error: SwarmError): void {
    respondError(work.ask.request, error, work.encoding);
    this.#finish(work);
  }

  #finish(work: AskWork): void {
    this.#running.delete(work);
    work.slot.release();
  }

  /** Checks the time of all asks while there are any. */
  #keepSweeping(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#clock.after(SWEEP_INTERVAL_MS, () => {
      this.#sweeping = false;
      this.#sweep(this.#clock.now());
      if (this.#running.size > 0 || this.#waiting.size > 0) this.#keepSweeping();
    });
  }

  #sweep(nowMs: number): void {
    for (const work of this.#running) {
      if (work.deadlineMs <= nowMs) work.slot.run?.breakOff(late(work.ask));
    }
    for (const [queueOf, queue] of this.#waiting) {
      const inTime = queue.filter((ask) => {
        if (ask.deadlineMs > nowMs) return true;
        respondError(ask.request, late(ask));
        return false;
      });
      if (inTime.length === queue.length) continue;
      queue.splice(0, queue.length, ...inTime);
      if (queue.length === 0) this.#waiting.delete(queueOf);
    }
  }
}

function late(ask: WaitingAsk): SwarmError {
  return new SwarmError("timeout", `the ask for ${ask.capability} was not answered within its time`);
}

/** An ask as an agent performs it: a task that is stored nowhere. */
class AskWork implements RunWork {
  readonly slot: AgentSlot;
  readonly ask: WaitingAsk;
  readonly number = 1;
  readonly task: Task & { id: string };
  readonly encoding: Encoding;
  #controller: AbortController | undefined;

  constructor(slot: AgentSlot, ask: WaitingAsk, body: { value: unknown; encoding: Encoding }) {
    this.slot = slot;
    this.ask = ask;
    this.encoding = body.encoding;
    this.task = {
      id: newId(),
      capability: ask.capability,
      input: body.value,
      priority: "normal",
      scope: NO_SCOPE,
      timeoutMs: ask.waitMs,
      route: "queue",
    };
  }

  get deadlineMs(): number {
    return this.ask.deadlineMs;
  }

  /** Never aborts by itself: an ask that is late or whose agent breaks is broken off. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Nobody watches the progress of an ask. */
  progress(): void {}

  handOff(): never {
    throw new SwarmError(
      "not_permitted",
      "an ask cannot be handed off, because it is stored nowhere: ask the other agent, and answer with what it says",
    );
  }
}
