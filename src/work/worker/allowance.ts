// The allowance: how many tasks of each capability this process may start now. It combines free slots, the permits of
// limits that hold across processes (limiter.ts), and a short pause while most keys of a limit by key are full.
import type { Chance, Clock, Logger } from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { KnownTask } from "../attempt/in-flight.ts";
import { createLimiters, type Limiter, type Limiters, type Permit } from "../limits/limiter.ts";
import type { CapabilityLimits, Workforce } from "../ports.ts";

/** Deliveries in a row with a full key before the capability pauses; the number of free slots, when that is higher. */
const MAX_FULL_KEYS = 128;
/**
 * How long the capability pauses, in ms. Without a pause, the host would pull and give back a backlog of one full key as
 * fast as the server can. With it, there are at most some 1,300 such deliveries a second, a few per cent of a core.
 */
const FULL_KEYS_PAUSE_MS = 100;

/** The parts of an allowance. */
interface AllowanceParts {
  transport: Transport;
  log: Logger;
  hostId: string;
  workforce: Workforce;
  limits: ReadonlyMap<string, CapabilityLimits | undefined>;
  clock: Clock;
  chance: Chance;
  /** How many tasks of a capability are known to wait. */
  backlogOf: (capability: string) => number;
  /** Called when more tasks may have become startable. */
  onMore: () => void;
}

/** The allowance of one process. */
export class Allowance {
  readonly #parts: AllowanceParts;
  /** By capability: deliveries in a row that were given back because their key was full. */
  readonly #fullKeys = new Map<string, number>();
  readonly #paused = new Set<string>();
  #limiters: Limiters | undefined;

  constructor(parts: AllowanceParts) {
    this.#parts = parts;
  }

  start(): void {
    const { transport, hostId, clock, chance, log, onMore } = this.#parts;
    const bucket = transport.bucket("limits");
    this.#limiters = createLimiters({ bucket, holder: hostId, clock, chance, log, onReady: onMore });
  }

  /** Gives every permit back. */
  async stop(): Promise<void> {
    await this.#limiters?.stop();
  }

  /** The limiter of a capability's own limits, or null when it has none. */
  limiterOf(capability: string): Limiter | null {
    const own = this.#parts.limits.get(capability);
    if (own === undefined || this.#limiters === undefined) return null;
    if (own.concurrency === undefined && own.rate === undefined) return null;
    return this.#limiters.of(capability, undefined, own);
  }

  /** The permit of a task's key, or the wait for it in ms; null when no key limits the task. */
  permitFor(task: KnownTask): Promise<Permit | { waitMs: number }> | null {
    const { capability } = task;
    const perKey = this.#parts.limits.get(capability)?.perKey;
    const key = perKey?.of(task);
    if (perKey === undefined || key === undefined || this.#limiters === undefined) return null;
    return this.#limiters
      .of(capability, key, perKey)
      .acquire()
      .then((answer) => {
        this.#fullKeys.set(capability, "waitMs" in answer ? (this.#fullKeys.get(capability) ?? 0) + 1 : 0);
        return answer;
      });
  }

  /** True when a limit of its key holds for the task. */
  hasKey(task: KnownTask): boolean {
    const perKey = this.#parts.limits.get(task.capability)?.perKey;
    return perKey?.of(task) !== undefined;
  }

  /** How many tasks of a capability the host may pull. Also reports the wanted permits to the limiter. */
  freeOf(capability: string): number {
    const free = this.#parts.workforce.free(capability);
    if ((this.#fullKeys.get(capability) ?? 0) > Math.max(MAX_FULL_KEYS, free)) this.#pause(capability);
    if (this.#paused.has(capability)) return 0;
    const limiter = this.limiterOf(capability);
    if (limiter === null || free <= 0) {
      limiter?.want(0);
      return free;
    }
    limiter.want(Math.min(free, Math.max(1, this.#parts.backlogOf(capability))));
    return Math.min(free, limiter.ready());
  }

  #pause(capability: string): void {
    this.#fullKeys.set(capability, 0);
    this.#paused.add(capability);
    // The timer itself ends the pause. A comparison of times would not: the timer may fire a moment early, and then no
    // later look would come.
    this.#parts.clock.after(FULL_KEYS_PAUSE_MS, () => {
      this.#paused.delete(capability);
      this.#parts.onMore();
    });
  }
}
