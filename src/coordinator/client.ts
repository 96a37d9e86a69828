// Asks the office, whoever holds it: waits for a leader until the caller's time is over, and repeats with the same key
// whatever may not have been decided.
//
//   const office = createOfficeClient({ transport });
//   const { token } = await office.write("lock-acquire", { name: "deploy", owner, ttlMs: 30_000, patienceMs: 0 });
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
import type { AnswerName, ReadName, WriteName } from "./requests.ts";

/** How long the office is waited for when the caller says nothing, in ms: an election and then some. */
export const OFFICE_TIMEOUT_MS = 5_000;
/**
 * A try that nobody answered yet is joined by another one after this long, in ms: a holder that was stopped still takes
 * requests, and its successor may have come meanwhile. The first answer counts, so a slow one is not lost.
 */
const REPEAT_MS = 250;
/** One try, in ms: above the 2.5 s after which the office itself answers that it does not know. */
const TRY_TIMEOUT_MS = 3_000;
/** The only try of who does not wait for an office, in ms. */
const NOW_TIMEOUT_MS = 500;
/** The pause between two tries, in ms: 1/10 of the shortest election. */
const RETRY_PAUSE_MS = 50;
/** How long coordinators have to tell what they are, in ms. They answer from memory. */
const ROLL_CALL_MS = 250;

/** Codes by which nothing was answered: somebody else may, or the same one in a moment. */
function isNobody(code: ErrorCode): boolean {
  return code === "unavailable" || code === "not_leader" || code === "rate_limited";
}

/** What the holder says of the office, confirmed by the control log. */
export interface TenureReply {
  leader: string;
  leaderPid: number;
  term: number;
  since: string;
  members: string[];
  logSeq: number;
}

/** How long to wait, and under which key. */
export interface AskOptions {
  /** Default {@link OFFICE_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** The office, seen from outside. */
export interface OfficeClient {
  /**
   * Has something decided, once: what is repeated inside goes by the same key. A caller that repeats it itself, after
   * an `unavailable`, gives the key.
   * @throws SwarmError `unavailable` when no office confirmed it in time (it may be decided or not); the refusal.
   */
  write(
    name: WriteName,
    body: object,
    options?: AskOptions & { key?: string | undefined },
  ): Promise<Record<string, unknown>>;
  /**
   * Looks at the state, with all that was decided before the call. A list that is larger than one reply is asked for page by
   * page, and each page has all that was decided before it was asked for. @throws SwarmError `unavailable`, `invalid_input`.
   */
  read(name: ReadName | AnswerName, body?: object, options?: AskOptions): Promise<Record<string, unknown>>;
  /**
   * Looks at the state of any coordinator, also with nobody in office: it may be old. The answer says how far it goes
   * (`seq`, the last entry of the control log) and how old it may be (`ageMs`): it has all that was decided that long ago.
   * @throws SwarmError `unavailable` when no coordinator answers, `invalid_input`.
   */
  readStale(
    name: ReadName,
    body?: object,
    options?: AskOptions,
  ): Promise<Record<string, unknown> & { seq: number; ageMs: number }>;
  /**
   * Looks at the state if somebody is in office at this moment: asks once, and gives null when nobody answers. Nobody
   * listening is known at once.
   * @throws SwarmError a refusal, such as `not_found`.
   */
  readNow(name: ReadName | AnswerName, body?: object): Promise<Record<string, unknown> | null>;
  /** Who holds the office. @throws SwarmError `unavailable` when nobody could prove that in time. */
  tenure(options?: AskOptions): Promise<TenureReply>;
  /**
   * Asks the holder to hand the office over; with `term` only the holder of that term.
   * @throws SwarmError `unavailable`, `invalid_input`; `conflict`: it is another term.
   */
  transfer(
    to: string | undefined,
    options?: AskOptions & { term?: number | undefined },
  ): Promise<{ from: string; to: string; term: number }>;
  /** What the coordinators believe of themselves; those that do not answer within 250 ms are missing. */
  listCoordinators(): Promise<CoordinatorStatus[]>;
}

/** Two pages in one: as far and as old as the worse of them. */
function joinPages(one: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> {
  const joined = { ...other };
  for (const [field, value] of Object.entries(one)) {
    const further = other[field];
    if (Array.isArray(value) && Array.isArray(further)) joined[field] = [...value, ...further];
    if (field === "seq") joined.seq = Math.min(value as number, further as number);
    if (field === "ageMs") joined.ageMs = Math.max(value as number, further as number);
  }
  return joined;
}

function nobodyAnswered(subject: string, timeoutMs: number, last: SwarmError | undefined): SwarmError {
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

  /** Asks on a subject until somebody answers it, or the time is over. */
  function ask(subject: string, body: object, options: AskOptions): Promise<Record<string, unknown>> {
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
        if (leftMs <= 0) return settle(() => reject(nobodyAnswered(subject, timeoutMs, last)));
        const own = ++tries;
        tryIn(REPEAT_MS);
        askOnce(subject, data, Math.min(leftMs, TRY_TIMEOUT_MS), signal).then(
          (reply) => settle(() => resolve(reply)),
          (error: unknown) => {
            if (isDone) return;
            if (signal?.aborted === true) return settle(() => reject(signal.reason));
            const told = toSwarmError(error);
            if (!isNobody(told.code)) return settle(() => reject(told));
            last = told;
            if (own === tries) tryIn(told.retryAfterMs ?? RETRY_PAUSE_MS);
          },
        );
      };
      begin();
    });
  }

  /** Asks for a list until no page is left, within the time of one. */
  async function askAll(
    subject: string,
    body: object,
    options: AskOptions,
  ): Promise<Record<string, unknown>> {
    const { timeoutMs = OFFICE_TIMEOUT_MS } = options;
    const endMs = clock.now() + timeoutMs;
    let { next, ...whole } = await ask(subject, body, options);
    while (typeof next === "string") {
      const leftMs = Math.max(1, endMs - clock.now());
      const { next: further, ...page } = await ask(
        subject,
        { ...body, after: next },
        { ...options, timeoutMs: leftMs },
      );
      whole = joinPages(whole, page);
      next = further;
    }
    return whole;
  }

  async function askOnce(
    subject: string,
    data: Uint8Array,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ) {
    const reply = await transport.bus.request(subject, data, { timeoutMs, signal });
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    if (reply.header(HEADERS.serviceErrorCode) === undefined) return value as Record<string, unknown>;
    const { error } = parse(errorReplySchema, value, "the reply");
    throw fromWire(error);
  }

  return {
    write: (name, body, { key = newId(), ...options } = {}) =>
      ask(subjects.office(name), { ...body, key }, options),
    read: (name, body = {}, options = {}) => askAll(subjects.office(name), body, options),
    readStale: async (name, body = {}, options = {}) =>
      (await askAll(subjects.stale(name), body, options)) as { seq: number; ageMs: number },
    async readNow(name, body = {}) {
      try {
        return await askOnce(subjects.office(name), encode(body), NOW_TIMEOUT_MS, undefined);
      } catch (error) {
        if (isNobody(toSwarmError(error).code)) return null;
        throw error;
      }
    },
    tenure: async (options = {}) =>
      (await ask(subjects.office("tenure"), {}, options)) as unknown as TenureReply,
    transfer: async (to, { term, ...options } = {}) =>
      (await ask(subjects.office("transfer"), { to, term }, options)) as unknown as {
        from: string;
        to: string;
        term: number;
      },
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
