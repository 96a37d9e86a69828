// The bus port of the in-memory transport: publish, subscribe, request and scatter over one connection (connection.ts).
// I1: a request to a subject without a subscriber and without a stream fails at once.
// I2: one member of each queue group gets a message; every subscription outside a group also gets it.
import { newId } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { DEFAULT_STALL_MS } from "../limits.ts";
import { NoSubscriberError } from "../no-subscriber.ts";
import type { Bus, Headers, Incoming, IncomingRequest, Subscription } from "../ports.ts";
import { isReplySubject } from "../reply-subjects.ts";
import type { MemoryConnection } from "./connection.ts";
import { makeMessage, type RawMessage, toIncoming } from "./message.ts";

/** The bus of one connection. */
export function createMemoryBus(connection: MemoryConnection): Bus {
  return {
    publish(subject, data, options) {
      send(connection, makeMessage(subject, data, options?.headers));
    },
    subscribe: (subject, onMessage, options) =>
      connection.subscribe({
        subject,
        queue: options?.queue,
        onMessage: (message) => onMessage(toRequest(connection, message)),
      }),
    request: (subject, data, options) => request(connection, subject, data, options),
    converse: (subject, data, options) => converse(connection, subject, data, options),
    scatter: (subject, data, options) => scatter(connection, subject, data, options),
    async flush() {
      connection.assertOpen("flush");
      await connection.server.wire.flush();
    },
  };
}

/** Checks the size and passes the message to the server. Returns true when a subscriber or a stream takes the message. */
function send(connection: MemoryConnection, message: RawMessage): boolean {
  connection.assertOpen(`send to ${message.subject}`);
  connection.assertFits(message);
  return connection.server.publish(message);
}

function toRequest(connection: MemoryConnection, message: RawMessage): IncomingRequest {
  const { subject, reply } = message;
  const isAllowed = reply !== undefined && isReplySubject(reply);
  if (reply !== undefined && !isAllowed) connection.refused.report({ kind: "reply", subject, reply });
  return {
    ...toIncoming(message),
    wantsReply: isAllowed,
    respond(data, headers, options) {
      if (!isAllowed || !connection.isOpen()) return;
      if (!send(connection, makeMessage(reply, data, headers))) options?.onUnheard?.();
    },
  };
}

function request(
  connection: MemoryConnection,
  subject: string,
  data: Uint8Array,
  options: { timeoutMs: number; headers?: Headers | undefined; signal?: AbortSignal | undefined },
): Promise<Incoming> {
  const { signal, timeoutMs } = options;
  const doing = `request ${subject}`;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const reply = `_INBOX.${newId()}`;
    const settle = (run: () => void) => {
      inbox.close();
      cancelTimer();
      stopWatchingClose();
      signal?.removeEventListener("abort", onAbort);
      run();
    };
    const fail = (why: string) => settle(() => reject(new SwarmError("unavailable", `${doing}: ${why}`)));
    const onAbort = () => settle(() => reject(signal?.reason));
    const inbox = connection.subscribe({
      subject: reply,
      queue: undefined,
      onMessage: (message) => settle(() => resolve(toIncoming(message))),
    });
    const cancelTimer = connection.server.clock.after(timeoutMs, () =>
      fail(`no reply within ${timeoutMs} ms`),
    );
    const stopWatchingClose = connection.onClose(() => fail("the connection broke before a reply came"));
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const taken = send(connection, makeMessage(subject, data, options.headers, reply));
      if (!taken) {
        settle(() => reject(new NoSubscriberError(subject, doing))); // I1
      }
    } catch (error) {
      settle(() => reject(error));
    }
  });
}

function converse(
  connection: MemoryConnection,
  subject: string,
  data: Uint8Array,
  { headers, onReply, onLost }: Parameters<Bus["converse"]>[2],
): Subscription {
  const doing = `request ${subject}`;
  const reply = `_INBOX.${newId()}`;
  const close = () => {
    inbox.close();
    stopWatchingClose();
  };
  const inbox = connection.subscribe({
    subject: reply,
    queue: undefined,
    onMessage: (message) => onReply(toIncoming(message)),
  });
  const fail = (error: SwarmError) => {
    close();
    onLost(error);
  };
  const stopWatchingClose = connection.onClose(() =>
    fail(new SwarmError("unavailable", `${doing}: the connection broke before all replies came`)),
  );
  let isTaken: boolean;
  try {
    isTaken = send(connection, makeMessage(subject, data, headers, reply));
  } catch (error) {
    close();
    throw error;
  }
  if (!isTaken) queueMicrotask(() => fail(new NoSubscriberError(subject, doing))); // I1
  return { close };
}

function scatter(
  connection: MemoryConnection,
  subject: string,
  data: Uint8Array,
  options: { timeoutMs: number; stallMs?: number; max?: number; headers?: Headers },
): Promise<Incoming[]> {
  const { timeoutMs, stallMs = DEFAULT_STALL_MS, max = Number.POSITIVE_INFINITY } = options;
  const { clock } = connection.server;
  return new Promise((resolve, reject) => {
    const reply = `_INBOX.${newId()}`;
    const replies: Incoming[] = [];
    let cancelStall = () => {};
    const settle = (run: () => void) => {
      inbox.close();
      cancelLimit();
      cancelStall();
      stopWatchingClose();
      run();
    };
    const finish = () => settle(() => resolve(replies));
    const inbox: Subscription = connection.subscribe({
      subject: reply,
      queue: undefined,
      onMessage: (message) => {
        replies.push(toIncoming(message));
        cancelStall();
        if (replies.length >= max) finish();
        else cancelStall = clock.after(stallMs, finish);
      },
    });
    const cancelLimit = clock.after(timeoutMs, finish);
    const stopWatchingClose = connection.onClose(() =>
      settle(() =>
        reject(
          new SwarmError("unavailable", `scatter ${subject}: the connection broke before all replies came`),
        ),
      ),
    );
    try {
      if (!send(connection, makeMessage(subject, data, options.headers, reply))) finish();
    } catch (error) {
      settle(() => reject(error));
    }
  });
}
