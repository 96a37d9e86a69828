// The deliveries that this engine holds: it renews their ack-wait until it answers them.
// H1  A redelivery of a held message is the same trigger: it replaces the delivery, and is not passed on.
import type { Clock } from "../../base/index.ts";
import type { Delivery } from "../../transport/index.ts";

/** The ack-wait of the consumers of a lane, in ms: after this time without an engine, another one gets its triggers. */
export const LANE_ACK_WAIT_MS = 2_000;
/** The time between two renewals, in ms: two may be lost. */
const RENEW_MS = 600;

/** A held delivery. Exactly one of `ack` and `giveBack` counts. */
export interface Held {
  readonly delivery: Delivery;
  /** Removes the message. */
  ack(): void;
  /** Gives the message back, for a redelivery after `delayMs`. */
  giveBack(delayMs: number): void;
}

/** All deliveries of one consumer that are held. */
export class HeldDeliveries {
  readonly #held = new Map<number, HeldDelivery>();
  readonly #clock: Clock;
  readonly #onRelease: () => void;
  #cancelRenewal: (() => void) | undefined;

  constructor(clock: Clock, onRelease: () => void) {
    this.#clock = clock;
    this.#onRelease = onRelease;
  }

  get count(): number {
    return this.#held.size;
  }

  /** Holds a delivery; null when its message is held already (H1). */
  hold(delivery: Delivery): Held | null {
    const known = this.#held.get(delivery.seq);
    if (known !== undefined) {
      known.delivery = delivery;
      return null;
    }
    const held = new HeldDelivery(delivery, () => {
      if (!this.#held.delete(delivery.seq)) return false;
      this.#onRelease();
      return true;
    });
    this.#held.set(delivery.seq, held);
    this.#cancelRenewal ??= this.#clock.after(RENEW_MS, () => this.#renew());
    return held;
  }

  #renew(): void {
    this.#cancelRenewal = undefined;
    for (const { delivery } of this.#held.values()) delivery.working();
    if (this.#held.size > 0) this.#cancelRenewal = this.#clock.after(RENEW_MS, () => this.#renew());
  }

  /** Ends the renewals. */
  close(): void {
    this.#cancelRenewal?.();
  }
}

class HeldDelivery implements Held {
  delivery: Delivery;
  readonly #release: () => boolean;

  constructor(delivery: Delivery, release: () => boolean) {
    this.delivery = delivery;
    this.#release = release;
  }

  ack(): void {
    if (this.#release()) this.delivery.ack();
  }

  giveBack(delayMs: number): void {
    if (this.#release()) this.delivery.nak(delayMs);
  }
}
