// Tells the audit log and the process's log about refusals on the bus: messages whose reply subject this process did not publish to,
// and operations that NATS did not permit this process. The transport refuses and counts; this file keeps the notes rare, because
// both may come in any number.
// I1: at most one note of a kind for each period, and none without a refusal; the counts of all notes add up to their number.
import {
  type Clock,
  createService,
  type Logger,
  type Service,
  systemClock,
  toIsoTime,
} from "../../base/index.ts";
import type { Audit } from "../../protocol/index.ts";
import type { RefusedReply, Transport, Violation } from "../../transport/index.ts";
import type { RefusedOperation } from "../operations/operation.ts";

/** The shortest time between two notes of a kind, in ms: 1,440 a day at most, below 1 % of the audit log in its 90 days. */
export const NOTE_PERIOD_MS = 60_000;

/** Takes notes of refusals while it runs. Stop it before the audit writer. */
export function auditRefusals(parts: {
  transport: Pick<Transport, "onReplyRefused" | "onViolation">;
  audit: Audit;
  log: Logger;
  clock?: Clock;
}): Service {
  const { transport, audit, log, clock = systemClock } = parts;
  const replies = new RareNotes<RefusedReply>(clock, (facts) => {
    audit({ kind: "reply-refused", facts });
    log.warn(facts, "message wants its answer on a subject outside _INBOX; not answered");
  });
  const violations = new RareNotes<Violation>(clock, (facts) => {
    audit({ kind: "not-permitted", facts });
    log.warn(
      facts,
      "NATS does not permit this process an operation; give its user the permission, or take another user",
    );
  });
  const subscriptions: { close(): void }[] = [];
  return createService({
    name: "refusals",
    start() {
      subscriptions.push(
        transport.onReplyRefused((refused) => replies.take(refused)),
        transport.onViolation((violation) => violations.take(violation)),
      );
    },
    stop() {
      for (const subscription of subscriptions) subscription.close();
      replies.end();
      violations.end();
    },
  });
}

/** The most callers whose refusals are counted apart; more share one count. permissions.yaml names fewer users of a kind. */
const MAX_CALLERS = 1_000;

/** Takes notes of operations that the api process refused its callers, while it runs. Stop it before the audit writer. */
export function auditRefusedOperations(parts: { audit: Audit; log: Logger; clock?: Clock }): {
  onRefused: (refused: RefusedOperation) => void;
  service: Service;
} {
  const { audit, log, clock = systemClock } = parts;
  const byCaller = new Map<string, RareNotes<RefusedOperation>>();
  const notesOf = (caller: string) => {
    const key = byCaller.has(caller) || byCaller.size < MAX_CALLERS ? caller : "";
    const notes =
      byCaller.get(key) ??
      new RareNotes<RefusedOperation>(clock, (facts) => {
        audit({ kind: "operation-refused", facts });
        log.warn(facts, "operation refused its caller; nothing was done");
      });
    byCaller.set(key, notes);
    return notes;
  };
  return {
    onRefused: (refused) => notesOf(refused.by).take(refused),
    service: createService({
      name: "refused operations",
      start: () => undefined,
      stop: () => {
        for (const notes of byCaller.values()) notes.end();
      },
    }),
  };
}

/** The facts of a note: `count` refusals between `from` and `to`, and those of the last one. */
type Counted<T> = { count: number; from: string; to: string } & T;

/** Writes at most one note for each period (I1). */
class RareNotes<T extends object> {
  readonly #clock: Clock;
  readonly #write: (facts: Counted<T>) => void;
  #waiting: { count: number; fromMs: number; last: T } | null = null;
  #cancelPeriod: (() => void) | undefined;

  constructor(clock: Clock, write: (facts: Counted<T>) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  take(refusal: T): void {
    const { count, fromMs } = this.#waiting ?? { count: 0, fromMs: this.#clock.now() };
    this.#waiting = { count: count + 1, fromMs, last: refusal };
    if (this.#cancelPeriod === undefined) this.#note();
  }

  /** Writes the note of the refusals so far, and begins a period; until its end, further ones only count. */
  #note(): void {
    this.#cancelPeriod = undefined;
    if (this.#waiting === null) return;
    const { count, fromMs, last } = this.#waiting;
    this.#waiting = null;
    this.#write({ count, from: toIsoTime(fromMs), to: toIsoTime(this.#clock.now()), ...last });
    this.#cancelPeriod = this.#clock.after(NOTE_PERIOD_MS, () => this.#note());
  }

  end(): void {
    this.#cancelPeriod?.();
    this.#note();
    this.#cancelPeriod?.();
  }
}
