// Tells the audit log and the process's log about messages whose reply subject this process did not publish to. The transport
// refuses and counts them; this file keeps the notes rare, because every client may send any number of such messages.
// I1: at most one note for each period, and none without such a message; the counts of all notes add up to their number.
import {
  type Clock,
  createService,
  type Logger,
  type Service,
  systemClock,
  toIsoTime,
} from "../../base/index.ts";
import type { Audit } from "../../protocol/index.ts";
import type { RefusedReply, Transport } from "../../transport/index.ts";

/** The shortest time between two notes, in ms: 1,440 a day at most, below 1 % of the audit log in its 90 days. */
export const NOTE_PERIOD_MS = 60_000;

/** Takes notes of refused reply subjects while it runs. Stop it before the audit writer. */
export function auditRefusedReplies(parts: {
  transport: Pick<Transport, "onReplyRefused">;
  audit: Audit;
  log: Logger;
  clock?: Clock;
}): Service {
  const notes = new RefusalNotes(parts.audit, parts.log, parts.clock ?? systemClock);
  let subscription: { close(): void } | undefined;
  return createService({
    name: "refused replies",
    start() {
      subscription = parts.transport.onReplyRefused((refused) => notes.take(refused));
    },
    stop() {
      subscription?.close();
      notes.end();
    },
  });
}

class RefusalNotes {
  readonly #audit: Audit;
  readonly #log: Logger;
  readonly #clock: Clock;
  #waiting: { count: number; fromMs: number; last: RefusedReply } | null = null;
  #cancelPeriod: (() => void) | undefined;

  constructor(audit: Audit, log: Logger, clock: Clock) {
    this.#audit = audit;
    this.#log = log;
    this.#clock = clock;
  }

  take(refused: RefusedReply): void {
    const { count, fromMs } = this.#waiting ?? { count: 0, fromMs: this.#clock.now() };
    this.#waiting = { count: count + 1, fromMs, last: refused };
    if (this.#cancelPeriod === undefined) this.#write();
  }

  /** Writes the note of the messages so far, and begins a period; until its end, further messages only count (I1). */
  #write(): void {
    this.#cancelPeriod = undefined;
    if (this.#waiting === null) return;
    const { count, fromMs, last } = this.#waiting;
    this.#waiting = null;
    const facts = { count, from: toIsoTime(fromMs), to: toIsoTime(this.#clock.now()), ...last };
    this.#audit({ kind: "reply-refused", facts });
    this.#log.warn(facts, "message wants its answer on a subject outside _INBOX; not answered");
    this.#cancelPeriod = this.#clock.after(NOTE_PERIOD_MS, () => this.#write());
  }

  end(): void {
    this.#cancelPeriod?.();
    this.#write();
    this.#cancelPeriod?.();
  }
}
