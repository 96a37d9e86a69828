// The effects of a decision: everything that the driver does after the entry is stored and before it acks the triggers. They can be
// computed again from the fold, for a trigger that comes twice. Pure.
//
// E1  Each effect is safe to repeat: tasks and children have the numbers of the log, an end is written by the first writer.
import { toIsoTime } from "../../base/index.ts";
import { type Json, type JsonObject, sha256, type TaskInput } from "../../protocol/index.ts";
import type { EndState, Fact, Failure } from "../log/facts.ts";
import { type Fold, type Op, UNDO_SUFFIX } from "../log/fold.ts";

/** The longest id of a workflow: its tasks add a number. */
export const MAX_ID_LENGTH = 40;
/** The retries of a compensation, and of a step after a pivot that names no policy: a compensation must come through. */
export const PATIENT_RETRY = {
  max: 10,
  backoffMs: 1_000,
  factor: 2,
  maxBackoffMs: 60_000,
  jitter: 0.2,
} as const;

/** A thing to do after the append. */
export type Effect =
  /** Publish a task, under its id. `isRepeat`: it may have been published before, so it carries `Murmur-Attempt: 1`. */
  | {
      readonly type: "task";
      readonly task: TaskInput & { id: string };
      readonly key: string;
      readonly path: string;
      readonly isRepeat: boolean;
    }
  /** Tell the host of a task that its end is not needed. Store `cancelled` only when no host has it. Never mark the scope. */
  | { readonly type: "cancel"; readonly taskId: string; readonly capability: string; readonly path: string }
  | {
      readonly type: "child";
      readonly id: string;
      readonly workflow: string;
      readonly version?: number;
      readonly input: Json;
      readonly parent: { readonly id: string; readonly n: number };
      readonly depth: number;
    }
  | { readonly type: "cancel-child"; readonly id: string }
  /** Read or set a shared value, and store its end as the result of the number `n`. `value` is absent for a read. */
  | {
      readonly type: "shared";
      readonly n: number;
      readonly name: string;
      readonly value?: Json;
      readonly revision?: number;
      readonly key: string;
    }
  /** Arrange a wake-up. It is a hint: a late, double or needless one changes nothing. */
  | { readonly type: "wake"; readonly n: number; readonly atMs: number }
  /** Store the result of the run. */
  | { readonly type: "end"; readonly state: EndState; readonly output?: Json; readonly error?: Failure }
  /** Remove the stored result: the run goes on. */
  | { readonly type: "reopen" };

/** The id of a task or child with a number. A child's id fits the limit of ids, so a long one becomes a digest. */
export function numberedId(id: string, n: number, kind: "task" | "child"): string {
  const plain = `${id}-${n}`;
  return kind === "task" || plain.length <= MAX_ID_LENGTH
    ? plain
    : `c-${sha256(plain).slice(0, MAX_ID_LENGTH - 2)}`;
}

/** The effect key of a step: the same after a retry, another one for its compensation and in a later generation. */
export function effectKey(fold: Fold, path: string): string {
  const generation = fold.begun?.generation ?? 1;
  return `${fold.id}${generation === 1 ? "" : `~${generation}`}/${path}`;
}

/** The effects of the entry with this number, as far as they still matter. */
export function effectsOfEntry(fold: Fold, entry: number, isRepeat: boolean): Effect[] {
  const effects: Effect[] = [];
  // A repeated reopening must not remove the result of a later end.
  if (fold.reopenedIn === entry && (fold.end === null || fold.endedIn === entry))
    effects.push({ type: "reopen" });
  for (const kind of ["step", "child", "undo", "shared"] as const) {
    for (const path of fold.open[kind]) {
      const op = fold.ops.get(path) as Op;
      const isCancelled = op.cancelledIn !== undefined;
      // A cancelled step must not be ordered again. A cancelled child is: only a run that was started can end as cancelled.
      if (op.entry === entry && !(isCancelled && kind === "step"))
        effects.push(orderEffect(fold, op, isRepeat));
      if (isCancelled && (op.cancelledIn === entry || (op.entry === entry && kind === "step")))
        effects.push(cancelEffect(fold, op));
    }
  }
  if (fold.armed?.entry === entry) effects.push({ type: "wake", n: fold.armed.n, atMs: fold.armed.atMs });
  if (fold.end !== null && fold.endedIn === entry) effects.push(endEffect(fold, fold.end));
  return effects;
}

/** The effects of the facts of the current entry, as far as they still stand. */
export function effectsOfFacts(fold: Fold, facts: readonly Fact[]): Effect[] {
  const effects: Effect[] = [];
  for (const fact of facts) {
    if (fact.type === "ordered" || fact.type === "cancelling") {
      const op = fold.ops.get(fact.path);
      if (op?.n === undefined || !fold.open[op.kind].has(op.path)) continue;
      effects.push(fact.type === "ordered" ? orderEffect(fold, op, false) : cancelEffect(fold, op));
    } else if (fact.type === "armed") effects.push({ type: "wake", n: fact.n, atMs: fact.atMs });
    else if (fact.type === "ended") effects.push(endEffect(fold, fact.state));
  }
  return effects;
}

/** The effect of an order that is a task or a child. */
function orderEffect(fold: Fold, op: Op, isRepeat: boolean): Effect {
  const n = op.n ?? 0;
  if (op.kind === "child") {
    return {
      type: "child",
      id: numberedId(fold.id, n, "child"),
      workflow: op.call ?? "-",
      input: op.input ?? null,
      parent: { id: fold.id, n },
      depth: (fold.begun?.depth ?? 1) + 1,
      ...(op.version === undefined ? {} : { version: op.version }),
    };
  }
  if (op.kind === "shared") {
    return {
      type: "shared",
      n,
      name: op.call ?? "-",
      key: effectKey(fold, op.path),
      ...(op.input === undefined ? {} : { value: op.input }),
      ...(op.revision === undefined ? {} : { revision: op.revision }),
    };
  }
  return { type: "task", task: taskOf(fold, op, n), key: effectKey(fold, op.path), path: op.path, isRepeat };
}

/** The effect of `cancelling`. */
function cancelEffect(fold: Fold, op: Op): Effect {
  const n = op.n ?? 0;
  return op.kind === "child"
    ? { type: "cancel-child", id: numberedId(fold.id, n, "child") }
    : { type: "cancel", taskId: numberedId(fold.id, n, "task"), capability: op.call ?? "-", path: op.path };
}

/** The effect of `ended`. */
function endEffect(fold: Fold, state: EndState): Effect {
  const { finish } = fold;
  if (finish?.how === "returned")
    return { type: "end", state, ...(finish.output === undefined ? {} : { output: finish.output }) };
  const error: Failure =
    finish?.how === "failed"
      ? finish.error
      : { code: "cancelled", message: "the workflow was cancelled", retryable: false };
  return { type: "end", state, error };
}

function taskOf(fold: Fold, op: Op, n: number): TaskInput & { id: string } {
  const id = numberedId(fold.id, n, "task");
  const deadlineMs = fold.begun?.deadlineMs;
  if (op.kind === "undo") {
    const step = fold.ops.get(op.path.slice(0, -UNDO_SUFFIX.length));
    return { id, scope: fold.id, capability: op.call ?? "-", input: undoInput(step), retry: PATIENT_RETRY };
  }
  return {
    id,
    scope: fold.id,
    capability: op.call ?? "-",
    ...(op.input === undefined ? {} : { input: op.input }),
    ...(fold.pivot !== null ? { retry: PATIENT_RETRY } : {}),
    ...(op.task as Omit<TaskInput, "id" | "capability"> | undefined),
    ...(deadlineMs === undefined ? {} : { deadline: toIsoTime(deadlineMs) }),
  };
}

/** The input of a compensation: the input of the step or `undo.with`, its output, and whether it certainly completed. */
function undoInput(step: Op | undefined): JsonObject {
  const { outcome, undo, input } = step ?? {};
  return {
    input: undo?.with ?? input ?? null,
    certain: outcome?.status === "completed",
    ...(outcome?.status === "completed" && outcome.output !== undefined ? { output: outcome.output } : {}),
  };
}
