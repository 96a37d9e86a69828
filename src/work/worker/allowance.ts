// How many tasks of each capability this process may start now: free slots, the permits of limits that hold across
// processes, and a pause while most keys of a limit by key are full.
import type { Chance, Clock, Logger } from "../../base/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { KnownTask } from "../attempt/admission.ts";
import { createLimiters, type Limiter, type Limiters, type Permit } from "../limits/limiter.ts";
import type { CapabilityLimits, Workforce } from "../ports.ts";

/** Deliveries in a row whose key was full before the capability is left alone for a moment, slots if those are more. */
const MAX_REFUSALS = 128;
/**
 * How long it is left alone, in ms. Without it, a backlog of one full key would be pulled and given back as fast as the
 * server can; with it, at most some 1,300 such deliveries a second, a few per cent of a core.
 */
const QUIET_MS = 100;

/** What a process may start. */
export interface Allowance {
  start(): void;
  /** Gives every permit back. */
  stop(): Promise<void>;
  /** How many tasks of a capability may be asked for. */
  freeOf(capability: string): number;
  /** The limiter of a capability's own limits, or null when it has none. */
  limiterOf(capability: string): Limiter | null;
  /** The permit of a task's key, or how long to wait for it; null when no key limits the task. */
  permitFor(task: KnownTask): Promise<Permit | { waitMs: number }> | null;
}

/**
 * The allowance of one process. `waitingOf` tells how many tasks of a capability are known to wait; `onMore` is called
 * when more may have become free.
 */
export function createAllowance(parts: {
  transport: Transport;
  log: Logger;
  hostId: string;
  workforce: Workforce;
  limits: ReadonlyMap<string, CapabilityLimits | undefined>;
  clock: Clock;
  chance: Chance;
  waitingOf: (capability: string) => number;
  onMore: () => void;
}): Allowance {
  const { limits, workforce, clock } = parts;
  /** Deliveries in a row that were given back because their key was full, by capability. */
  const refused = new Map<string, number>();
  /** Capabilities that are left alone for a moment. */
  const quiet = new Set<string>();
  let limiters: Limiters | undefined;

  function limiterOf(capability: string): Limiter | null {
    const own = limits.get(capability);
    if (own === undefined || limiters === undefined) return null;
    if (own.concurrency === undefined && own.rate === undefined) return null;
    return limiters.of(capability, undefined, own);
  }

  return {
    start() {
      limiters = createLimiters({
        bucket: parts.transport.bucket("limits"),
        holder: parts.hostId,
        clock,
        chance: parts.chance,
        log: parts.log,
        onReady: parts.onMore,
      });
    },
    stop: async () => limiters?.stop(),
    limiterOf,
    permitFor(task) {
      const perKey = limits.get(task.capability)?.perKey;
      const key = perKey?.of(task);
      if (perKey === undefined || key === undefined || limiters === undefined) return null;
      return limiters
        .of(task.capability, key, perKey)
        .acquire()
        .then((answer) => {
          const refusals = "waitMs" in answer ? (refused.get(task.capability) ?? 0) + 1 : 0;
          refused.set(task.capability, refusals);
          return answer;
        });
    },
    freeOf(capability) {
      const free = workforce.free(capability);
      if ((refused.get(capability) ?? 0) > Math.max(MAX_REFUSALS, free)) {
        refused.set(capability, 0);
        quiet.add(capability);
        // The timer itself ends the quiet: comparing clocks, one that fires a moment early would be the last to look.
        clock.after(QUIET_MS, () => {
          quiet.delete(capability);
          parts.onMore();
        });
      }
      if (quiet.has(capability)) return 0;
      const limiter = limiterOf(capability);
      if (limiter === null || free <= 0) {
        limiter?.want(0);
        return free;
      }
      limiter.want(Math.min(free, Math.max(1, parts.waitingOf(capability))));
      return Math.min(free, limiter.ready());
    },
  };
}
