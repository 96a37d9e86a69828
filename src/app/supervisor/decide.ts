// The supervisor's decisions, pure: what to do when a process dies, and which processes have been silent for too long.
// Leaves starting, signalling and waiting to supervisor.ts.
import { decideRestart, type RestartPolicy } from "../../base/index.ts";

/** How long a process may take to its first word: loading a large agent on a busy machine. */
export const START_LIMIT_MS = 60_000;

/** What the supervisor knows of one process. */
export interface Watched {
  readonly name: string;
  readonly status: "starting" | "running" | "restarting" | "failed";
  /** The restarts within the policy's window, as `decideRestart` wants them. */
  readonly history: readonly number[];
  readonly restarts: number;
  /** When it was last heard of, or started; Unix ms. */
  readonly heardAtMs: number;
  /** Whether it speaks by itself. nats-server does not. */
  readonly speaks: boolean;
}

/** A process that was just started. */
export function watch(name: string, speaks: boolean, nowMs: number): Watched {
  return { name, speaks, status: "starting", history: [], restarts: 0, heardAtMs: nowMs };
}

/** It said something: ready or alive. */
export function noteHeard(watched: Watched, nowMs: number, ready: boolean): Watched {
  return { ...watched, heardAtMs: nowMs, status: ready ? "running" : watched.status };
}

/** It was started again. */
export function noteStarted(watched: Watched, nowMs: number): Watched {
  return { ...watched, status: "starting", heardAtMs: nowMs };
}

/** It died without being asked to: start it again after `delayMs`, or give it up (null). */
export function noteDeath(
  watched: Watched,
  nowMs: number,
  policy?: RestartPolicy,
): { watched: Watched; restartInMs: number | null } {
  const decision = decideRestart(watched.history, nowMs, policy);
  if (!decision.restart) {
    return { watched: { ...watched, status: "failed", history: decision.history }, restartInMs: null };
  }
  return {
    watched: {
      ...watched,
      status: "restarting",
      history: decision.history,
      restarts: watched.restarts + 1,
    },
    restartInMs: decision.delayMs,
  };
}

/** True when it has been silent for longer than it may: its event loop is blocked, or it never came up. */
export function isSilent(watched: Watched, nowMs: number, silenceMs: number): boolean {
  if (!watched.speaks) return false;
  if (watched.status === "running") return nowMs - watched.heardAtMs > silenceMs;
  return watched.status === "starting" && nowMs - watched.heardAtMs > Math.max(START_LIMIT_MS, silenceMs);
}

/**
 * What to believe after this process itself stood still (a suspended laptop, SIGSTOP): nobody could be heard meanwhile,
 * so everybody's silence begins anew.
 */
export function forgiveStandstill(
  all: readonly Watched[],
  tick: { lastMs: number; nowMs: number; everyMs: number },
): readonly Watched[] {
  if (tick.nowMs - tick.lastMs <= 3 * tick.everyMs) return all;
  return all.map((watched) => ({ ...watched, heardAtMs: tick.nowMs }));
}
