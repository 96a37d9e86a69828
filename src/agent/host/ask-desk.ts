// The ask desk of a host: performs each ask in a free slot, queues a bounded number of further asks, and replies
// `timeout` when the time limit of an ask has passed. host.ts and mailbox.ts pass the asks to it.
// I1: each received ask gets exactly one reply: the output, an error, or `timeout` once its time limit has passed.
// I2: the queues of waiting asks are bounded, per capability and per agent; beyond the bound the reply is `rate_limited`.
import {
  type Clock,
  type Logger,
  newId,
  readTraceFacts,
  type Span,
  showText,
  type Tracer,
  traceOf,
} from "../../base/index.ts";
import {
  type Encoding,
  HEADERS,
  NO_SCOPE,
  replyEncodingOf,
  type StepFacts,
  SwarmError,
  stepEffectKey,
  type Task,
  toSwarmError,
} from "../../protocol/index.ts";
import type { IncomingRequest } from "../../transport/index.ts";
import { codeOfThrown, FailureLog } from "../../work/index.ts";
import type { Agent } from "../agent.ts";
import type { RunWork } from "../run/run-context.ts";
import type { AgentSlot } from "../run/slot.ts";
import { readBody, readWaitMs, respond, respondError } from "../wire/ask.ts";
import type { Pool } from "./pool.ts";

/**
 * The most asks that wait for a slot, per capability and per agent. At 30,000 small asks a second this is 35 ms of work.
 * A slow agent should reject further asks at once rather than let them time out.
 */
export const MAILBOX_LIMIT = 1_024;
/** The `retryAfterMs` of a rejected ask, in ms. */
const RETRY_AFTER_MS = 100;
/** The interval between checks of the asks' deadlines, in ms. It is coarse, because a late reply is useless to the asker. */
const SWEEP_INTERVAL_MS = 250;

/** An ask that waits for a slot. */
interface WaitingAsk {
  request: IncomingRequest;
  capability: string;
  waitMs: number;
  deadlineMs: number;
}

/** Performs and queues the asks of one host. */
export class AskDesk {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #tracer: Tracer;
  readonly #failures: FailureLog;
  readonly #traceFacts = readTraceFacts();
  readonly #running = new Set<AskWork>();
  /** The waiting asks by target: a pool (any of its agents) or one agent. Empty queues are removed. */
  readonly #waiting = new Map<Pool | Agent, WaitingAsk[]>();
  #sweeping = false;

  constructor({ clock, log, tracer }: { clock: Clock; log: Logger; tracer: Tracer }) {
    this.#clock = clock;
    this.#tracer = tracer;
    this.#log = log;
    this.#failures = new FailureLog({ clock, log });
  }

  /** Receives an ask for any agent of a pool. */
  receive(pool: Pool, request: IncomingRequest): void {
    this.#admit(pool, pool.nextAgent(true), this.#read(pool.capability, request));
  }

  /** Receives an ask for one named agent. */
  receiveFor(agent: Agent, request: IncomingRequest): void {
    if (!agent.isAccepting) {
      respondError(
        request,
        new SwarmError("unavailable", `agent ${agent.id} is ${agent.state} and takes no asks; ask another`),
      );
      return;
    }
    const isFree = agent.countedFree > 0 && agent.askCount < agent.askLimit;
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
          `${MAILBOX_LIMIT} asks wait for ${ask.capability} already; ask again later, or submit a task, which waits in the queue`,
          { retryAfterMs: RETRY_AFTER_MS },
        ),
      );
      return;
    }
    queue.push(ask);
    if (queue.length === 1) this.#waiting.set(queueOf, queue);
  }

  /** Performs waiting asks in the agent's free slots: first the asks for this agent, then the asks of its pools. */
  serve(agent: Agent, pools: readonly Pool[]): void {
    if (this.#waiting.size === 0) return;
    for (const queueOf of [agent, ...pools]) {
      const queue = this.#waiting.get(queueOf);
      while (queue !== undefined && agent.countedFree > 0 && agent.askCount < agent.askLimit) {
        const ask = queue.shift();
        if (ask === undefined) break;
        this.#perform(agent, ask);
      }
      if (queue?.length === 0) this.#waiting.delete(queueOf);
    }
  }

  /** Replies with `reason` to all asks that wait for this pool or agent, because it takes no more work. */
  rejectWaiting(queueOf: Pool | Agent, reason: SwarmError): void {
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
    this.#performInSpan(agent, work).then(
      (output) => this.#answer(work, output),
      (error: unknown) => this.#fail(work, toSwarmError(error)),
    );
  }

  /** Performs the ask in a span, a child of the asker's. */
  async #performInSpan(agent: Agent, work: AskWork): Promise<unknown> {
    const { request, capability } = work.ask;
    const span = this.#tracer.isOn ? startAnswer(this.#tracer, request, capability) : null;
    if (span === null) return agent.perform(work.slot, work);
    try {
      return await span.run(() => agent.perform(work.slot, work));
    } catch (error) {
      span.fail(codeOfThrown(error));
      throw error;
    } finally {
      span.end();
    }
  }

  #answer(work: AskWork, output: unknown): void {
    try {
      respond(work.ask.request, output, work.encoding);
    } catch (thrown) {
      // The asker's request is in order: the agent returned a value that no reply can carry.
      const { code, message, field } = toSwarmError(thrown);
      const own = code === "invalid_input" ? "internal" : code;
      this.#fail(work, new SwarmError(own, message, { field, retryable: false, cause: thrown }));
      return;
    }
    this.#finish(work);
  }

  /** Never throws: the slot of the ask must become free, whatever happens to the reply. */
  #respondError(work: AskWork, error: SwarmError): void {
    try {
      respondError(work.ask.request, error, work.encoding);
    } catch (cause) {
      this.#log.warn({ err: cause, capability: work.ask.capability }, "error reply of an ask not sent");
    }
  }

  #fail(work: AskWork, error: SwarmError): void {
    this.#respondError(work, error);
    const { code, message, retryable } = error;
    this.#failures.write({
      at: { taskId: work.task.id, capability: work.ask.capability },
      number: work.number,
      agent: work.slot.agentId,
      error: { code, message: showText(message, this.#traceFacts), retryable },
      trace: traceOf(error, this.#traceFacts),
      retryInMs: "ask",
    });
    this.#finish(work);
  }

  #finish(work: AskWork): void {
    this.#running.delete(work);
    work.slot.release();
  }

  /** Checks the deadlines of all asks at an interval, as long as any ask runs or waits. */
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
      if (work.deadlineMs <= nowMs) work.slot.context?.abort(timeoutError(work.ask));
    }
    for (const [queueOf, queue] of this.#waiting) {
      const inTime = queue.filter((ask) => {
        if (ask.deadlineMs > nowMs) return true;
        respondError(ask.request, timeoutError(ask));
        return false;
      });
      if (inTime.length === queue.length) continue;
      queue.splice(0, queue.length, ...inTime);
      if (queue.length === 0) this.#waiting.delete(queueOf);
    }
  }
}

function startAnswer(tracer: Tracer, request: IncomingRequest, capability: string): Span | null {
  return tracer.start({
    name: `answer ${capability}`,
    kind: "server",
    parent: {
      traceparent: request.header(HEADERS.traceparent),
      tracestate: request.header(HEADERS.tracestate),
    },
    attributes: { "messaging.system": "nats", "murmur.ask.to": capability },
  });
}

function timeoutError(ask: WaitingAsk): SwarmError {
  return new SwarmError(
    "timeout",
    `the ask for ${ask.capability} was not answered within its limit of ${ask.waitMs} ms`,
  );
}

/** The work of one ask, as an agent performs it: a task that is not stored. */
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

  /** An ask is not repeated, so its key is new each time. */
  get key(): string {
    return this.task.id;
  }

  get deadlineMs(): number {
    return this.ask.deadlineMs;
  }

  /** A signal that never aborts. The run context itself aborts an ask that is late, or an ask of a crashed agent. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  /** Does nothing: the progress of an ask is not published. */
  progress(): void {}

  /** An ask is not stored, so its steps are not recorded. */
  async step(
    name: string,
    { once }: { once: boolean },
    work: (step: StepFacts) => unknown,
  ): Promise<unknown> {
    if (!once) return await work({ name, effectKey: stepEffectKey(this.key, name) });
    throw new SwarmError(
      "not_permitted",
      "a step with once is not possible in an ask, because nothing of an ask is recorded; submit a task instead",
      { field: "once" },
    );
  }

  handOff(): never {
    throw new SwarmError(
      "not_permitted",
      "an ask cannot be handed off, because it is not stored; ask the other agent and return its answer",
    );
  }
}
