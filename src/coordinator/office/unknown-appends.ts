// Tells of appends whose fate is unknown: once when it begins and once when it is over, however often they are repeated
// meanwhile (ten times a second while NATS elects). Owns the words; repeating and settling are the member's.
import type { Logger } from "../../base/index.ts";

/** What one coordinator does not know of its appends. */
export class UnknownAppends {
  readonly #log: Logger;
  #open: { readonly expectedLastSeq: number; readonly sinceMs: number; tries: number } | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** A try behind `expectedLastSeq` came to nothing that is known. */
  note(expectedLastSeq: number, err: unknown): void {
    if (this.#open?.expectedLastSeq === expectedLastSeq) {
      this.#open.tries++;
      return;
    }
    this.#open = { expectedLastSeq, sinceMs: performance.now(), tries: 1 };
    this.#log.warn(
      { err, expectedLastSeq },
      "the fate of an append is unknown; it is repeated until it is known",
    );
  }

  /** The log answered a try. */
  settle(): void {
    if (this.#open === null) return;
    const { expectedLastSeq, sinceMs, tries } = this.#open;
    this.#open = null;
    const tookMs = Math.round(performance.now() - sinceMs);
    this.#log.info({ expectedLastSeq, tries, tookMs }, "the control log answers again");
  }
}
