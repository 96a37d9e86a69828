// The slots of one agent: where each of them stands. Counts only; it knows no task and no time.
// I1: the counts are never negative and always add up to `total`; breaking this is a bug and asserted.
import { assert } from "../../base/index.ts";
import { WAITING_REASONS, type WaitingReason } from "../../protocol/index.ts";
import type { WorkPhase } from "./machine.ts";

/** Where one slot stands. A waiting slot stands at what it waits for. */
export type SlotPlace = "free" | "preparing" | "working" | "reporting" | WaitingReason;

export class SlotCounts {
  readonly total: number;
  readonly #counts: Record<SlotPlace, number>;

  constructor(total: number) {
    this.total = total;
    this.#counts = {
      free: total,
      preparing: 0,
      working: 0,
      reporting: 0,
      model: 0,
      tool: 0,
      human: 0,
      lock: 0,
      rate_limit: 0,
      agent: 0,
      queue: 0,
      timer: 0,
    };
  }

  get free(): number {
    return this.#counts.free;
  }

  get used(): number {
    return this.total - this.#counts.free;
  }

  /** Moves one slot. */
  move(from: SlotPlace, to: SlotPlace): void {
    assert(this.#counts[from] > 0, `a slot was moved from ${from} to ${to}, but none is ${from}`);
    this.#counts[from]--;
    this.#counts[to]++;
  }

  /**
   * What the agent does as a whole: its furthest-along work. Reporting is further than working, working further than
   * waiting (an agent waits only when nothing of it works), waiting further than preparing.
   */
  phase(): WorkPhase {
    const { free, preparing, working, reporting } = this.#counts;
    if (free === this.total) return "idle";
    if (reporting > 0) return "reporting";
    if (working > 0) return "working";
    return free + preparing < this.total ? "waiting" : "preparing";
  }

  /** What most of the waiting slots wait for; of equals, the first in the order of WAITING_REASONS. */
  waitingReason(): WaitingReason | null {
    let most: WaitingReason | null = null;
    for (const reason of WAITING_REASONS) {
      if (this.#counts[reason] > (most === null ? 0 : this.#counts[most])) most = reason;
    }
    return most;
  }
}
