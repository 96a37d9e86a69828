// The runs of this engine's lanes that do not go on by themselves: blocked ones, failed compensations, and waits for the decision of a
// person. The engine notes each entry that it stores, and the slow check each log that it looks at, so the notes are right also after a
// takeover of a lane.
// T1  The notes are bounded: a lane with more such runs keeps the first ones, and the slow check counts all.
import { laneOf } from "../../protocol/index.ts";
import type { RunSummary } from "../../workflow/index.ts";

/** The states of runs that wait for a person, as problems and alerts tell them. */
export const STUCK_KINDS = ["blocked", "compensation_failed", "approval"] as const;
/** One of {@link STUCK_KINDS}. */
export type StuckKind = (typeof STUCK_KINDS)[number];

/** A run that waits for a person. */
export interface StuckRun {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly kind: StuckKind;
  /** When it began to wait, in ms since 1970; at the latest: the time of the entry that was seen first. */
  readonly sinceMs: number;
  /** The approval, or the step whose compensation failed. */
  readonly path?: string;
  /** The users and groups that may decide. */
  readonly by?: readonly string[];
  /** The end of the wait, in ms since 1970. */
  readonly dueMs?: number;
  /** Why it is blocked: the kind of the reason, and a sentence for people. */
  readonly cause?: string;
  readonly message?: string;
}

/** The most runs in one answer to the roll call: it stays below 64 KiB. */
export const MAX_ROLL_RUNS = 100;
/** One lane of an engine. */
export interface LaneState {
  readonly lane: string;
  /** Results and commands that the engine has not taken. */
  readonly pending: number;
  /** Since when messages wait and no decision of the lane was stored, in ms since 1970; null while it keeps up. */
  readonly stalledSinceMs: number | null;
}

/** The answer of one engine. */
export interface EngineRoll {
  readonly lanes: readonly LaneState[];
  /** The number of runs of each kind. */
  readonly counts: Readonly<Record<StuckKind, number>>;
  /** The runs with the longest waits. */
  readonly runs: readonly StuckRun[];
}

/** The most runs of a lane that are kept (T1); a person reads fewer, and a run takes some 300 bytes. */
const MAX_STUCK_RUNS = 2_000;

/** The wait of a run for a person; null for a run that goes on, or has ended. `atMs`: the time of its last entry. Pure. */
export function stuckRunOf(summary: RunSummary, atMs: number): StuckRun | null {
  const { id, name, version, state, waiting, blocked } = summary;
  const run = { id, name, version };
  const path = waiting?.path === undefined ? {} : { path: waiting.path };
  if (state === "blocked") return { ...run, kind: "blocked", sinceMs: atMs, ...path, ...blocked };
  if (state === "compensation_failed") return { ...run, kind: state, sinceMs: atMs, ...path };
  if (state !== "running" || waiting?.reason !== "human") return null;
  return {
    ...{ ...run, kind: "approval", sinceMs: waiting.sinceMs ?? atMs, ...path },
    ...(waiting.by === undefined ? {} : { by: waiting.by }),
    ...(waiting.dueMs === undefined ? {} : { dueMs: waiting.dueMs }),
  };
}

/** The notes of one engine. */
export class StuckRuns {
  readonly #lanes = new Map<string, Map<string, StuckRun>>();

  /** Notes the last entry of a run. True when that changed the notes. */
  note(summary: RunSummary, atMs: number): boolean {
    const lane = laneOf(summary.id);
    const stuck = stuckRunOf(summary, atMs);
    const runs = this.#lanes.get(lane);
    if (stuck === null) return runs?.delete(summary.id) === true;
    if (runs === undefined) this.#lanes.set(lane, new Map([[stuck.id, stuck]]));
    else {
      const known = runs.get(stuck.id);
      const isSame = known?.kind === stuck.kind && known.path === stuck.path;
      if (known === undefined && runs.size >= MAX_STUCK_RUNS) return false; // T1
      runs.set(stuck.id, isSame ? { ...stuck, sinceMs: Math.min(known.sinceMs, stuck.sinceMs) } : stuck);
    }
    return true;
  }

  /** Forgets the runs of a lane that another engine serves. */
  release(lane: string): void {
    this.#lanes.delete(lane);
  }

  /** The runs that wait, the longest wait first; at most `max`. */
  oldest(max: number): StuckRun[] {
    return this.#all()
      .sort((one, other) => one.sinceMs - other.sinceMs || (one.id < other.id ? -1 : 1))
      .slice(0, max);
  }

  /** The number of runs of each kind. */
  counts(): Record<StuckKind, number> {
    const counts = { blocked: 0, compensation_failed: 0, approval: 0 };
    for (const { kind } of this.#all()) counts[kind]++;
    return counts;
  }

  #all(): StuckRun[] {
    return [...this.#lanes.values()].flatMap((runs) => [...runs.values()]);
  }
}
