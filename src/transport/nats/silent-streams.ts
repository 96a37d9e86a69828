// Remembers the streams that acknowledge no append although the server answers: nats-server does not answer an append that it cannot
// write, for example because its disk is full. log.ts tells the outcomes; /readyz and one log line tell people.
import type { Logger } from "../../base/index.ts";

/** How long a problem counts after the last append without an answer, in ms: without further appends nothing tells that it ended. */
const COUNTS_FOR_MS = 60_000;

/** The streams of one connection. */
export class SilentStreams {
  readonly #log: Pick<Logger, "warn" | "info">;
  readonly #nowMs: () => number;
  /** The time of the last append without an answer, by stream; an answer removes it. */
  readonly #silent = new Map<string, number>();

  constructor(log: Pick<Logger, "warn" | "info">, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Notes the outcome of an append while the connection stood. The first silence and its end write one log line each. */
  note(stream: string, isAnswered: boolean): void {
    const wasSilent = this.#silent.has(stream);
    if (isAnswered) {
      if (!wasSilent) return;
      this.#silent.delete(stream);
      this.#log.info({ stream }, "stream acknowledges messages again");
      return;
    }
    this.#silent.set(stream, this.#nowMs());
    if (!wasSilent) this.#log.warn({ stream }, describe(stream));
  }

  /** The problem of a stream that is silent now, with the next step; null without one. */
  get problem(): string | null {
    const sinceMs = this.#nowMs() - COUNTS_FOR_MS;
    const stream = [...this.#silent].find(([, lastMs]) => lastMs > sinceMs)?.[0];
    return stream === undefined ? null : describe(stream);
  }
}

function describe(stream: string): string {
  return `stream ${stream} acknowledges no message, though NATS answers: the disk of a server may be full, which the log of nats-server tells; then give it room and restart it`;
}
