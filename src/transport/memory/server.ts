// The in-memory server: subscriptions, streams, buckets and blobs. Several connections (connection.ts) share it, as processes
// share a nats-server. Tests and single-process swarms use it; its contents end with the process.
import {
  type Chance,
  type Clock,
  type Logger,
  silentLogger,
  systemChance,
  systemClock,
  utf8Bytes,
} from "../../base/index.ts";
import { DEFAULT_MAX_PAYLOAD_BYTES } from "../limits.ts";
import type { StoredBlob } from "./blobs.ts";
import type { MemoryBucket } from "./bucket.ts";
import { compileFilter, type RawMessage } from "./message.ts";
import type { MemoryStream } from "./stream.ts";
import { Timers } from "./timers.ts";
import { Wire } from "./wire.ts";

/** A subscription on the server. */
export interface Subscriber {
  readonly subject: string;
  readonly queue: string | undefined;
  onMessage(message: RawMessage): void;
  isOpen(): boolean;
}

/** The state that all connections share. */
export class MemoryServer {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly wire: Wire;
  readonly maxPayloadBytes: number;
  /** By stream name. */
  readonly streams = new Map<string, MemoryStream>();
  /** By bucket name. */
  readonly buckets = new Map<string, MemoryBucket>();
  /** By bucket name, then by hash. */
  readonly blobs = new Map<string, Map<string, StoredBlob>>();
  readonly #chance: Chance;
  readonly #exact = new Map<string, Set<Subscriber>>();
  readonly #wildcards = new Map<Subscriber, (subject: string) => boolean>();
  #connections = 0;

  /**
   * @param options.clock the clock for ack-waits, delays, ages, schedules and timeouts; default the machine's.
   * @param options.chance picks the member of a queue group; default the platform's random numbers.
   * @param options.maxPayloadBytes the largest message, body and headers; default 1 MiB, as in nats-server.
   * @param options.log receives the exceptions of message handlers; default no log.
   */
  constructor(options: { clock?: Clock; chance?: Chance; maxPayloadBytes?: number; log?: Logger } = {}) {
    this.clock = options.clock ?? systemClock;
    this.#chance = options.chance ?? systemChance;
    this.maxPayloadBytes = options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES;
    this.timers = new Timers(this.clock);
    this.wire = new Wire(options.log ?? silentLogger);
  }

  addConnection(): void {
    this.#connections++;
    this.timers.setArmed(true);
  }

  removeConnection(): void {
    this.#connections--;
    if (this.#connections === 0) this.timers.setArmed(false);
  }

  subscribe(subscriber: Subscriber): () => void {
    if (/[*>]/.test(subscriber.subject)) this.#wildcards.set(subscriber, compileFilter(subscriber.subject));
    else {
      const others = this.#exact.get(subscriber.subject);
      if (others === undefined) this.#exact.set(subscriber.subject, new Set([subscriber]));
      else others.add(subscriber);
    }
    return () => this.unsubscribe(subscriber);
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#wildcards.delete(subscriber);
    const others = this.#exact.get(subscriber.subject);
    others?.delete(subscriber);
    if (others?.size === 0) this.#exact.delete(subscriber.subject);
  }

  /** Delivers to subscribers and stores in the subject's stream. Returns true when there is a subscriber or a stream. */
  publish(message: RawMessage): boolean {
    const hasSubscriber = this.broadcast(message);
    const stream = this.streamOf(message.subject);
    if (stream === undefined) return hasSubscriber;
    this.#store(stream, message);
    return true;
  }

  /** Delivers to subscribers only: one per queue group, and each one outside a group. Returns true when there is one. */
  broadcast(message: RawMessage): boolean {
    const groups = new Map<string, Subscriber[]>();
    let hasSubscriber = false;
    const take = (subscriber: Subscriber) => {
      hasSubscriber = true;
      if (subscriber.queue === undefined) this.#deliver(subscriber, message);
      else {
        const group = groups.get(`${subscriber.subject} ${subscriber.queue}`) ?? [];
        group.push(subscriber);
        groups.set(`${subscriber.subject} ${subscriber.queue}`, group);
      }
    };
    for (const subscriber of this.#exact.get(message.subject) ?? []) take(subscriber);
    for (const [subscriber, matches] of this.#wildcards) if (matches(message.subject)) take(subscriber);
    for (const group of groups.values()) {
      this.#deliver(group[Math.floor(this.#chance.next() * group.length)]!, message);
    }
    return hasSubscriber;
  }

  streamOf(subject: string): MemoryStream | undefined {
    for (const stream of this.streams.values()) if (stream.takes(subject)) return stream;
    return undefined;
  }

  #deliver(subscriber: Subscriber, message: RawMessage): void {
    this.wire.send(() => {
      if (subscriber.isOpen()) subscriber.onMessage(message);
    });
  }

  /** Stores a message that was published without `append`. The acknowledgement goes to its reply subject. */
  #store(stream: MemoryStream, message: RawMessage): void {
    let answer: object;
    try {
      const { seq, duplicate } = stream.append(message);
      answer = { stream: stream.spec.name, seq, ...(duplicate ? { duplicate } : {}) };
    } catch (error) {
      answer = {
        stream: stream.spec.name,
        seq: 0,
        error: { code: 400, description: (error as Error).message },
      };
    }
    if (message.reply === undefined) return;
    this.broadcast({
      subject: message.reply,
      data: utf8Bytes(JSON.stringify(answer)),
      headers: undefined,
    });
  }
}
