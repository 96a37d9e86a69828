// The port `Bus` over a NATS link: publish, subscribe, request and scatter. Leaves inboxes, the timeouts of requests
// and the connection to request.ts and link.ts. connect.ts makes the bus.
import type { Msg } from "@nats-io/nats-core";
import { type Logger, sleep } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { DEFAULT_STALL_MS, DRAIN_LIMIT_MS } from "../limits.ts";
import type { Bus, Headers, Incoming, IncomingRequest, RequestSubscription, Subscription } from "../ports.ts";
import { isReplySubject } from "../reply-subjects.ts";
import { noResponders } from "./errors.ts";
import type { Link } from "./link.ts";
import { headerOf, statusOf } from "./message-headers.ts";
import { afterArrived } from "./request.ts";
import { notPermitted } from "./violations.ts";

/**
 * A NATS message as an `IncomingRequest`. It reads each field on demand, because most handlers read one or two fields.
 */
class NatsIncoming implements IncomingRequest {
  readonly #message: Msg;
  readonly #link: Link;
  /** The subject for the answer; undefined when there is none, or a refused one. */
  readonly #reply: string | undefined;
  #data: Uint8Array | undefined;

  constructor(message: Msg, link: Link) {
    this.#message = message;
    this.#link = link;
    const { reply } = message;
    if (reply === undefined || reply === "") return;
    if (isReplySubject(reply)) this.#reply = reply;
    else link.refused.report({ kind: "reply", subject: message.subject, reply });
  }

  get subject(): string {
    return this.#message.subject;
  }

  get data(): Uint8Array {
    this.#data ??= this.#message.data; // the client makes a new view at each access
    return this.#data;
  }

  get wantsReply(): boolean {
    return this.#reply !== undefined;
  }

  header(name: string): string | undefined {
    return headerOf(this.#message, name);
  }

  respond(
    data: Uint8Array,
    headers?: Headers,
    { onUnheard }: { onUnheard?: (() => void) | undefined } = {},
  ): void {
    if (this.#reply === undefined || this.#link.state === "closed") return;
    if (onUnheard === undefined) this.#link.publish(this.#reply, data, headers);
    else watchForUnheard(this.#link, this.#reply, { data, headers, onUnheard });
  }
}

/** How long the link waits for the server's word that a reply was not heard, in ms. The server sends it at once. */
const UNHEARD_MS = 2_000;

/** Sends a reply that has a reply subject itself: the server answers it when no connection listens (no responders, ADR-22). */
function watchForUnheard(
  link: Link,
  subject: string,
  { data, headers, onUnheard }: { data: Uint8Array; headers: Headers | undefined; onUnheard: () => void },
): void {
  const close = () => {
    inbox.close();
    clearTimeout(timer);
  };
  const inbox = link.openInbox({
    onMessage: (message) => {
      close();
      if (statusOf(message) === 503) onUnheard();
    },
    onLost: close,
  });
  const timer = setTimeout(close, UNHEARD_MS).unref();
  try {
    link.publish(subject, data, headers, inbox.subject);
  } catch (error) {
    close();
    throw error;
  }
}

/** Makes the bus of one NATS link. */
export function createNatsBus(link: Link, log: Logger): Bus {
  return {
    publish: (subject, data, options) => link.publish(subject, data, options?.headers),
    subscribe(subject, onMessage, options): RequestSubscription {
      const subscription = link.subscribe(subject, {
        ...(options?.queue === undefined ? {} : { queue: options.queue }),
        callback: (error, message) => {
          if (error !== null) {
            log.warn({ err: error, subject }, "subscription reported an error; messages may be missing");
            return;
          }
          try {
            onMessage(new NatsIncoming(message, link));
          } catch (cause) {
            log.error({ err: cause, subject }, "message handler threw; continuing with the next message");
          }
        },
      });
      return { close: () => subscription.unsubscribe(), drain: () => drain(subscription) };
    },
    async request(subject, data, options): Promise<Incoming> {
      const doing = `request ${subject}`;
      return new NatsIncoming(await link.request(subject, data, { ...options, doing }), link);
    },
    converse: (subject, data, options) => converse(link, subject, data, { ...options, log }),
    scatter: (subject, data, options) => scatter(link, subject, data, options),
    flush: () => link.flush(),
  };
}

/** See `RequestSubscription.drain`. The server answers the flush of a drain after the last message that it sent. */
async function drain(subscription: { unsubscribe(): void; drain(): Promise<void> }): Promise<void> {
  const limit = new AbortController();
  const late = sleep(DRAIN_LIMIT_MS, { signal: limit.signal }).catch(() => undefined);
  await Promise.race([subscription.drain().catch(() => undefined), late]); // it rejects on a closed connection
  limit.abort();
  subscription.unsubscribe();
}

/** See `Bus.converse`. */
function converse(
  link: Link,
  subject: string,
  data: Uint8Array,
  { headers, onReply, onLost, log }: Parameters<Bus["converse"]>[2] & { log: Logger },
): Subscription {
  const doing = `request ${subject}`;
  if (link.state !== "connected") throw new SwarmError("unavailable", `${doing}: not connected to NATS`);
  let isOpen = true;
  const close = () => {
    isOpen = false;
    inbox.close();
  };
  const fail = (error: SwarmError) => {
    if (!isOpen) return;
    close();
    onLost(error);
  };
  const inbox = link.openInbox({
    subject,
    onMessage: (message) => {
      if (!isOpen) return;
      if (statusOf(message) === 503) return fail(noResponders(subject, doing));
      try {
        onReply(new NatsIncoming(message, link));
      } catch (cause) {
        log.error({ err: cause, subject }, "reply handler threw; continuing with the next reply");
      }
    },
    onLost: () =>
      fail(new SwarmError("unavailable", `${doing}: the connection broke before all replies came`)),
    onForbidden: (violation, user) => fail(notPermitted(violation, doing, user)),
  });
  try {
    link.publish(subject, data, headers, inbox.subject);
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}

/**
 * The least time that a server has to answer the ping of a scatter, in ms. A live server answers within a few ms; a scatter may wait for
 * less than that on a loaded machine.
 */
const SCATTER_PING_MS = 1_000;

/**
 * Sends a request to every subscriber and collects the replies; see `Bus.scatter`. A ping goes with it: silence alone does not tell
 * subscribers that do not answer from a server that hangs.
 */
function scatter(
  link: Link,
  subject: string,
  data: Uint8Array,
  options: { timeoutMs: number; stallMs?: number; max?: number; headers?: Headers },
): Promise<Incoming[]> {
  const { timeoutMs, stallMs = DEFAULT_STALL_MS, max = Number.POSITIVE_INFINITY } = options;
  return new Promise((resolve, reject) => {
    const replies: Incoming[] = [];
    let stall: NodeJS.Timeout | undefined;
    const settle = () => {
      inbox.close();
      clearTimeout(limit);
      clearTimeout(stall);
    };
    const finish = () => {
      settle();
      resolve(replies);
    };
    // Fewer replies would look like fewer subscribers, so a caller must learn that they are not all.
    const fail = (error: unknown) => {
      settle();
      reject(error);
    };
    const inbox = link.openInbox({
      onMessage: (message) => {
        if (message.data.length === 0 && message.headers?.code === 503) return finish();
        replies.push(new NatsIncoming(message, link));
        if (replies.length >= max) return finish();
        clearTimeout(stall);
        const replyCount = replies.length;
        const finishUnlessMoreCame = () => {
          if (replies.length === replyCount) finish();
        };
        stall = setTimeout(() => afterArrived(finishUnlessMoreCame), stallMs);
      },
      onLost: () => fail(incomplete(subject, "the connection broke before all replies came")),
    });
    const limit = setTimeout(
      () =>
        afterArrived(() => (replies.length > 0 || isServerThere ? finish() : void pinged.then(finish, fail))),
      timeoutMs,
    );
    let isServerThere = false;
    let pinged: Promise<unknown> = Promise.resolve();
    if (link.state === "disconnected") return fail(incomplete(subject, "not connected to NATS"));
    try {
      link.publish(subject, data, options.headers, inbox.subject);
    } catch (error) {
      return fail(error);
    }
    pinged = link.flush(Math.max(timeoutMs, SCATTER_PING_MS)).then(
      () => {
        isServerThere = true;
      },
      (error: Error) => {
        throw incomplete(subject, error.message);
      },
    );
    pinged.catch(() => undefined); // it counts at the end of the scatter alone
  });
}

function incomplete(subject: string, why: string): SwarmError {
  return new SwarmError("unavailable", `scatter ${subject}: ${why}`);
}
