// The summary of a run for lists: the content of the headers of its last entry. Pure.
import { type Fold, type RunState, stateOf } from "./fold.ts";

/** The thing that a run waits for. */
export interface Waiting {
  /** `human` for approvals, a person's resume and unblocking; `task` for a step; `workflow` for a child. */
  readonly reason: "human" | "signal" | "task" | "workflow" | "timer";
  /** The path of the first such thing, and the number of all. */
  readonly path?: string;
  readonly count: number;
  /** The users and groups of an approval. */
  readonly by?: readonly string[];
  /** The end of the wait, in ms since 1970. */
  readonly dueMs?: number;
  /** The log time of its order, in ms since 1970. */
  readonly sinceMs?: number;
}

/** One run in a list. */
export interface RunSummary {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly state: RunState;
  readonly generation: number;
  readonly entries: number;
  readonly bytes: number;
  readonly progress?: number;
  readonly note?: string;
  readonly waiting?: Waiting;
  /** The reason of a blocked run: its kind, and one sentence. */
  readonly blocked?: { readonly cause: string; readonly message: string };
  readonly labels?: { readonly [name: string]: string };
  readonly parent?: string;
}

/** The kinds of waits, the most telling first: a run that waits for a person and a timer waits for the person. */
const KINDS = [
  ["approval", "human"],
  ["signal", "signal"],
  ["undo", "task"],
  ["step", "task"],
  ["child", "workflow"],
  ["shared", "task"],
  ["sleep", "timer"],
] as const;

/** The summary of a run. */
export function summaryOf(fold: Fold): RunSummary {
  const { begun } = fold;
  const waiting = waitingOf(fold);
  return {
    id: fold.id,
    name: begun?.name ?? "-",
    version: begun?.version ?? 0,
    state: stateOf(fold),
    generation: begun?.generation ?? 1,
    entries: fold.entries,
    bytes: fold.bytes,
    ...(fold.progress === undefined ? {} : { progress: fold.progress }),
    ...(fold.note === undefined ? {} : { note: fold.note }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(fold.blocked === null || fold.end !== null
      ? {}
      : { blocked: { cause: fold.blocked.cause, message: fold.blocked.message } }),
    ...(begun?.labels === undefined ? {} : { labels: begun.labels }),
    ...(begun?.parent === undefined ? {} : { parent: begun.parent.id }),
  };
}

/** The thing that a run waits for; undefined for an ended run, and for a run without a wait. */
export function waitingOf(fold: Fold): Waiting | undefined {
  if (fold.end !== null || fold.begun === null) return undefined;
  const state = stateOf(fold);
  if (state === "blocked" || state === "paused" || state === "compensation_failed") {
    return { reason: "human", count: 1, ...(fold.stuck === null ? {} : { path: fold.stuck }) };
  }
  for (const [kind, reason] of KINDS) {
    const open = fold.open[kind];
    const [path] = open;
    if (path === undefined) continue;
    const { by, dueMs, atMs } = fold.ops.get(path) ?? {};
    return {
      reason,
      path,
      count: open.size,
      ...(by === undefined ? {} : { by }),
      ...(dueMs === undefined ? {} : { dueMs }),
      ...(atMs === undefined ? {} : { sinceMs: atMs }),
    };
  }
  return undefined;
}
