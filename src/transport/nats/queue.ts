// Work-queue consumers over JetStream's API subjects: one request opens one pull. Leaves subscriptions to link.ts.
// I1: onEnd is called exactly once for each pull, after its last delivery.
// I2: a pull never brings more deliveries than it asked for.
// I3: a pull notices a silent server: long pulls ask for idle heartbeats, and two missed heartbeats end them as `lost`.

import type { Msg } from "@nats-io/nats-core";
import { utf8Bytes } from "../../base/index.ts";
import { ACK_WAIT_MS, SwarmError } from "../../protocol/index.ts";
import { MAX_ACK_PENDING, MAX_OPEN_PULLS } from "../limits.ts";
import type { Delivery, Pull, PullEnd, PullSink, Queue, QueueConsumer, QueueConsumerInfo } from "../ports.ts";
import { isAckSubject } from "../reply-subjects.ts";
import { readAckSubject } from "./ack-subject.ts";
import type { Link } from "./link.ts";
import { headerOf, statusOf } from "./message-headers.ts";

/** The time between idle heartbeats of a long pull; the server requires at most half of the pull's expiry. */
const IDLE_HEARTBEAT_MS = 5_000;
/** The number of missed idle heartbeats that means a dead server or consumer. */
const MISSED_HEARTBEATS = 2;
const NANOS_PER_MS = 1_000_000;

const ACK = utf8Bytes("+ACK");
const NAK = utf8Bytes("-NAK");
const WORKING = utf8Bytes("+WPI");

/** The work queue of the stream named `stream`. */
export function createNatsQueue(link: Link, stream: string): Queue {
  return {
    async consumer(spec) {
      await link.api(
        `CONSUMER.CREATE.${stream}.${spec.name}.${spec.filter}`,
        {
          stream_name: stream,
          action: "",
          config: {
            name: spec.name,
            durable_name: spec.name,
            filter_subject: spec.filter,
            ack_policy: "explicit",
            ack_wait: (spec.ackWaitMs ?? ACK_WAIT_MS) * NANOS_PER_MS,
            max_deliver: -1,
            max_ack_pending: MAX_ACK_PENDING,
            max_waiting: MAX_OPEN_PULLS,
            deliver_policy: "all",
            replay_policy: "instant",
            ...(spec.inactiveMs === undefined ? {} : { inactive_threshold: spec.inactiveMs * NANOS_PER_MS }),
            ...(spec.pausedUntilMs === undefined ? {} : { pause_until: toTime(spec.pausedUntilMs) }),
          },
        },
        { doing: `create consumer ${spec.name} on ${stream}` },
      );
      return createNatsConsumer(link, stream, spec);
    },
    async existing(spec) {
      const info = await findConsumer(link, stream, spec.name);
      if (info === null) return null;
      const { filter_subject: filter = "" } = info.config;
      if (filter === spec.filter) return createNatsConsumer(link, stream, spec);
      throw new SwarmError(
        "conflict",
        `consumer ${spec.name} of ${stream} must have the filter ${spec.filter}, found ${filter || "none"}: delete it with \`nats consumer rm\`, then let \`murmur init\` make it`,
        { field: "filter" },
      );
    },
    consumers: () => listConsumers(link, stream),
    async pauseConsumer(name, untilMs) {
      const body = untilMs === null ? {} : { pause_until: toTime(untilMs) };
      try {
        await link.api(`CONSUMER.PAUSE.${stream}.${name}`, body, {
          doing: `${untilMs === null ? "resume" : "pause"} consumer ${name} of ${stream}`,
        });
        return true;
      } catch (error) {
        if (error instanceof SwarmError && error.code === "not_found") return false;
        throw error;
      }
    },
    async deleteConsumer(name) {
      try {
        await link.api(`CONSUMER.DELETE.${stream}.${name}`, undefined, {
          doing: `delete consumer ${name} of ${stream}`,
        });
        return true;
      } catch (error) {
        if (error instanceof SwarmError && error.code === "not_found") return false;
        throw error;
      }
    },
  };
}

/** The form of a time in the JetStream API. */
const toTime = (atMs: number) => new Date(atMs).toISOString();

interface ConsumerInfo {
  name: string;
  config: { filter_subject?: string; pause_until?: string };
  /** True while the pause lasts; absent otherwise (ADR-26 of nats-architecture-and-design; nats-server 2.11). */
  paused?: boolean;
  num_pending: number;
  num_ack_pending: number;
  num_waiting: number;
  delivered: { stream_seq: number };
}

async function listConsumers(link: Link, stream: string): Promise<QueueConsumerInfo[]> {
  const found: QueueConsumerInfo[] = [];
  for (;;) {
    const page = await link.api<{ consumers: ConsumerInfo[] | null; total: number }>(
      `CONSUMER.LIST.${stream}`,
      { offset: found.length },
      { doing: `list consumers of ${stream}` },
    );
    const consumers = page.consumers ?? [];
    for (const consumer of consumers) {
      const { name, config, num_pending: pending, num_ack_pending: ackPending, delivered } = consumer;
      const deliveredSeq = delivered.stream_seq;
      const pausedUntilMs = consumer.paused === true ? Date.parse(config.pause_until ?? "") : null;
      found.push({
        name,
        filter: config.filter_subject ?? "",
        pending,
        ackPending,
        deliveredSeq,
        pausedUntilMs,
      });
    }
    if (consumers.length === 0 || found.length >= page.total) return found;
  }
}

/** The state of a consumer; null when there is none. Needs no permission for the stream. */
async function findConsumer(link: Link, stream: string, name: string): Promise<ConsumerInfo | null> {
  try {
    return await link.api<ConsumerInfo>(`CONSUMER.INFO.${stream}.${name}`, undefined, {
      doing: `look at consumer ${name} of ${stream}`,
    });
  } catch (error) {
    if (error instanceof SwarmError && error.code === "not_found") return null;
    throw error;
  }
}

function createNatsConsumer(
  link: Link,
  stream: string,
  spec: { name: string; filter: string },
): QueueConsumer {
  const pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${spec.name}`;
  return {
    name: spec.name,
    filter: spec.filter,
    pull: (request, sink) => openPull({ link, stream, consumer: spec.name, pullSubject }, request, sink),
    async info() {
      const info = await findConsumer(link, stream, spec.name);
      if (info === null) return null;
      return { pending: info.num_pending, ackPending: info.num_ack_pending, openPulls: info.num_waiting };
    },
  };
}

function openPull(
  at: { link: Link; stream: string; consumer: string; pullSubject: string },
  request: { max: number; expiresMs: number },
  sink: PullSink,
): Pull {
  const { link, stream, consumer, pullSubject } = at;
  let remaining = request.max;
  let isEnded = false;
  const heartbeatMs = request.expiresMs >= 2 * IDLE_HEARTBEAT_MS ? IDLE_HEARTBEAT_MS : 0;
  const end = (reason: PullEnd) => {
    if (isEnded) return; // I1
    isEnded = true;
    const onLate = reason === "cancelled" ? giveBack : undefined;
    channel.close({ isQuiet: reason === "filled" || reason === "expired", onLate });
    clearTimeout(watchdog);
    sink.onEnd(reason);
  };
  /** Gives a delivery back that was on its way when the pull was cancelled; else it would wait for the ack-wait. */
  const giveBack = (message: Msg) => {
    const isDelivery = statusOf(message) === 0 && isAckSubject(message.reply ?? "", stream, consumer);
    if (isDelivery) new NatsDelivery(message, link).nak(0);
  };
  const channel = link.openChannel({
    subject: pullSubject,
    onForbidden: () => end("lost"),
    onMessage: (message) => {
      const code = statusOf(message);
      if (code > 0) {
        const reason = readStatus(code, message.headers?.description ?? "");
        if (reason === null) watchdog.refresh();
        else end(reason);
        return;
      }
      const reply = message.reply ?? "";
      if (!isAckSubject(reply, stream, consumer)) {
        link.refused.report({ kind: "ack", subject: message.subject, reply });
        return; // no delivery of this consumer: any client can publish to an inbox
      }
      remaining--;
      if (heartbeatMs > 0) watchdog.refresh();
      sink.onDelivery(new NatsDelivery(message, link, sink));
      if (remaining <= 0) end("filled"); // I2
    },
    onLost: () => end("lost"),
  });
  const silenceMs = heartbeatMs > 0 ? heartbeatMs * MISSED_HEARTBEATS + 1_000 : request.expiresMs + 5_000;
  const watchdog = setTimeout(() => end("lost"), silenceMs); // I3
  const body =
    request.expiresMs === 0
      ? `{"batch":${request.max},"no_wait":true}`
      : `{"batch":${request.max},"expires":${request.expiresMs * NANOS_PER_MS}${
          heartbeatMs > 0 ? `,"idle_heartbeat":${heartbeatMs * NANOS_PER_MS}` : ""
        }}`;
  if (link.state === "connected") link.publish(pullSubject, utf8Bytes(body), undefined, channel.subject);
  else queueMicrotask(() => end("lost"));
  return {
    get remaining() {
      return remaining;
    },
    cancel: () => end("cancelled"),
  };
}

/** The end that a status message means for the pull; null for a heartbeat. Source: ADR-37, nats-server `server/consumer.go`. */
function readStatus(code: number, text: string): PullEnd | null {
  if (code === 100) return null;
  if (code === 404 || code === 408) return "expired";
  if (code === 503) return "gone";
  if (code === 409) {
    if (/consumer deleted|consumer is push/i.test(text)) return "gone";
    if (/leadership change|server shutdown|exceeded/i.test(text)) return "lost";
    return "expired"; // Batch Completed, Message Size Exceeds MaxBytes
  }
  return "lost";
}

class NatsDelivery implements Delivery {
  readonly #message: Msg;
  readonly #link: Link;
  readonly #sink: Pick<PullSink, "onNak"> | undefined;
  readonly seq: number;
  readonly deliveryCount: number;
  readonly pending: number;
  readonly storedAtMs: number;
  #data: Uint8Array | undefined;

  constructor(message: Msg, link: Link, sink?: Pick<PullSink, "onNak">) {
    this.#message = message;
    this.#link = link;
    this.#sink = sink;
    const { deliveryCount, seq, storedAtMs, pending } = readAckSubject(message.reply ?? "");
    this.deliveryCount = deliveryCount;
    this.seq = seq;
    this.storedAtMs = storedAtMs;
    this.pending = pending;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get data(): Uint8Array {
    this.#data ??= this.#message.data; // the client makes a new view at each access
    return this.#data;
  }

  header(name: string): string | undefined {
    return headerOf(this.#message, name);
  }

  ack(): void {
    this.#answer(ACK);
  }

  nak(delayMs: number): void {
    this.#sink?.onNak?.(this);
    if (delayMs <= 0) this.#answer(NAK);
    else this.#answer(utf8Bytes(`-NAK {"delay":${Math.round(delayMs * NANOS_PER_MS)}}`));
  }

  working(): void {
    this.#answer(WORKING);
  }

  #answer(body: Uint8Array): void {
    if (this.#link.state === "closed") return;
    this.#link.publish(this.#message.reply ?? "", body);
  }
}
