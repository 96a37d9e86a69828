// A durable pull consumer of a work queue in memory: assigns messages to pulls, and redelivers them. stream.ts offers it the
// stored messages, and the queue port in transport.ts opens the pulls.
// I1: at most one pull at a time holds a message. The message is redelivered after a nak, or when its ack-wait ends.
// I2: a pull ends exactly once, after its last delivery.
// I3: any ack removes the message, even after the ack-wait. As on the real server, an ack proves no ownership.
import { ACK_WAIT_MS } from "../../protocol/index.ts";
import { MAX_ACK_PENDING, MAX_OPEN_PULLS } from "../limits.ts";
import type { ConsumerSpec, Delivery, Pull, PullEnd, PullSink } from "../ports.ts";
import { compileFilter, headerOf, type RawMessage } from "./message.ts";
import type { Timers } from "./timers.ts";
import type { Wire } from "./wire.ts";

/** The part of a stored message that a consumer reads. */
interface QueuedMessage {
  readonly seq: number;
  readonly storedAtMs: number;
  readonly message: RawMessage;
}

/** The calls that a consumer makes to its stream. */
interface ConsumedStream {
  remove(seq: number): unknown;
  deleteConsumer(name: string): unknown;
}

/** The connection of a pull: its wire carries the deliveries. */
export interface Puller {
  readonly wire: Wire;
  isOpen(): boolean;
  /** Calls `onClose` when the connection closes; the returned function removes the listener. */
  onClose(onClose: () => void): () => void;
}

interface OpenPull {
  /** The number of messages that the consumer may still assign to this pull. */
  unassigned: number;
  assign(delivery: Delivery): void;
  end(reason: PullEnd): void;
}

interface Unacked {
  readonly stored: QueuedMessage;
  deliveryCount: number;
  /** Cancels the timer of the ack-wait or of the nak's delay. */
  cancelTimer: () => void;
}

/** One consumer. */
export class MemoryConsumer {
  readonly name: string;
  readonly filter: string;
  readonly #stream: ConsumedStream;
  readonly #timers: Timers;
  /** The messages that were never delivered, in order of sequence. */
  readonly #fresh = new Map<number, QueuedMessage>();
  /** The highest sequence that was delivered; 0: none. */
  #deliveredSeq = 0;
  /** The messages that were delivered and not acked. */
  readonly #unacked = new Map<number, Unacked>();
  /** The sequences of unacked messages that are due for redelivery. */
  readonly #redeliverable = new Set<number>();
  readonly #matches: (subject: string) => boolean;
  /** The open pulls, served in turn with one message each. */
  #pulls: OpenPull[] = [];
  #isDeleted = false;
  /** The time of the latest pull. */
  #pulledAtMs: number;
  readonly #ackWaitMs: number;
  readonly #onAck: "remove" | "keep";
  /** Cancels the timer that deletes an idle consumer. */
  #cancelIdleTimer: () => void = () => undefined;
  #pausedUntilMs: number | null = null;
  /** Cancels the timer that ends a pause. */
  #cancelResumeTimer: () => void = () => undefined;

  /** `onAck`: whether an ack removes the message from the stream, as in a work queue. */
  constructor(
    spec: ConsumerSpec,
    stream: ConsumedStream,
    timers: Timers,
    onAck: "remove" | "keep" = "remove",
  ) {
    this.name = spec.name;
    this.#ackWaitMs = spec.ackWaitMs ?? ACK_WAIT_MS;
    this.#onAck = onAck;
    this.filter = spec.filter;
    this.#matches = compileFilter(spec.filter);
    this.#stream = stream;
    this.#timers = timers;
    this.#pulledAtMs = timers.now();
    if (spec.inactiveMs !== undefined) this.#deleteWhenIdle(spec.inactiveMs);
    if (spec.pausedUntilMs !== undefined) this.pause(spec.pausedUntilMs);
  }

  #deleteWhenIdle(inactiveMs: number): void {
    this.#cancelIdleTimer = this.#timers.after(inactiveMs, () => {
      const isIdle = this.#pulls.length === 0 && this.#timers.now() - this.#pulledAtMs >= inactiveMs;
      if (isIdle) this.#stream.deleteConsumer(this.name);
      else this.#deleteWhenIdle(inactiveMs);
    });
  }

  /** Delivers nothing until `untilMs`; null: delivers again. */
  pause(untilMs: number | null): void {
    this.#cancelResumeTimer();
    const isOver = untilMs === null || untilMs <= this.#timers.now();
    this.#pausedUntilMs = isOver ? null : untilMs;
    if (isOver) this.#assign();
    else this.#cancelResumeTimer = this.#timers.after(untilMs - this.#timers.now(), () => this.pause(null));
  }

  /** The end of the pause, in ms since 1970; null while it delivers. */
  get pausedUntilMs(): number | null {
    return this.#pausedUntilMs;
  }

  /** Takes a message that the stream has stored, if it matches the filter. */
  offer(stored: QueuedMessage): void {
    if (!this.#matches(stored.message.subject)) return;
    this.#fresh.set(stored.seq, stored);
    this.#assign();
  }

  /** Drops a message that was removed from the stream. */
  forget(seq: number): void {
    this.#fresh.delete(seq);
    this.#redeliverable.delete(seq);
    this.#unacked.get(seq)?.cancelTimer();
    this.#unacked.delete(seq);
  }

  /** Ends every pull, because the consumer was deleted. */
  end(): void {
    this.#isDeleted = true;
    this.#cancelIdleTimer();
    this.#cancelResumeTimer();
    for (const { cancelTimer } of this.#unacked.values()) cancelTimer();
    for (const pull of this.#pulls) pull.end("gone");
    this.#pulls = [];
  }

  /** The counts of messages never delivered, of messages delivered and not acked, and of open pulls. */
  info(): { pending: number; ackPending: number; openPulls: number } {
    return { pending: this.#fresh.size, ackPending: this.#unacked.size, openPulls: this.#pulls.length };
  }

  /** The highest sequence that was delivered; 0: none. */
  get deliveredSeq(): number {
    return this.#deliveredSeq;
  }

  /** Opens a pull of at most `max` messages. `expiresMs` 0: the pull takes only messages that are there now. */
  pull(puller: Puller, request: { max: number; expiresMs: number }, sink: PullSink): Pull {
    this.#pulledAtMs = this.#timers.now();
    let remaining = request.max;
    let isEnded = false;
    let isCancelled = false;
    const end = (reason: PullEnd) => {
      if (isEnded) return; // I2
      isEnded = true;
      isCancelled = reason === "cancelled";
      this.#pulls = this.#pulls.filter((other) => other !== pull);
      cancelExpiry();
      stopWatchingClose();
      sink.onEnd(reason);
    };
    const pull: OpenPull = {
      unassigned: request.max,
      assign: (delivery) =>
        puller.wire.send(() => {
          if (isCancelled) delivery.nak(0);
          if (isEnded) return;
          remaining--;
          const nak = (delayMs: number) => {
            sink.onNak?.(given);
            delivery.nak(delayMs);
          };
          const given = { ...delivery, nak };
          sink.onDelivery(given);
          if (remaining <= 0) end("filled");
        }),
      end: (reason) => puller.wire.send(() => end(reason)),
    };
    const cancelExpiry =
      request.expiresMs === 0
        ? () => undefined
        : this.#timers.after(request.expiresMs, () => pull.end("expired"));
    const stopWatchingClose = puller.onClose(() => end("lost"));
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

  /** Assigns messages to pulls while there are both: redeliveries first, then new messages by sequence. */
  #assign(): void {
    if (this.#pausedUntilMs !== null) return;
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
    for (const seq of this.#redeliverable) {
      this.#redeliverable.delete(seq);
      const unacked = this.#unacked.get(seq)!;
      unacked.deliveryCount++;
      return unacked;
    }
    if (this.#unacked.size >= MAX_ACK_PENDING) return undefined;
    for (const stored of this.#fresh.values()) {
      this.#fresh.delete(stored.seq);
      this.#deliveredSeq = stored.seq;
      const unacked: Unacked = { stored, deliveryCount: 1, cancelTimer: () => undefined };
      this.#unacked.set(stored.seq, unacked);
      return unacked;
    }
    return undefined;
  }

  #deliver(unacked: Unacked): Delivery {
    const { seq, message, storedAtMs } = unacked.stored;
    this.#redeliverAfter(unacked, this.#ackWaitMs);
    const remove = () => {
      if (this.#isDeleted) return;
      if (this.#onAck === "remove")
        this.#stream.remove(seq); // I3
      else this.forget(seq);
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
        if (this.#isDeleted || !this.#unacked.has(seq)) return;
        if (delayMs > 0) this.#redeliverAfter(unacked, delayMs);
        else this.#redeliver(unacked);
      },
      working: () => {
        if (!this.#isDeleted && this.#unacked.has(seq)) this.#redeliverAfter(unacked, this.#ackWaitMs);
      },
    };
  }

  #redeliverAfter(unacked: Unacked, delayMs: number): void {
    unacked.cancelTimer();
    unacked.cancelTimer = this.#timers.after(delayMs, () => this.#redeliver(unacked));
  }

  #redeliver(unacked: Unacked): void {
    unacked.cancelTimer();
    this.#redeliverable.add(unacked.stored.seq);
    this.#assign();
  }
}
