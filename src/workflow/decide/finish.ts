// The end of a run: when its code has ended, everything that runs is cancelled and awaited, then the compensations run one at a time,
// in the reverse order of ending, and then the run ends. It needs no code: the log alone says what is left. Pure.
//
// U1  Undone is each step with a compensation that completed or may have had its effect: failed, timed out, cancelled. A cancelled step
//     that provably never began has none.
// U2  No compensation starts while a step still runs: its end decides about its undo, and about the order.
// U3  After a completed pivot nothing is undone.
import type { EndState, Fact, Ordered } from "../log/facts.ts";
import { type Fold, type Op, UNDO_SUFFIX } from "../log/fold.ts";

/** Makes a fact of the current entry. */
export type Apply = (fact: Fact) => void;

/** Moves a run whose code has ended as far as it can go now. */
export function finishRun(fold: Fold, apply: Apply): void {
  const { finish } = fold;
  if (finish === null || fold.end !== null) return;
  cancelOpen(fold, apply);
  if (countRunning(fold) > 0 || fold.stuck !== null) return; // U2
  if (finish.how === "continued") return; // The decider begins the next generation.
  const undoes = finish.how === "failed" || (finish.how === "cancelled" && finish.undo);
  const next = undoes ? findNextUndo(fold) : undefined;
  if (next !== undefined) apply(undoOrder(fold, next));
  else apply({ type: "ended", state: endStateOf(fold) });
}

/** Asks for the end of everything that runs, and drops every wait. */
export function cancelOpen(fold: Fold, apply: Apply): void {
  for (const kind of ["step", "child", "sleep", "signal", "approval", "shared"] as const) {
    for (const path of [...fold.open[kind]]) cancelPath(fold, path, apply);
  }
}

/** Asks for the end of one open path; a wait, and a child that outlives its parent, are dropped at once. */
export function cancelPath(fold: Fold, path: string, apply: Apply): void {
  const op = fold.ops.get(path);
  if (op === undefined || op.outcome !== undefined || op.cancelledIn !== undefined) return;
  const runs = op.kind === "step" || (op.kind === "child" && op.leave !== true);
  apply({ type: runs ? "cancelling" : "dropped", path });
}

/** Tasks and children whose end is still to come. */
export function countRunning({ open }: Fold): number {
  return open.step.size + open.child.size + open.undo.size;
}

/** True for an ended step whose effect must be undone when the run fails. */
export function needsUndo(op: Op | undefined): op is Op & { undo: NonNullable<Op["undo"]> } {
  if (op?.undo === undefined || op.outcome === undefined) return false;
  return !(op.outcome.status === "cancelled" && op.outcome.neverStarted === true); // U1
}

/** The steps that are still to be undone, in the order of undoing. */
export function listUndo(fold: Fold): string[] {
  if (fold.pivot !== null) return []; // U3
  const left: string[] = [];
  for (let at = fold.settlements.length - 1; at >= 0; at--) {
    const path = fold.settlements[at];
    if (path === null || path === undefined || fold.undone.has(path)) continue;
    if (needsUndo(fold.ops.get(path))) left.push(path);
  }
  return left;
}

function findNextUndo(fold: Fold): string | undefined {
  if (fold.pivot !== null) return undefined; // U3
  for (; fold.undoFrom > 0; fold.undoFrom--) {
    const path = fold.settlements[fold.undoFrom - 1];
    if (path === null || path === undefined || fold.undone.has(path)) continue;
    if (needsUndo(fold.ops.get(path))) return path;
  }
  return undefined;
}

function undoOrder(fold: Fold, step: string): Ordered {
  const op = fold.ops.get(step);
  return {
    type: "ordered",
    kind: "undo",
    path: step + UNDO_SUFFIX,
    n: fold.n + 1,
    call: op?.undo?.call ?? "-",
  };
}

function endStateOf(fold: Fold): EndState {
  const { finish } = fold;
  if (finish?.how === "returned") return "completed";
  if (finish?.how === "cancelled") return "cancelled";
  return fold.undone.size > 0 ? "compensated" : "failed";
}
