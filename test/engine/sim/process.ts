// One simulated process: everything between an engine and the server may be lost, late, doubled and reordered, and the process
// may be paused or killed. The engine, its stores and its client are the real ones.
//
// W1  A call has two halves: the message reaches the server, and the answer reaches the process. Each may be late or lost alone.
// W2  A killed process gets nothing, and its connection closes. Each of its messages that are on the way reaches the server before, or never.
// W3  A paused process gets nothing until it goes on; its timers wait, too, and its connection stays open, so the server still sends it messages.
//     Then it acts on what it believed before.
import type { Clock } from "../../../src/base/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import type {
  Bus,
  Delivery,
  Log,
  Queue,
  QueueConsumer,
  Stored,
  Transport,
} from "../../../src/transport/index.ts";

/** The probabilities of faults while the world is not calm. */
const PARKED = 0.4;
const REQUEST_LOST = 0.02;
const ANSWER_LOST = 0.03;
const REFUSED = 0.01;
const ACK_LOST = 0.05;
const NAK_LOST = 0.4;
const BEAT_LOST = 0.15;
const TWICE = 0.05;
const UNHEARD = 0.5;

/** The world around a process. */
export interface Stage {
  /** True with this probability, and never once the world is calm. */
  flip(probability: number): boolean;
  /** Keeps a message or an answer that is on the way, until the world delivers it. */
  park(item: Parked): void;
  count(fault: string): void;
  trace(text: string): void;
}

/** A message or an answer on the way. */
export interface Parked {
  readonly name: string;
  /** The process that sent it; undefined for a message to a process. */
  readonly from?: SimulatedProcess;
  run(): void;
}

/** One process. */
export class SimulatedProcess {
  readonly id: string;
  readonly clock: Clock;
  readonly #stage: Stage;
  #isDead = false;
  #isPaused = false;
  #waiting: (() => void)[] = [];

  /** `skewMs` is the error of its clock. */
  constructor(id: string, { stage, clock, skewMs }: { stage: Stage; clock: Clock; skewMs: number }) {
    this.id = id;
    this.#stage = stage;
    this.clock = {
      now: () => clock.now() + skewMs,
      after: (delayMs, run) => clock.after(delayMs, () => this.#enter(run)),
    };
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  kill(): void {
    this.#isDead = true;
    this.#waiting = [];
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on, with everything that came during the pause (W3). */
  resume(): void {
    this.#isPaused = false;
    for (const run of this.#waiting.splice(0)) run();
  }

  #enter(run: () => void): void {
    if (this.#isDead) return;
    if (this.#isPaused) this.#waiting.push(run);
    else run();
  }

  /** Brings an answer or a delivery to the process. */
  inbound(name: string, run: () => void): void {
    if (!this.#stage.flip(PARKED)) this.#enter(run);
    else this.#stage.park({ name: `${this.id} < ${name}`, run: () => this.#enter(run) });
  }

  /** Sends a message without an answer. */
  outbound(name: string, run: () => void): void {
    if (this.#isDead) return;
    this.#stage.trace(`${this.id} > ${name}`);
    if (!this.#stage.flip(PARKED)) {
      run();
      return;
    }
    this.#stage.park({ name: `${this.id} > ${name}`, from: this, run });
  }

  /** Makes a call (W1). */
  call<T>(name: string, effect: () => Promise<T>, options: { isWrite?: boolean } = {}): Promise<T> {
    const stage = this.#stage;
    return new Promise((resolve, reject) => {
      const fail = (fault: string, code: "unavailable" | "conflict") => {
        stage.count(fault);
        this.inbound(name, () => reject(new SwarmError(code, `${name}: ${fault}`)));
      };
      this.outbound(name, () => {
        if (stage.flip(REQUEST_LOST)) return fail("request lost", "unavailable");
        if (options.isWrite === true && stage.flip(REFUSED)) return fail("append refused", "conflict");
        void effect().then(
          (value) => {
            if (stage.flip(ANSWER_LOST)) fail("answer lost", "unavailable");
            else this.inbound(name, () => resolve(value));
          },
          (error: unknown) => this.inbound(name, () => reject(error)),
        );
      });
    });
  }

  /** The transport of this process. */
  wrap(transport: Transport): Transport {
    const bus = this.#bus(transport.bus);
    const bound = new Map<string | symbol, unknown>([
      ["bus", bus],
      ["log", (key: Parameters<Transport["log"]>[0]) => this.#log(transport.log(key), key)],
      ["queue", (key: Parameters<Transport["queue"]>[0]) => this.#queue(transport.queue(key), key)],
    ]);
    return new Proxy(transport, {
      get: (target, name) => {
        if (bound.has(name)) return bound.get(name);
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #log(inner: Log, key: string): Log {
    const call = <T>(name: string, effect: () => Promise<T>) => this.call(`${name} ${key}`, effect);
    return {
      append: (subject, data, options) =>
        this.call(`append ${subject}`, () => inner.append(subject, data, options), {
          isWrite: key === "workflows",
        }),
      last: (filter, options) => call("last", () => inner.last(filter, options)),
      lasts: (...args) => call("lasts", () => inner.lasts(...args)),
      get: (seq) => call("get", () => inner.get(seq)),
      next: (filter, fromSeq) => call("next", () => inner.next(filter, fromSeq)),
      read: (options) => this.#read(inner, key, options),
      tail: (options) => inner.tail(options),
      subjects: (filter, options) => call("subjects", () => inner.subjects(filter, options)),
      info: () => call("info", () => inner.info()),
      purge: (options) => call("purge", () => inner.purge(options)),
      delete: (seq) => call("delete", () => inner.delete(seq)),
    };
  }

  async *#read(inner: Log, key: string, options: Parameters<Log["read"]>[0]): AsyncIterable<Stored> {
    yield* await this.call(`read ${key}`, async () => {
      const all: Stored[] = [];
      for await (const stored of inner.read(options)) all.push(stored);
      return all;
    });
  }

  #queue(inner: Queue, key: string): Queue {
    return {
      ...inner,
      consumers: () => this.call(`consumers ${key}`, () => inner.consumers()),
      consumer: async (spec) =>
        this.#consumer(await this.call(`consumer ${spec.name}`, () => inner.consumer(spec)), spec.name),
    };
  }

  #consumer(inner: QueueConsumer, name: string): QueueConsumer {
    return {
      name: inner.name,
      filter: inner.filter,
      info: () => this.call(`info ${name}`, () => inner.info()),
      pull: (request, sink) => {
        if (this.#isDead) return { remaining: 0, cancel: () => undefined };
        return inner.pull(request, {
          onDelivery: (delivery) => {
            const came = this.#delivery(delivery);
            const what = `${delivery.subject} #${delivery.deliveryCount}`;
            this.inbound(what, () => sink.onDelivery(came));
            if (!this.#stage.flip(TWICE)) return;
            this.#stage.count("delivered twice");
            this.inbound(what, () => sink.onDelivery(came));
          },
          onEnd: (end) => this.#enter(() => sink.onEnd(end)),
        });
      },
    };
  }

  #delivery(inner: Delivery): Delivery {
    const answer = (name: string, run: () => void) => {
      if (!this.#stage.flip(name === "nak" ? NAK_LOST : ACK_LOST))
        this.outbound(`${name} ${inner.subject}`, run);
      else this.#stage.count(`${name} lost`);
    };
    return {
      subject: inner.subject,
      data: inner.data,
      seq: inner.seq,
      deliveryCount: inner.deliveryCount,
      pending: inner.pending,
      storedAtMs: inner.storedAtMs,
      header: (name) => inner.header(name),
      ack: () => answer("ack", () => inner.ack()),
      nak: (delayMs) => answer("nak", () => inner.nak(delayMs)),
      working: () => answer("working", () => inner.working()),
    };
  }

  #bus(inner: Bus): Bus {
    return {
      publish: (subject, data, options) => {
        if (this.#stage.flip(BEAT_LOST)) this.#stage.count("broadcast lost");
        else this.outbound(`publish ${subject}`, () => inner.publish(subject, data, options));
      },
      subscribe: (subject, onMessage, options) =>
        inner.subscribe(subject, (message) => this.inbound(subject, () => onMessage(message)), options),
      request: (subject, data, options) =>
        this.call(`request ${subject}`, () => inner.request(subject, data, options)),
      converse: (...args) => inner.converse(...args),
      scatter: async (subject, data, options) => {
        const heard = await this.call(`scatter ${subject}`, () => inner.scatter(subject, data, options));
        if (!this.#stage.flip(UNHEARD)) return heard;
        this.#stage.count("hosts unheard");
        return [];
      },
      flush: () => this.call("flush", () => inner.flush()),
    };
  }
}
