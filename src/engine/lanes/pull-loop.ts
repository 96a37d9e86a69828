// Pulls the messages of one consumer of a lane for as long as this engine serves the lane.
// P1  The open pulls ask for no more than the loop may still hold, so that messages wait on the server and not here.
import { backoffDelayMs, type Chance, type Clock, type Logger } from "../../base/index.ts";
import { toSwarmError } from "../../protocol/index.ts";
import type { Pull, PullEnd, QueueConsumer } from "../../transport/index.ts";
import { type Held, HeldDeliveries } from "./held.ts";

/** The most held deliveries of one loop. An engine of eight lanes holds at most 16 times as many, some 10 KiB each. */
const MAX_HELD = 512;
/** The most messages of one pull. */
const BATCH = 256;
/** A new pull opens when the open ones bring fewer messages than this, so that there is always one on the server. */
const LOW = 64;
/** How long a pull stays open on the server, in ms. */
const PULL_EXPIRES_MS = 30_000;
/** The waits before a lost pull or a missing consumer is tried again. */
const PULL_LOOP_BACKOFF = { backoffMs: 50, factor: 2, maxBackoffMs: 1_000, jitter: 0.5 };

interface LoopParts {
  /** Finds the consumer, or makes it where this process may. */
  readonly open: () => Promise<QueueConsumer>;
  readonly onHeld: (held: Held) => void;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Logger;
}

/** One loop. */
export class PullLoop {
  readonly #parts: LoopParts;
  readonly #held: HeldDeliveries;
  readonly #pulls = new Set<Pull>();
  #consumer: QueueConsumer | null = null;
  #isStopped = false;
  #isOpening = false;
  #failures = 0;
  #cancelRetry: () => void = () => undefined;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#held = new HeldDeliveries(parts.clock, () => this.#fill());
  }

  start(): void {
    void this.#open();
  }

  /** Stops pulling. Deliveries in flight go back at once; held ones stay with their holders, who answer them. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry();
    for (const pull of [...this.#pulls]) pull.cancel();
  }

  /** Ends the renewals of held deliveries. */
  close(): void {
    this.stop();
    this.#held.close();
  }

  async #open(): Promise<void> {
    if (this.#isStopped || this.#isOpening) return;
    this.#isOpening = true;
    try {
      this.#consumer ??= await this.#parts.open();
      this.#isOpening = false;
      this.#fill();
    } catch (error) {
      this.#isOpening = false;
      this.#parts.log.warn({ err: toSwarmError(error) }, "consumer of a lane not there; looking again");
      this.#retryLater();
    }
  }

  #retryLater(): void {
    if (this.#isStopped) return;
    this.#cancelRetry();
    const delayMs = backoffDelayMs(PULL_LOOP_BACKOFF, ++this.#failures, this.#parts.chance);
    this.#cancelRetry = this.#parts.clock.after(delayMs, () => void this.#open());
  }

  /** Opens a pull when the open ones bring few messages, as far as the loop may hold them (P1). */
  #fill(): void {
    if (this.#isStopped || this.#consumer === null) return;
    let open = 0;
    for (const pull of this.#pulls) open += pull.remaining;
    const room = MAX_HELD - this.#held.count - open;
    if (open >= LOW || room < LOW) return;
    const pull: Pull = this.#consumer.pull(
      { max: Math.min(BATCH, room), expiresMs: PULL_EXPIRES_MS },
      {
        onDelivery: (delivery) => {
          this.#failures = 0;
          const held = this.#held.hold(delivery);
          if (held !== null) this.#parts.onHeld(held);
          this.#fill();
        },
        onEnd: (end) => this.#onEnd(pull, end),
      },
    );
    this.#pulls.add(pull);
  }

  #onEnd(pull: Pull, end: PullEnd): void {
    this.#pulls.delete(pull);
    if (end === "filled" || end === "expired") this.#fill();
    else if (end === "gone" || end === "lost") {
      if (end === "gone") this.#consumer = null;
      this.#retryLater();
    }
  }
}
