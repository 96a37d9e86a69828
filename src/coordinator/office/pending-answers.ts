// The callers of one coordinator that wait for a decision or a read. Each caller gets one answer within a bounded time. Owns
// the waiting callers; driver.ts passes them the answers of the member (consensus/).
import type { Clock } from "../../base/index.ts";
import type { AnswerError, MemberEffects } from "../../consensus/index.ts";
import { type Json, SwarmError } from "../../protocol/index.ts";

/**
 * The longest wait for an answer, in ms: longer than the retries of an append take on a healthy server, and shorter than the
 * wait of a client.
 */
const ANSWER_TIMEOUT_MS = 2_500;

/** A waiting caller; only the first answer counts. */
interface Waiter {
  resolve(value: Json): void;
  reject(error: SwarmError): void;
}

/** The waiting callers of one coordinator. */
export class PendingAnswers {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Waiter[]>();
  readonly #byTicket = new Map<string, Waiter>();
  #tickets = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Waits for the decision under `key`. Calls `begin` unless another caller waits for the same key: one decision answers
   * all of them.
   * @throws SwarmError the reason why this member did not decide the command; `unavailable` when the outcome is unknown.
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

  /** Waits for the read that `begin` starts under the given ticket. @throws SwarmError as `decide`. */
  async read(begin: (ticket: string) => void): Promise<void> {
    await this.#wait((waiter) => {
      const ticket = String(++this.#tickets);
      this.#byTicket.set(ticket, waiter);
      begin(ticket);
      return () => this.#byTicket.delete(ticket);
    });
  }

  /** Passes the member's answers to the waiting callers. */
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

  /** Rejects all waiting callers. Call it when the coordinator stops. */
  end(): void {
    for (const waiter of [...this.#byKey.values()].flat()) waiter.reject(toError("unknown", null));
    for (const waiter of [...this.#byTicket.values()]) waiter.reject(toError("not_leader", null));
  }

  /**
   * Starts something and waits for its answer, for at most {@link ANSWER_TIMEOUT_MS}. `begin` returns a function that
   * removes the waiting caller.
   */
  #wait(begin: (waiter: Waiter) => () => void): Promise<Json> {
    return new Promise((resolve, reject) => {
      let remove: () => void = () => undefined;
      let isDone = false;
      const settle = (run: () => void) => {
        if (isDone) return;
        isDone = true;
        cancel();
        remove();
        run();
      };
      const cancel = this.#clock.after(ANSWER_TIMEOUT_MS, () =>
        settle(() => reject(toError("unknown", null))),
      );
      const removal = begin({
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      });
      if (isDone) removal();
      else remove = removal;
    });
  }
}

/** The member's reason for not deciding a command, as an error of the catalogue. */
export function toError(error: AnswerError, leader: string | null): SwarmError {
  switch (error) {
    case "not_leader":
      return new SwarmError(
        "not_leader",
        `this coordinator does not hold the office${leader === null ? "" : `; ${leader} may hold it`}: ask again`,
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
