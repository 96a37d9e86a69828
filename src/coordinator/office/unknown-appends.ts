// Logs appends with an unknown outcome: once when it begins and once when it ends, although the append may be repeated ten
// times a second while NATS elects. Owns the log lines; the member repeats and settles the appends.
import type { Logger } from "../../base/index.ts";

/** The append of one coordinator whose outcome is unknown, if there is one. */
export class UnknownAppends {
  readonly #log: Logger;
  #open: { readonly expectedLastSeq: number; readonly sinceMs: number; tries: number } | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Notes that a try after `expectedLastSeq` had an unknown outcome. */
  note(expectedLastSeq: number, err: unknown): void {
    if (this.#open?.expectedLastSeq === expectedLastSeq) {
      this.#open.tries++;
      return;
    }
    this.#open = { expectedLastSeq, sinceMs: performance.now(), tries: 1 };
    this.#log.warn({ err, expectedLastSeq }, "append outcome unknown; repeating until it is known");
  }

  /** Notes that the log answered a try. */
  settle(): void {
    if (this.#open === null) return;
    const { expectedLastSeq, sinceMs, tries } = this.#open;
    this.#open = null;
    const tookMs = Math.round(performance.now() - sinceMs);
    this.#log.info({ expectedLastSeq, tries, tookMs }, "the control log answers again");
  }
}
