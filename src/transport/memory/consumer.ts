// A durable pull consumer of a work queue in memory.
// I1: a message is with at most one pull at a time; it comes back after nak, or when its ack-wait ends.
// I2: a pull ends exactly once, after its last delivery.
// I3: whoever acks removes the message, also after its ack-wait: an ack proves no ownership, here as on the server.
import { ACK_WAIT_MS } from "../../protocol/index.ts";
import { MAX_ACK_PENDING, MAX_OPEN_PULLS } from "../limits.ts";
import type { ConsumerSpec, Delivery, Pull, PullEnd } from "../ports.ts";
import { fits, headerOf, type RawMessage } from "./message.ts";
import type { Timers } from "./timers.ts";
import type { Wire } from "./wire.ts";

/** A stored message, as far as a consumer looks at it. */
interface Kept {
  readonly seq: number;
  readonly storedAtMs: number;
  readonly message: RawMessage;
}

/** What a consumer needs of its stream. */
interface ConsumedStream {
  remove(seq: number): unknown;
  deleteConsumer(name: string): unknown;
}

/** Who pulls: its wire carries the deliveries, and it knows whether its connection still stands. */
export interface Puller {
  readonly wire: Wire;
  isOpen(): boolean;
  /** Calls `onClose` when the connection closes; the returned function takes that back. */
  onClose(onClose: () => void): () => void;
}

interface OpenPull {
  /** How many messages the consumer may still assign to it. */
  unassigned: number;
  assign(delivery: Delivery): void;
  end(reason: PullEnd): void;
}

interface Unacked {
  readonly kept: Kept;
  deliveryCount: number;
  /** Ends the ack-wait or the nak's delay. */
  cancelTimer: () => void;
}

/** One consumer. */
export class MemoryConsumer {
  readonly name: string;
  readonly filter: string;
  readonly #stream: ConsumedStream;
  readonly #timers: Timers;
  /** Never delivered yet, in order of sequence. */
  readonly #fresh = new Map<number, Kept>();
  /** Delivered and not acked. */
  readonly #unacked = new Map<number, Unacked>();
  /** Those of the unacked that wait to be delivered again. */
  readonly #again = new Set<number>();
  readonly #wants: (subject: string) => boolean;
  /** Served in turn, one message each. */
  #pulls: OpenPull[] = [];
  #gone = false;
  /** When a pull was opened last, and what looks whether that is too long ago. */
  #pulledAtMs: number;
  #cancelIdleTimer: () => void = () => undefined;

  constructor(spec: ConsumerSpec, stream: ConsumedStream, timers: Timers) {
    this.name = spec.name;
    this.filter = spec.filter;
    this.#wants = fits(spec.filter);
    this.#stream = stream;
    this.#timers = timers;
    this.#pulledAtMs = timers.now();
    if (spec.inactiveMs !== undefined) this.#endWhenIdle(spec.inactiveMs);
  }

  #endWhenIdle(inactiveMs: number): void {
    this.#cancelIdleTimer = this.#timers.after(inactiveMs, () => {
      const isIdle = this.#pulls.length === 0 && this.#timers.now() - this.#pulledAtMs >= inactiveMs;
      if (isIdle) this.#stream.deleteConsumer(this.name);
      else this.#endWhenIdle(inactiveMs);
    });
  }

  /** A message was stored. */
  offer(kept: Kept): void {
    if (!this.#wants(kept.message.subject)) return;
    this.#fresh.set(kept.seq, kept);
    this.#assign();
  }

  /** A message was removed from the stream. */
  forget(seq: number): void {
    this.#fresh.delete(seq);
    this.#again.delete(seq);
    this.#unacked.get(seq)?.cancelTimer();
    this.#unacked.delete(seq);
  }

  /** The consumer was deleted: every pull ends. */
  end(): void {
    this.#gone = true;
    this.#cancelIdleTimer();
    for (const { cancelTimer } of this.#unacked.values()) cancelTimer();
    for (const pull of this.#pulls) pull.end("gone");
    this.#pulls = [];
  }

  info(): { pending: number; ackPending: number; openPulls: number } {
    return { pending: this.#fresh.size, ackPending: this.#unacked.size, openPulls: this.#pulls.length };
  }

  pull(
    puller: Puller,
    request: { max: number; expiresMs: number },
    sink: { onDelivery(delivery: Delivery): void; onEnd(end: PullEnd): void },
  ): Pull {
    this.#pulledAtMs = this.#timers.now();
    let remaining = request.max;
    let ended = false;
    const end = (reason: PullEnd) => {
      if (ended) return; // I2
      ended = true;
      this.#pulls = this.#pulls.filter((other) => other !== pull);
      cancelExpiry();
      forgetClose();
      sink.onEnd(reason);
    };
    const pull: OpenPull = {
      unassigned: request.max,
      assign: (delivery) =>
        puller.wire.send(() => {
          if (ended) return;
          remaining--;
          sink.onDelivery(delivery);
          if (remaining <= 0) end("filled");
        }),
      end: (reason) => puller.wire.send(() => end(reason)),
    };
    const cancelExpiry =
      request.expiresMs === 0
        ? () => undefined
        : this.#timers.after(request.expiresMs, () => pull.end("expired"));
    const forgetClose = puller.onClose(() => end("lost"));
    if (this.#pulls.length >= MAX_OPEN_PULLS) pull.end("lost");
    else {
      this.#pulls.push(pull);
      this.#assign();
      if (request.expiresMs === 0) {
        this.#pulls = this.#pulls.filter((other) => other !== pull);
        pull.end("expired");
      }
    }
    return {
      get remaining() {
        return remaining;
      },
      cancel: () => end("cancelled"),
    };
  }

  /** Hands messages to pulls while there are both: those to be delivered again first, then by sequence. */
  #assign(): void {
    while (this.#pulls.length > 0) {
      const next = this.#next();
      if (next === undefined) return;
      const pull = this.#pulls.shift()!;
      pull.unassigned--;
      if (pull.unassigned > 0) this.#pulls.push(pull);
      pull.assign(this.#deliver(next));
    }
  }

  #next(): Unacked | undefined {
    for (const seq of this.#again) {
      this.#again.delete(seq);
      const unacked = this.#unacked.get(seq)!;
      unacked.deliveryCount++;
      return unacked;
    }
    if (this.#unacked.size >= MAX_ACK_PENDING) return undefined;
    for (const kept of this.#fresh.values()) {
      this.#fresh.delete(kept.seq);
      const unacked: Unacked = { kept, deliveryCount: 1, cancelTimer: () => undefined };
      this.#unacked.set(kept.seq, unacked);
      return unacked;
    }
    return undefined;
  }

  #deliver(unacked: Unacked): Delivery {
    const { seq, message, storedAtMs } = unacked.kept;
    this.#comeBackAfter(unacked, ACK_WAIT_MS);
    const remove = () => {
      if (!this.#gone) this.#stream.remove(seq); // I3
    };
    return {
      seq,
      storedAtMs,
      deliveryCount: unacked.deliveryCount,
      pending: this.#fresh.size,
      subject: message.subject,
      data: message.data,
      header: (name) => headerOf(message, name),
      ack: remove,
      nak: (delayMs) => {
        if (this.#gone || !this.#unacked.has(seq)) return;
        if (delayMs > 0) this.#comeBackAfter(unacked, delayMs);
        else this.#comeBack(unacked);
      },
      working: () => {
        if (!this.#gone && this.#unacked.has(seq)) this.#comeBackAfter(unacked, ACK_WAIT_MS);
      },
    };
  }

  #comeBackAfter(unacked: Unacked, delayMs: number): void {
    unacked.cancelTimer();
    unacked.cancelTimer = this.#timers.after(delayMs, () => this.#comeBack(unacked));
  }

  #comeBack(unacked: Unacked): void {
    unacked.cancelTimer();
    this.#again.add(unacked.kept.seq);
    this.#assign();
  }
}
