// Writes one line of log for each failed attempt and each failed ask, with the trace. settlement.ts and the ask desk of the
// agent room call it.
// I1: at most {@link LINES_PER_SECOND} lines a second: an agent that fails on each of thousands of tasks must not fill the
//     disk. The log counts the other failures, and writes their number at the end of the second.
import type { Clock, Logger } from "../../base/index.ts";
import type { Result } from "../../protocol/index.ts";

/** The most lines a second. A person reads fewer; the journal and the dead letters have all traces. */
export const LINES_PER_SECOND = 20;
const SECOND_MS = 1_000;

/** An error as results and records show it. */
export type ShownError = NonNullable<Result["error"]>;

/** A failed attempt, as its log line shows it. */
export interface LoggedFailure {
  at: { taskId: string; capability: string };
  number: number;
  agent: string;
  error: ShownError;
  trace: string;
  /** The time until the retry, in ms; null when the task has failed for good; `ask` when the asker gets the error. */
  retryInMs: number | null | "ask";
}

/** The log of failed attempts of one process. */
export class FailureLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  #lines = 0;
  #notLogged = 0;

  constructor({ log, clock }: { log: Logger; clock: Clock }) {
    this.#log = log;
    this.#clock = clock;
  }

  write({ at, number, agent, error, trace, retryInMs }: LoggedFailure): void {
    if (this.#lines === 0) this.#clock.after(SECOND_MS, () => this.#endSecond());
    if (++this.#lines > LINES_PER_SECOND) {
      this.#notLogged++;
      return;
    }
    const { taskId, capability } = at;
    const { code, message } = error;
    const facts = { taskId, capability, attempt: number, agent, code, error: message, stack: trace };
    if (retryInMs === "ask") this.#log.warn(facts, "ask failed; the asker gets the error");
    else if (retryInMs === null) this.#log.warn(facts, "attempt failed; the task has failed");
    else this.#log.warn(facts, `attempt failed; retrying in ${Math.round(retryInMs)} ms`);
  }

  #endSecond(): void {
    this.#lines = 0;
    if (this.#notLogged === 0) return;
    const notLogged = this.#notLogged;
    this.#notLogged = 0;
    this.#log.warn(
      { notLogged },
      "further failed attempts of the last second not logged; see murmur task show and murmur dead ls",
    );
  }
}
