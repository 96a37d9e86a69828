// The time limits of a process that must stop: its grace, then a moment for its last messages, then the end. Leaves the
// order of the stop to frame.ts.
// I1: nothing that waits for NATS waits longer than the grace and LAST_MESSAGES_MS: then the connection closes, and every
//     request on it fails at once, so that each service can still end by itself.
// I2: after ABANDON_MS more the process goes on without the services that have not ended.
import { type Clock, type Logger, systemClock } from "../../base/index.ts";

/**
 * The time after the grace, in ms: the process then gives back its tasks, stores its last records and says goodbye.
 * Measured with a healthy server: below 50 ms.
 */
export const LAST_MESSAGES_MS = 1_000;
/** The time that services have to end after the connection was closed, in ms. With LAST_MESSAGES_MS it leaves room below 2 s. */
export const ABANDON_MS = 500;

/** Limits the end of one process. */
export class StopLimit {
  readonly #graceMs: number;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #overdue = Promise.withResolvers<"overdue">();
  readonly #cancels: (() => void)[] = [];
  #connection: { close(): Promise<void> } | undefined;
  #hasBegun = false;
  #isOver = false;

  constructor(options: { graceMs: number; log: Logger; clock?: Clock }) {
    this.#graceMs = options.graceMs;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
  }

  /** The connection that closes when the time for the last messages is over (I1). */
  limit(connection: { close(): Promise<void> }): void {
    this.#connection = connection;
    if (this.#isOver) void this.#close();
  }

  /** Starts the time, once: at the signal to stop, or when the process fails. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const closeAfterMs = this.#graceMs + LAST_MESSAGES_MS;
    this.#after(closeAfterMs, () => {
      this.#isOver = true;
      this.#log.warn(
        { graceMs: this.#graceMs, lastMessagesMs: LAST_MESSAGES_MS },
        "grace is over and the process still waits; closing its connection to NATS",
      );
      void this.#close();
    });
    this.#after(closeAfterMs + ABANDON_MS, () => this.#overdue.resolve("overdue"));
  }

  /**
   * Settles as `work` does, or resolves when the time is over (I2). Without `begin`, the time does not run.
   * @param doing names the work in the log line: a noun, for example `stop of the services`.
   */
  async within(work: Promise<unknown>, doing: string): Promise<void> {
    const outcome = await Promise.race([work.then(() => "done" as const), this.#overdue.promise]);
    if (outcome === "done") return;
    work.catch(() => undefined);
    this.#log.error({ doing }, "the process still waits after its grace; it ends without waiting longer");
  }

  /** Stops the timers. */
  end(): void {
    for (const cancel of this.#cancels) cancel();
  }

  #after(delayMs: number, act: () => void): void {
    this.#cancels.push(this.#clock.after(delayMs, act));
  }

  async #close(): Promise<void> {
    await this.#connection?.close().catch((error: unknown) => {
      this.#log.warn({ err: error }, "the connection to NATS did not close cleanly");
    });
  }
}
