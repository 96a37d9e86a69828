// Cuts a process off at a chosen effect, for tests of the processes that finish its work.
import type { Delivery, Log, Transport } from "../../src/transport/index.ts";

/** Counts effects and cuts the process off at one of them: later effects do not reach the server. */
export class Failpoint {
  effects: string[] = [];
  dead = false;
  at: number;
  readonly mode: "before" | "after";

  constructor(at: number, mode: "before" | "after") {
    this.at = at;
    this.mode = mode;
  }

  /** Chooses the effect now. */
  arm(at: number): void {
    this.at = at;
  }

  /** Performs an effect of a live process. A dead process waits for an answer that never comes. */
  async run<T>(name: string, effect: () => Promise<T>): Promise<T> {
    if (this.dead) return new Promise(() => {});
    this.effects.push(name);
    const here = this.effects.length === this.at;
    if (here) this.dead = true;
    if (!here) return effect();
    if (this.mode === "after") await effect();
    return new Promise(() => {});
  }

  /** The same for effects without an answer. */
  send(name: string, effect: () => void): void {
    if (this.dead) return;
    this.effects.push(name);
    const here = this.effects.length === this.at;
    if (here) this.dead = true;
    if (!here || this.mode === "after") effect();
  }
}

/** The transport of a process that may be cut off. */
export function cutOff(transport: Transport, point: Failpoint): Transport {
  const delivery = (inner: Delivery): Delivery => ({
    subject: inner.subject,
    data: inner.data,
    seq: inner.seq,
    deliveryCount: inner.deliveryCount,
    pending: inner.pending,
    storedAtMs: inner.storedAtMs,
    header: (name) => inner.header(name),
    ack: () => point.send("ack", () => inner.ack()),
    nak: (delayMs) => point.send("nak", () => inner.nak(delayMs)),
    working: () => point.send("working", () => inner.working()),
  });
  const log = (key: Parameters<Transport["log"]>[0]): Log => {
    const inner = transport.log(key);
    return {
      ...inner,
      append: (...args) => point.run(`append ${key}`, () => inner.append(...args)),
      delete: (seq) => point.run(`delete ${key}`, () => inner.delete(seq)),
    };
  };
  const queue: Transport["queue"] = (key) => {
    const inner = transport.queue(key);
    return {
      ...inner,
      async consumer(spec) {
        const consumer = await inner.consumer(spec);
        return {
          ...consumer,
          name: consumer.name,
          filter: consumer.filter,
          info: () => consumer.info(),
          pull: (request, sink) =>
            consumer.pull(request, {
              onDelivery: (came) => {
                if (!point.dead) sink.onDelivery(delivery(came));
              },
              onEnd: (end) => {
                if (!point.dead) sink.onEnd(end);
              },
              onNak: (came) => sink.onNak?.(came),
            }),
        };
      },
    };
  };
  const bus: Transport["bus"] = {
    publish: (...args) => transport.bus.publish(...args),
    subscribe: (...args) => transport.bus.subscribe(...args),
    converse: (...args) => transport.bus.converse(...args),
    scatter: (...args) => transport.bus.scatter(...args),
    flush: () => transport.bus.flush(),
    request: (subject, ...rest) => point.run(`ask ${subject}`, () => transport.bus.request(subject, ...rest)),
  };
  return new Proxy(transport, {
    get(target, name) {
      if (name === "log") return log;
      if (name === "queue") return queue;
      if (name === "bus") return bus;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The writes beside those of {@link cutOff}: purges, buckets and large entries. */
export function cutWrites(transport: Transport, point: Failpoint): Transport {
  const log: Transport["log"] = (key) => {
    const inner = transport.log(key);
    return { ...inner, purge: (options) => point.run(`purge ${key}`, () => inner.purge(options)) };
  };
  const bucket: Transport["bucket"] = (key) => {
    const inner = transport.bucket(key);
    return { ...inner, put: (...args) => point.run(`put ${key}`, () => inner.put(...args)) };
  };
  const entries: Transport["entries"] = {
    ...transport.entries,
    put: (...args) => point.run("put entries", () => transport.entries.put(...args)),
  };
  const parts: Partial<Transport> = { log, bucket, entries };
  return new Proxy(transport, {
    get(target, name) {
      if (Object.hasOwn(parts, name)) return parts[name as keyof Transport];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
