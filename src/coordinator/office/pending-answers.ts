// Whoever waits for a decision or a read: answered once, and never for ever. Owns the waiting; what is answered is the
// member's (consensus/).
import type { Clock } from "../../base/index.ts";
import type { AnswerError, MemberEffects } from "../../consensus/index.ts";
import { type Json, SwarmError } from "../../protocol/index.ts";

/** Who waits for an answer waits this long, in ms: above an append's repeats on a healthy server, below a client's own time. */
const ANSWER_TIMEOUT_MS = 2_500;

/** Somebody who waits; only the first answer counts. */
interface Waiter {
  resolve(value: Json): void;
  reject(error: SwarmError): void;
}

/** All who wait at one coordinator. */
export class PendingAnswers {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Waiter[]>();
  readonly #byTicket = new Map<string, Waiter>();
  #tickets = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Waits for the decision under `key`; `begin` is called unless it is under way already: one decision answers all.
   * @throws SwarmError why it was not decided here, or `unavailable`: undecided as far as is known here.
   */
  decide(key: string, begin: () => void): Promise<Json> {
    return this.#wait((waiter) => {
      const others = this.#byKey.get(key);
      if (others !== undefined) others.push(waiter);
      else {
        this.#byKey.set(key, [waiter]);
        begin();
      }
      return () => {
        const rest = this.#byKey.get(key)?.filter((other) => other !== waiter) ?? [];
        if (rest.length > 0) this.#byKey.set(key, rest);
        else this.#byKey.delete(key);
      };
    });
  }

  /** Waits for the read that `begin` asks for under its ticket. @throws SwarmError as `decide`. */
  async read(begin: (ticket: string) => void): Promise<void> {
    await this.#wait((waiter) => {
      const ticket = String(++this.#tickets);
      this.#byTicket.set(ticket, waiter);
      begin(ticket);
      return () => this.#byTicket.delete(ticket);
    });
  }

  /** Gives the member's answers to those who wait for them. */
  answer({ answers, reads }: Pick<MemberEffects<never>, "answers" | "reads">, leader: string | null): void {
    for (const answer of answers) {
      for (const waiter of this.#byKey.get(answer.key) ?? []) {
        if (answer.ok) waiter.resolve(answer.value);
        else waiter.reject(toError(answer.error, answer.leader ?? null));
      }
    }
    for (const { ticket, ok, error } of reads) {
      const reader = this.#byTicket.get(ticket);
      if (ok) reader?.resolve(null);
      else reader?.reject(toError(error ?? "not_leader", leader));
    }
  }

  /** Nobody is answered any more. */
  end(): void {
    for (const waiter of [...this.#byKey.values()].flat()) waiter.reject(toError("unknown", null));
    for (const waiter of [...this.#byTicket.values()]) waiter.reject(toError("not_leader", null));
  }

  /** Begins something and waits for its answer, at most {@link ANSWER_TIMEOUT_MS}; `begin` gives what forgets the waiter. */
  #wait(begin: (waiter: Waiter) => () => void): Promise<Json> {
    return new Promise((resolve, reject) => {
      let forget: () => void = () => undefined;
      let isDone = false;
      const settle = (run: () => void) => {
        if (isDone) return;
        isDone = true;
        cancel();
        forget();
        run();
      };
      const cancel = this.#clock.after(ANSWER_TIMEOUT_MS, () =>
        settle(() => reject(toError("unknown", null))),
      );
      const begun = begin({
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      });
      if (isDone) begun();
      else forget = begun;
    });
  }
}

/** What the member says of a command that it did not decide, in words of the catalogue. */
export function toError(error: AnswerError, leader: string | null): SwarmError {
  switch (error) {
    case "not_leader":
      return new SwarmError(
        "not_leader",
        `this coordinator does not hold the office${leader === null ? "" : `; ${leader} may`}: ask again`,
      );
    case "overloaded":
      return new SwarmError("rate_limited", "too many commands wait for the control log: ask again later", {
        retryAfterMs: 200,
      });
    case "unavailable":
      return new SwarmError("unavailable", "the office is being handed over: ask again");
    case "unknown":
      return new SwarmError(
        "unavailable",
        "the control log did not confirm in time: ask again with the same key",
      );
    default:
      return error satisfies never;
  }
}
