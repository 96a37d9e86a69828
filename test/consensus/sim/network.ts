// The network between the nodes. It loses, repeats, delays and reorders messages, and cuts single directions.

import type { Stage } from "./stage.ts";

/** The faults of the network. */
export const NETWORK_FAULTS = [
  "message lost",
  "message duplicated",
  "message delayed",
  "message reordered",
  "direction cut",
] as const;

/** A network with fault rates drawn from the seed. */
export class Network {
  readonly #stage: Stage;
  readonly #loss: number;
  readonly #duplication: number;
  readonly #delayMax: number;
  /** The step until which a direction is cut, by `from>to`. */
  readonly #cuts = new Map<string, number>();
  /** The step at which the last message of a direction arrives, by `from>to`. */
  readonly #lastArrivals = new Map<string, number>();

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#loss = stage.pick([0, 0.02, 0.1, 0.3]);
    this.#duplication = stage.pick([0, 0.05, 0.2]);
    this.#delayMax = stage.pick([1, 3, 12]);
  }

  /** Cuts one direction. */
  cut(from: string, to: string, until: number): void {
    this.#cuts.set(`${from}>${to}`, until);
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** Sends a message, which may be lost or duplicated. `arrive` is called once for each arrival. */
  post(from: string, to: string, arrive: () => void): void {
    const direction = `${from}>${to}`;
    const isCut = (this.#cuts.get(direction) ?? 0) > this.#stage.now;
    if (isCut || this.#stage.strikes(this.#loss)) {
      this.#stage.count(isCut ? "direction cut" : "message lost");
      return;
    }
    this.#carry(direction, arrive);
    if (this.#stage.strikes(this.#duplication)) {
      this.#stage.count("message duplicated");
      this.#carry(direction, arrive);
    }
  }

  #carry(direction: string, arrive: () => void): void {
    const delay = this.#stage.isHealed ? 1 : this.#stage.between(1, this.#delayMax);
    if (delay > 1) this.#stage.count("message delayed");
    const arrival = this.#stage.now + delay;
    const last = this.#lastArrivals.get(direction) ?? 0;
    if (arrival < last) this.#stage.count("message reordered");
    this.#lastArrivals.set(direction, Math.max(arrival, last));
    this.#stage.at(delay, arrive);
  }
}
