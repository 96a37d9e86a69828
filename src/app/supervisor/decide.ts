// The supervisor's decisions, pure: whether a dead process is restarted, which processes have been silent for too long, and which
// processes report a death.
// Leaves starting, signalling and waiting to supervisor.ts.
import { decideRestart, type RestartPolicy } from "../../base/index.ts";
import { EXIT } from "../exit-codes.ts";

/** The time until the first message of a process: a busy machine needs long to load a large agent. */
export const START_LIMIT_MS = 60_000;

/** The most processes that report one death: one of them may be hanging, or dying too. The office probes a host only once. */
const MAX_MESSENGERS = 2;

/** The knowledge of the supervisor about one process. */
export interface Watched {
  readonly name: string;
  readonly status: "starting" | "running" | "restarting" | "stopping" | "failed";
  /** The restarts within the window of the policy, in the form that `decideRestart` takes. */
  readonly history: readonly number[];
  readonly restarts: number;
  /** Time of its last message or of its start, Unix ms. */
  readonly heardAtMs: number;
  /** Whether it reports to the supervisor. nats-server does not. */
  readonly speaks: boolean;
}

/** A process that was just started. */
export function watch(name: string, speaks: boolean, nowMs: number): Watched {
  return { name, speaks, status: "starting", history: [], restarts: 0, heardAtMs: nowMs };
}

/** The process reported that it is ready or alive. */
export function noteHeard(watched: Watched, nowMs: number, ready: boolean): Watched {
  return { ...watched, heardAtMs: nowMs, status: ready ? "running" : watched.status };
}

/** The process was started again. */
export function noteStarted(watched: Watched, nowMs: number): Watched {
  return { ...watched, status: "starting", heardAtMs: nowMs };
}

/**
 * True when another start would fail too: the process ended before it was ready, with the exit code for a wrong command line,
 * setting or agent file. A process that was ready may end with any code, because its agents run code of their own.
 */
export function isHopeless(watched: Watched, exitCode: number | null): boolean {
  return watched.status === "starting" && exitCode === EXIT.usage;
}

/** The supervisor ends the process: to remove it, or to start it anew. */
export function noteEnding(watched: Watched): Watched {
  return { ...watched, status: "stopping" };
}

/** The process cannot start, and a further start would fail too. */
export function noteFailed(watched: Watched): Watched {
  return { ...watched, status: "failed" };
}

/** The process died unexpectedly: restart it after `restartInMs`, or never again (null). */
export function noteDeath(
  watched: Watched,
  nowMs: number,
  death: { exitCode?: number | null; policy?: RestartPolicy } = {},
): { watched: Watched; restartInMs: number | null } {
  if (isHopeless(watched, death.exitCode ?? null)) {
    return { watched: { ...watched, status: "failed" }, restartInMs: null };
  }
  const decision = decideRestart(watched.history, nowMs, death.policy);
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

/** True when the process was silent for too long: its event loop is blocked, or it never finished its start. */
export function isSilent(watched: Watched, nowMs: number, silenceMs: number): boolean {
  if (!watched.speaks) return false;
  if (watched.status === "running") return nowMs - watched.heardAtMs > silenceMs;
  return watched.status === "starting" && nowMs - watched.heardAtMs > Math.max(START_LIMIT_MS, silenceMs);
}

/**
 * Restarts the silence timers of all processes when the supervisor itself was paused (suspended laptop, SIGSTOP): it could not
 * receive their messages during the pause.
 */
export function forgiveStandstill(
  all: readonly Watched[],
  tick: { lastMs: number; nowMs: number; everyMs: number },
): readonly Watched[] {
  if (tick.nowMs - tick.lastMs <= 3 * tick.everyMs) return all;
  return all.map((watched) => ({ ...watched, heardAtMs: tick.nowMs }));
}

/**
 * The processes that report the death of another one: the first that run and are ready. In a swarm's list, api and coordinators
 * come before agents.
 */
export function chooseMessengers<T extends { readonly isRunning: boolean; readonly watched: Watched }>(
  all: readonly T[],
): T[] {
  return all
    .filter(({ isRunning, watched }) => isRunning && watched.speaks && watched.status === "running")
    .slice(0, MAX_MESSENGERS);
}
