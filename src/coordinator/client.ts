// The office as its callers see it. Owns the waiting: the client retries until a leader answers or the caller's time is
// over, and it repeats a write under the same key, so that the office decides the write once.
//
//   const office = createOfficeClient({ transport });
//   const reply = await office.write("lock-acquire", { name: "deploy", owner, ttlMs: 30_000, patienceMs: 0 });
import { type Clock, newId, systemClock } from "../base/index.ts";
import {
  type CoordinatorStatus,
  coordinatorStatusSchema,
  createSubjects,
  decode,
  type ErrorCode,
  encode,
  errorReplySchema,
  fromWire,
  HEADERS,
  parse,
  SwarmError,
  toSwarmError,
} from "../protocol/index.ts";
import type { Transport } from "../transport/index.ts";
import type { CallName, ReadName, RequestInput, RequestReply, WholeReply, WriteName } from "./requests.ts";

/** How long the client waits for the office unless the caller gives a time, in ms: longer than an election takes. */
export const OFFICE_TIMEOUT_MS = 5_000;
/**
 * After this long without an answer, in ms, the client sends a second request beside the first one: a leader that was
 * stopped still receives requests, and a successor may be in office already. The first answer counts, so the client
 * does not lose a slow answer.
 */
const HEDGE_AFTER_MS = 250;
/** The longest single try, in ms: above the 2.5 s after which the office itself answers that it does not know. */
const TRY_TIMEOUT_MS = 3_000;
/** The length of the single try of {@link OfficeClient.readNow}, in ms. */
const NOW_TIMEOUT_MS = 500;
/** The pause between two tries, in ms: 1/10 of the shortest election. */
const TRY_PAUSE_MS = 50;
/** How long coordinators have to report their status, in ms. They answer from memory. */
const ROLL_CALL_MS = 250;

/** True for codes that are no answer: another coordinator may answer, or the same one in a moment. */
function isNoAnswer(code: ErrorCode): boolean {
  return code === "unavailable" || code === "not_leader" || code === "rate_limited";
}

/** The holder's report about the office, confirmed by the control log. */
export interface TenureReply {
  leader: string;
  leaderPid: number;
  term: number;
  since: string;
  members: string[];
  logSeq: number;
}

/** How long to wait for the office. */
export interface AskOptions {
  /** Default {@link OFFICE_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** The office, as callers outside the coordinators see it. */
export interface OfficeClient {
  /**
   * Has the office decide a write, once: the client's own retries use one key. A caller that repeats the write itself,
   * after an `unavailable`, gives the key.
   * @throws SwarmError `unavailable` when no office confirmed the write in time (it may be decided or not); the refusal.
   */
  write<N extends WriteName>(
    name: N,
    body: RequestInput<N>,
    options?: AskOptions & { key?: string | undefined },
  ): Promise<RequestReply<N>>;
  /**
   * Reads the state, including everything that was decided before the call. The client asks for a list that is larger
   * than one reply page by page; each page includes everything that was decided before the client asked for that page.
   * @throws SwarmError `unavailable`, `invalid_input`.
   */
  read<N extends ReadName | CallName>(
    name: N,
    body?: RequestInput<N>,
    options?: AskOptions,
  ): Promise<WholeReply<N>>;
  /**
   * Reads the state of any coordinator, also while no leader is in office. The reply may be stale: it includes every
   * decision that is at least `ageMs` old. `seq` is the last entry of the control log that it includes.
   * @throws SwarmError `unavailable` when no coordinator answers, `invalid_input`.
   */
  readStale<N extends ReadName>(
    name: N,
    body?: RequestInput<N>,
    options?: AskOptions,
  ): Promise<WholeReply<N> & { seq: number; ageMs: number }>;
  /**
   * Reads the state if a leader is in office at this moment: asks once, for one page, and returns null without an answer.
   * NATS reports at once that a subject has no subscriber.
   * @throws SwarmError a refusal, such as `not_found`.
   */
  readNow<N extends ReadName | CallName>(name: N, body?: RequestInput<N>): Promise<RequestReply<N> | null>;
  /** Asks for the holder of the office. @throws SwarmError `unavailable` when no coordinator proved it in time. */
  tenure(options?: AskOptions): Promise<TenureReply>;
  /**
   * Asks the holder to hand the office over; with `term`, only the holder of that term.
   * @throws SwarmError `unavailable`, `invalid_input`; `conflict` when the office is in another term.
   */
  transfer(
    to: string | undefined,
    options?: AskOptions & { term?: number | undefined },
  ): Promise<{ from: string; to: string; term: number }>;
  /** The status that each coordinator reports about itself, without coordinators that do not answer within 250 ms. */
  listCoordinators(): Promise<CoordinatorStatus[]>;
}

/** A reply whose type is not known yet. */
type Reply = Record<string, unknown>;

/** Joins two pages: `seq` and `ageMs` are those of the staler page. */
function joinPages(one: Reply, other: Reply): Reply {
  const joined = { ...other };
  for (const [field, value] of Object.entries(one)) {
    const further = other[field];
    if (Array.isArray(value) && Array.isArray(further)) joined[field] = [...value, ...further];
    if (field === "seq") joined.seq = Math.min(value as number, further as number);
    if (field === "ageMs") joined.ageMs = Math.max(value as number, further as number);
  }
  return joined;
}

function noAnswer(subject: string, timeoutMs: number, last: SwarmError | undefined): SwarmError {
  const why = last === undefined ? "" : `; last: ${last.message}`;
  return new SwarmError("unavailable", `no coordinator answered on ${subject} within ${timeoutMs} ms${why}`, {
    cause: last,
  });
}

/** A client of the office. */
export function createOfficeClient(parts: { transport: Transport; clock?: Clock }): OfficeClient {
  const { transport } = parts;
  const clock = parts.clock ?? systemClock;
  const subjects = createSubjects(transport.prefix);

  /** Sends a request until a coordinator answers it, or the time is over. The caller names the reply's type. */
  function ask<R>(subject: string, body: object, options: AskOptions): Promise<R> {
    const { timeoutMs = OFFICE_TIMEOUT_MS, signal } = options;
    const endMs = clock.now() + timeoutMs;
    const data = encode(body);
    return new Promise((resolve, reject) => {
      let last: SwarmError | undefined;
      let tries = 0;
      let isDone = false;
      let cancel: () => void = () => undefined;
      const settle = (run: () => void) => {
        isDone = true;
        cancel();
        run();
      };
      const tryIn = (pauseMs: number) => {
        cancel();
        cancel = clock.after(Math.min(pauseMs, Math.max(0, endMs - clock.now())), begin);
      };
      const begin = () => {
        const leftMs = endMs - clock.now();
        if (leftMs <= 0) return settle(() => reject(noAnswer(subject, timeoutMs, last)));
        const own = ++tries;
        tryIn(HEDGE_AFTER_MS);
        askOnce<R>(subject, data, Math.min(leftMs, TRY_TIMEOUT_MS), signal).then(
          (reply) => settle(() => resolve(reply)),
          (error: unknown) => {
            if (isDone) return;
            if (signal?.aborted === true) return settle(() => reject(signal.reason));
            const failure = toSwarmError(error);
            if (!isNoAnswer(failure.code)) return settle(() => reject(failure));
            last = failure;
            if (own === tries) tryIn(failure.retryAfterMs ?? TRY_PAUSE_MS);
          },
        );
      };
      begin();
    });
  }

  /** Asks for the pages of a list until none is left; the timeout holds for all pages together. */
  async function askAll<R>(subject: string, body: object, options: AskOptions): Promise<R> {
    const { timeoutMs = OFFICE_TIMEOUT_MS } = options;
    const endMs = clock.now() + timeoutMs;
    let { next, ...whole } = await ask<Reply>(subject, body, options);
    while (typeof next === "string") {
      const leftMs = Math.max(1, endMs - clock.now());
      const { next: further, ...page } = await ask<Reply>(
        subject,
        { ...body, after: next },
        { ...options, timeoutMs: leftMs },
      );
      whole = joinPages(whole, page);
      next = further;
    }
    return whole as R;
  }

  async function askOnce<R>(
    subject: string,
    data: Uint8Array,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<R> {
    const reply = await transport.bus.request(subject, data, { timeoutMs, signal });
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    if (reply.header(HEADERS.serviceErrorCode) === undefined) return value as R;
    const { error } = parse(errorReplySchema, value, "the reply");
    throw fromWire(error);
  }

  return {
    write: (name, body, { key = newId(), ...options } = {}) =>
      ask(subjects.office(name), { ...body, key }, options),
    read: (name, body, options = {}) => askAll(subjects.office(name), body ?? {}, options),
    readStale: (name, body, options = {}) => askAll(subjects.stale(name), body ?? {}, options),
    async readNow<N extends ReadName | CallName>(name: N, body?: RequestInput<N>) {
      try {
        const data = encode(body ?? {});
        return await askOnce<RequestReply<N>>(subjects.office(name), data, NOW_TIMEOUT_MS, undefined);
      } catch (error) {
        if (isNoAnswer(toSwarmError(error).code)) return null;
        throw error;
      }
    },
    tenure: (options = {}) => ask(subjects.office("tenure"), {}, options),
    transfer: (to, { term, ...options } = {}) => ask(subjects.office("transfer"), { to, term }, options),
    async listCoordinators() {
      const replies = await transport.bus.scatter(subjects.coordinators, encode({}), {
        timeoutMs: ROLL_CALL_MS,
      });
      return replies
        .map((reply) => parse(coordinatorStatusSchema, decode(reply.data).value, "coordinator status"))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
    },
  };
}
