// One stream as a log, over JetStream's API subjects (ADR-31 for direct gets). Only `tail` and `lasts` create a
// consumer (in follow.ts); the other calls create none, so they also work on work queues.

import type { Msg } from "@nats-io/nats-core";
import { utf8Bytes } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { type ApiError, JETSTREAM_ERRORS, jetStreamCode } from "../jetstream-errors.ts";
import { DEFAULT_MAX_SUBJECTS } from "../limits.ts";
import { NoSubscriberError } from "../no-subscriber.ts";
import { APPEND_TIMEOUT_MS, type AppendOptions, type Log, type LogInfo, type Stored } from "../ports.ts";
import { appendHeaders } from "../stream-headers.ts";
import { fromApiError } from "./errors.ts";
import { readLasts, tail } from "./follow.ts";
import { type Link, parseReply } from "./link.ts";
import { headerOf } from "./message-headers.ts";
import type { SilentStreams } from "./silent-streams.ts";
import { notPermitted } from "./violations.ts";

/** The messages of one page of a batched direct get: for small bodies at most ~0.5 MB in flight. */
const PAGE_MESSAGES = 256;
/** The most bytes of one page; the server stops a page at this size. */
const PAGE_BYTES = 4 * 1024 * 1024;
const READ_TIMEOUT_MS = 5_000;
/** The longest wait for the server's time, in ms. A later answer says too little about the time. */
const TIME_TIMEOUT_MS = 1_000;

const EMPTY = new Uint8Array();
const NO_OPTIONS: AppendOptions = {};
const encodeJson = (value: unknown) => utf8Bytes(JSON.stringify(value));

/** The most logs that a connection keeps: those of a swarm with some agent classes. */
const MAX_KEPT_LOGS = 64;

/** Keeps the logs that `make` makes: each seat of a ballot needs one. */
export function keepLogs<K>(make: (key: K) => Log): (key: K) => Log {
  const logs = new Map<K, Log>();
  return (key) => {
    const kept = logs.get(key);
    if (kept !== undefined) return kept;
    if (logs.size >= MAX_KEPT_LOGS) logs.clear();
    const log = make(key);
    logs.set(key, log);
    return log;
  };
}

/** The log of the stream named `stream`. `silent` hears the outcomes of appends. */
export function createNatsLog(link: Link, stream: string, silent?: SilentStreams): Log {
  const at = { link, stream, silent };
  return {
    append: (subject, data, options = NO_OPTIONS) => append(at, subject, data, options),
    last: (filter, options) =>
      options?.fresh === true
        ? getFromLeader(link, stream, { last_by_subj: filter })
        : getLastDirect(link, stream, filter),
    get: (seq) => getDirect(link, stream, { query: { seq } }),
    next: (filter, seq) => getFromLeader(link, stream, { seq, next_by_subj: filter }),
    read: (options) => read(link, stream, options ?? {}),
    tail: (options) => tail(link, { stream, ...options }),
    lasts: (options) => readLasts(link, { stream, ...options }),
    subjects: (filter, options) => subjects(link, stream, filter, options?.max ?? DEFAULT_MAX_SUBJECTS),
    info: () => info(link, stream),
    async purge(options) {
      const body = {
        ...(options?.filter === undefined ? {} : { filter: options.filter }),
        ...(options?.beforeSeq === undefined ? {} : { seq: options.beforeSeq }),
      };
      const doing = `purge ${stream}`;
      const answer = await link.api<{ purged: number }>(`STREAM.PURGE.${stream}`, body, {
        doing,
        timeoutMs: 30_000,
      });
      return answer.purged;
    },
    async delete(seq) {
      try {
        const doing = `delete message ${seq} of ${stream}`;
        await link.api(`STREAM.MSG.DELETE.${stream}`, { seq, no_erase: true }, { doing });
        return true;
      } catch (error) {
        const isDenied = error instanceof SwarmError && error.code === "not_permitted";
        const code = jetStreamCode(error);
        if (code === JETSTREAM_ERRORS.messageNotFound || code === JETSTREAM_ERRORS.sequenceNotFound)
          return false;
        if (code === JETSTREAM_ERRORS.messageDeleteFailed && !isDenied) return false;
        throw error;
      }
    },
  };
}

async function append(
  { link, stream, silent }: { link: Link; stream: string; silent: SilentStreams | undefined },
  subject: string,
  data: Uint8Array,
  options: AppendOptions,
): Promise<{ seq: number; duplicate: boolean }> {
  const doing = `append to ${subject}`;
  const sentAtMs = performance.now();
  let reply: Msg;
  try {
    reply = await link.request(subject, data, {
      op: "append",
      timeoutMs: options.timeoutMs ?? APPEND_TIMEOUT_MS,
      doing,
      headers: appendHeaders(options),
    });
  } catch (error) {
    if (error instanceof SwarmError && error.code === "unavailable") {
      link.noteAppend(false, sentAtMs);
      if (link.state === "connected" && !(error instanceof NoSubscriberError)) silent?.note(stream, false);
    }
    throw error;
  }
  link.noteAppend(true, sentAtMs);
  silent?.note(stream, true);
  const ack = parseReply<{ seq?: number; duplicate?: boolean; error?: ApiError }>(reply, doing);
  if (ack.error !== undefined) throw fromApiError(ack.error, doing);
  if (typeof ack.seq !== "number") {
    throw new SwarmError(
      "unavailable",
      `${doing}: the reply is no acknowledgement: check that a stream takes this subject`,
    );
  }
  return { seq: ack.seq, duplicate: ack.duplicate === true };
}

class DirectStored implements Stored {
  readonly #message: Msg;
  readonly seq: number;
  readonly storedAtMs: number;
  readonly subject: string;

  constructor(message: Msg) {
    this.#message = message;
    this.subject = headerOf(message, "Nats-Subject") ?? message.subject;
    this.seq = Number(headerOf(message, "Nats-Sequence"));
    this.storedAtMs = Date.parse(headerOf(message, "Nats-Time-Stamp") ?? "");
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  header(name: string): string | undefined {
    return headerOf(this.#message, name);
  }
}

/**
 * Reads the last message of a subject. One subject is named in the request's own subject, so that a permission of NATS can
 * limit the subjects that a user reads; a filter can only stand in the body.
 */
function getLastDirect(link: Link, stream: string, filter: string): Promise<Stored | null> {
  const isFilter = filter.includes("*") || filter.includes(">");
  return getDirect(link, stream, isFilter ? { query: { last_by_subj: filter } } : { subject: filter });
}

async function getDirect(
  link: Link,
  stream: string,
  { subject, query }: { subject?: string; query?: object },
): Promise<Stored | null> {
  const doing = `read from ${stream}`;
  const at = subject === undefined ? stream : `${stream}.${subject}`;
  const reply = await link.request(
    `$JS.API.DIRECT.GET.${at}`,
    query === undefined ? EMPTY : encodeJson(query),
    {
      op: "get",
      timeoutMs: READ_TIMEOUT_MS,
      doing,
    },
  );
  const code = reply.headers?.code ?? 0;
  if (code === 404) return null;
  if (code >= 400) throw new SwarmError("unavailable", `${doing}: ${reply.headers?.description ?? code}`);
  return new DirectStored(reply);
}

async function getFromLeader(link: Link, stream: string, query: object): Promise<Stored | null> {
  interface Answer {
    message: { subject: string; seq: number; hdrs?: string; data?: string; time: string };
  }
  try {
    const { message } = await link.api<Answer>(`STREAM.MSG.GET.${stream}`, query, {
      doing: `read from ${stream}`,
    });
    const headers = parseHeaders(message.hdrs);
    return {
      subject: message.subject,
      seq: message.seq,
      storedAtMs: Date.parse(message.time),
      data: Buffer.from(message.data ?? "", "base64"),
      header: (name) => headers.get(name.toLowerCase()),
    };
  } catch (error) {
    if (error instanceof SwarmError && error.code === "not_found") return null;
    throw error;
  }
}

function parseHeaders(base64: string | undefined): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of Buffer.from(base64 ?? "", "base64")
    .toString("utf8")
    .split("\r\n")
    .slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

async function* read(
  link: Link,
  stream: string,
  options: { filter?: string; fromSeq?: number; limit?: number },
): AsyncIterable<Stored> {
  const { lastSeq } = await info(link, stream);
  let nextSeq = options.fromSeq ?? 1;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0 && nextSeq <= lastSeq) {
    const page = await readPage(link, stream, {
      seq: Math.max(1, nextSeq),
      batch: Math.min(left, PAGE_MESSAGES),
      max_bytes: PAGE_BYTES,
      next_by_subj: options.filter ?? ">",
    });
    for (const stored of page.messages) {
      if (stored.seq > lastSeq) return;
      yield stored;
      left--;
      nextSeq = stored.seq + 1;
    }
    if (page.messages.length === 0 || page.pending === 0) return;
  }
}

/** Reads one page with a batched direct get: messages until the status 204 (end of batch) or 404 (no message). */
function readPage(
  link: Link,
  stream: string,
  query: object,
): Promise<{ messages: DirectStored[]; pending: number }> {
  const doing = `read a page of ${stream}`;
  return new Promise((resolve, reject) => {
    const messages: DirectStored[] = [];
    const settle = (run: () => void) => {
      inbox.close();
      clearTimeout(timer);
      run();
    };
    const subject = `$JS.API.DIRECT.GET.${stream}`;
    const inbox = link.openInbox({
      subject,
      onForbidden: (violation, user) => settle(() => reject(notPermitted(violation, doing, user))),
      onMessage: (message) => {
        const code = message.headers?.code ?? 0;
        if (code === 204) {
          const pending = Number(headerOf(message, "Nats-Num-Pending") ?? 0);
          settle(() => resolve({ messages, pending }));
        } else if (code === 404) settle(() => resolve({ messages, pending: 0 }));
        else if (code >= 400) {
          const description = message.headers?.description ?? String(code);
          settle(() => reject(new SwarmError("unavailable", `${doing}: ${description}`)));
        } else messages.push(new DirectStored(message));
      },
      onLost: () => settle(() => reject(new SwarmError("unavailable", `${doing}: the connection broke`))),
    });
    const timer = setTimeout(
      () =>
        settle(() =>
          reject(new SwarmError("unavailable", `${doing}: no answer within ${READ_TIMEOUT_MS} ms`)),
        ),
      READ_TIMEOUT_MS,
    );
    link.publish(subject, encodeJson(query), undefined, inbox.subject);
  });
}

interface StreamInfo {
  /** The time of the stream's leader; since nats-server 2.10. */
  ts?: string;
  /** `max_bytes` is −1 without a limit. */
  config?: { max_bytes?: number };
  state: {
    messages: number;
    bytes: number;
    first_seq: number;
    last_seq: number;
    subjects?: Record<string, number>;
  };
  total?: number;
}

/**
 * The time of the leader of a stream, which publishes the stream's schedules by it, or of a consumer; in Unix ms.
 * @throws SwarmError `unavailable`, `not_found` without that stream or consumer.
 */
export async function readServerTime(
  link: Link,
  { stream, consumer }: { stream: string; consumer?: string },
): Promise<number> {
  const at = consumer === undefined ? `STREAM.INFO.${stream}` : `CONSUMER.INFO.${stream}.${consumer}`;
  const { ts } = await link.api<Pick<StreamInfo, "ts">>(at, undefined, {
    doing: "read the server's time",
    timeoutMs: TIME_TIMEOUT_MS,
  });
  const serverMs = Date.parse(ts ?? "");
  if (Number.isFinite(serverMs)) return serverMs;
  throw new SwarmError("unavailable", "the server's answer has no time");
}

async function info(link: Link, stream: string): Promise<LogInfo> {
  const { state, config } = await link.api<StreamInfo>(`STREAM.INFO.${stream}`, undefined, {
    doing: `look at ${stream}`,
  });
  const { messages, bytes, last_seq: lastSeq } = state;
  const { max_bytes: limitBytes = -1 } = config ?? {};
  return {
    messages,
    bytes,
    firstSeq: messages === 0 ? lastSeq + 1 : state.first_seq,
    lastSeq,
    limitBytes: limitBytes < 0 ? null : limitBytes,
  };
}

async function subjects(
  link: Link,
  stream: string,
  filter: string,
  max: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let offset = 0; counts.size < max; ) {
    const body = { subjects_filter: filter, offset };
    const page = await link.api<StreamInfo>(`STREAM.INFO.${stream}`, body, {
      doing: `list subjects of ${stream}`,
    });
    const entries = Object.entries(page.state.subjects ?? {});
    for (const [subject, count] of entries) if (counts.size < max) counts.set(subject, count);
    offset += entries.length;
    if (entries.length === 0 || offset >= (page.total ?? 0)) break;
  }
  return counts;
}
