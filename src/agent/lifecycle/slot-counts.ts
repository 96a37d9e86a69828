// Counts the slots of one agent by their state, and derives the agent's work phase from the counts. It knows no tasks and
// no time.
// I1: the counts are never negative and always add up to `total`. A violation is a bug and fails an assertion.
import { assert } from "../../base/index.ts";
import { WAITING_REASONS, type WaitingReason } from "../../protocol/index.ts";
import type { WorkPhase } from "./machine.ts";

/** The state of one slot. A waiting slot has the reason of its wait as its state. */
export type SlotState = "free" | "preparing" | "working" | "reporting" | WaitingReason;

export class SlotCounts {
  readonly total: number;
  readonly #counts: Record<SlotState, number>;

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

  /** Changes the state of one slot. */
  move(from: SlotState, to: SlotState): void {
    assert(this.#counts[from] > 0, `a slot was moved from ${from} to ${to}, but no slot is ${from}`);
    this.#counts[from]--;
    this.#counts[to]++;
  }

  /**
   * The work phase of the agent: the phase of its most advanced work. Reporting comes before working, working before
   * waiting, waiting before preparing. So the agent is `waiting` only when none of its slots is working.
   */
  phase(): WorkPhase {
    const { free, preparing, working, reporting } = this.#counts;
    if (free === this.total) return "idle";
    if (reporting > 0) return "reporting";
    if (working > 0) return "working";
    return free + preparing < this.total ? "waiting" : "preparing";
  }

  /** The reason of most waiting slots; with equal counts, the first in the order of WAITING_REASONS. */
  waitingReason(): WaitingReason | null {
    let most: WaitingReason | null = null;
    for (const reason of WAITING_REASONS) {
      if (this.#counts[reason] > (most === null ? 0 : this.#counts[most])) most = reason;
    }
    return most;
  }
}
