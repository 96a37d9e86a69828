// The fold of a workflow's log: the state that its facts make, in order. It depends on the entries alone. The decider applies each fact
// as it makes it, and a reader applies those of stored entries: both have the same fold.
//
// A fold has one owner, and `applyFact` changes it in place: a copy of a map of 10,000 items for each decision would be quadratic. When
// the append of an entry is refused, its owner drops the fold and reads the log again.
//
// F1  A path is ordered once; only `retried` and the repetition of an undo order it again.
// F2  The number n and the log time never fall.
// F3  `settlements` has the paths in the order of their ends. Fibers take them in this order (decide/fibers.ts).
// Pure.
import type { Json } from "../../protocol/index.ts";
import { type Entry, firstChain, readEntry } from "./entry.ts";
import type { Author, Begun, Blocked, EndState, Fact, Failure, Ordered, Outcome } from "./facts.ts";
import { Deadlines } from "./heap.ts";

/** An ordered task, child or wait. */
export interface Op extends Omit<Ordered, "type"> {
  /** The place among all orders. */
  readonly order: number;
  /** The log time of the order, in ms since 1970. */
  readonly atMs: number;
  /** The entries that ordered it and that asked for its end. */
  readonly entry: number;
  cancelledIn?: number;
  /** The end, its place in `settlements`, its entry and its log time. */
  outcome?: Outcome;
  settled?: number;
  settledIn?: number;
  settledAtMs?: number;
}

/** The end of the code. */
export type Finish =
  | { readonly how: "returned"; readonly output?: Json }
  | { readonly how: "failed"; readonly error: Failure; readonly path?: string }
  | { readonly how: "cancelled"; readonly undo: boolean; readonly by?: Author }
  | { readonly how: "continued"; readonly input: Json };

/** The state of one run, computed from its log. */
export interface Fold {
  readonly id: string;
  /** The number, the size in bytes, the chain and the time of the entries so far. */
  entries: number;
  bytes: number;
  chain: string;
  atMs: number;
  begun: Begun | null;
  begunAtMs: number;
  /** All ordered things by path, and the tasks and children by number. */
  readonly ops: Map<string, Op>;
  readonly byNumber: Map<number, string>;
  readonly maps: Map<string, number>;
  /** Open things by kind, in the order of their orders. */
  readonly open: Record<Ordered["kind"], Set<string>>;
  /** The paths in the order of their ends; null for an end that a retry took back. */
  readonly settlements: (string | null)[];
  /** The settlements that the code had taken at the end of its last entry; -1 before its first run. */
  delivered: number;
  orders: number;
  /** The last number of a task or child. */
  n: number;
  lastCommand: number;
  /** The entry of each command that was taken. */
  readonly commandEntries: Map<number, number>;
  /** Values of signals that no wait took, by name. */
  readonly signals: Map<string, Json[]>;
  /** The open waits for each signal, in their order. */
  readonly signalWaits: Map<string, Set<string>>;
  readonly patches: Set<string>;
  progress: number | undefined;
  note: string | undefined;
  isPaused: boolean;
  blocked: Blocked | null;
  finish: Finish | null;
  /** The path of the completed pivot. */
  pivot: string | null;
  /** Steps that were undone or skipped, and the place in `settlements` where undoing goes on, downwards. */
  readonly undone: Map<string, "undone" | "skipped">;
  undoFrom: number;
  /** The step whose compensation failed. */
  stuck: string | null;
  end: EndState | null;
  endedIn: number;
  /** The entry of the last retry, which takes the stored result back. */
  reopenedIn: number;
  readonly deadlines: Deadlines;
  armed: { readonly n: number; readonly atMs: number; readonly entry: number } | null;
  wakes: number;
  warnedShare: number;
  /** The last entry that was a decision, and not only a note of tries. */
  decidedIn: number;
  /** The engines that took a trigger which came again without an entry, since that decision. */
  readonly tries: Map<string, Set<string>>;
}

/** The states of a run. */
export type RunState =
  | "pending"
  | "running"
  | "paused"
  | "blocked"
  | "compensating"
  | "compensation_failed"
  | EndState;

/** The end of the path of a compensation. */
export const UNDO_SUFFIX = "~undo";

/** The fold of a log without entries. */
export function emptyFold(id: string): Fold {
  return {
    id,
    entries: 0,
    bytes: 0,
    chain: firstChain(id),
    atMs: 0,
    begun: null,
    begunAtMs: 0,
    ops: new Map(),
    byNumber: new Map(),
    maps: new Map(),
    open: {
      step: new Set(),
      child: new Set(),
      sleep: new Set(),
      signal: new Set(),
      approval: new Set(),
      undo: new Set(),
      shared: new Set(),
    },
    settlements: [],
    delivered: -1,
    orders: 0,
    n: 0,
    lastCommand: 0,
    commandEntries: new Map(),
    signals: new Map(),
    signalWaits: new Map(),
    patches: new Set(),
    progress: undefined,
    note: undefined,
    isPaused: false,
    blocked: null,
    finish: null,
    pivot: null,
    undone: new Map(),
    undoFrom: 0,
    stuck: null,
    end: null,
    endedIn: 0,
    reopenedIn: 0,
    deadlines: new Deadlines(),
    armed: null,
    wakes: 0,
    warnedShare: 0,
    decidedIn: 0,
    tries: new Map(),
  };
}

/** The fold of stored entries, or the first fault. The first text may be a rolled-up entry. */
export function foldLog(
  id: string,
  texts: readonly string[],
): { ok: true; fold: Fold } | { ok: false; fault: string; entry: number } {
  let fold = emptyFold(id);
  for (const [index, text] of texts.entries()) {
    const isFirst = index === 0;
    const read = readEntry(text, { id, previousChain: fold.chain });
    const rolled = isFirst && !read.ok ? readEntry(text, { id, previousChain: null }) : read;
    const usable = read.ok || (rolled.ok && isContinuation(rolled.entry)) ? rolled : read;
    if (!usable.ok) return { ok: false, fault: usable.fault, entry: index + 1 };
    const { entry, bytes } = usable;
    if (isContinuation(entry)) fold = emptyFold(id);
    if (entry.entry !== fold.entries + 1) {
      return {
        ok: false,
        fault: `entry has the number ${entry.entry}, expected ${fold.entries + 1}`,
        entry: index + 1,
      };
    }
    if (entry.atMs < fold.atMs) {
      return { ok: false, fault: `log time falls from ${fold.atMs} to ${entry.atMs}`, entry: index + 1 };
    }
    applyEntry(fold, entry, bytes);
  }
  return { ok: true, fold };
}

/** True for the first entry of a later generation: it replaces the log before it. */
export function isContinuation(entry: Entry): boolean {
  const [first] = entry.facts;
  return first?.type === "begun" && first.generation > 1;
}

/** Applies a stored entry. */
export function applyEntry(fold: Fold, entry: Entry, bytes: number): void {
  openEntry(fold, entry.atMs, entry.took ?? []);
  if (entry.facts.some(({ type }) => type !== "tried")) {
    fold.tries.clear();
    fold.decidedIn = fold.entries;
  }
  for (const fact of entry.facts) applyFact(fold, fact);
  closeEntry(fold, entry.chain, bytes);
}

/** Begins an entry: its number, its time, and the commands that it takes. */
export function openEntry(fold: Fold, atMs: number, took: readonly number[]): void {
  fold.entries++;
  fold.atMs = atMs;
  for (const seq of took) takeCommand(fold, seq);
}

/** Notes that the current entry takes a command. */
export function takeCommand(fold: Fold, seq: number): void {
  fold.lastCommand = Math.max(fold.lastCommand, seq);
  fold.commandEntries.set(seq, fold.entries);
}

/** Ends an entry. */
export function closeEntry(fold: Fold, chain: string, bytes: number): void {
  fold.chain = chain;
  fold.bytes += bytes;
  if (doesCodeRun(fold)) fold.delivered = fold.settlements.length;
}

/** True while the code of the run takes what was recorded. */
export function doesCodeRun(fold: Fold): boolean {
  return fold.begun !== null && fold.finish === null && !fold.isPaused && fold.blocked === null;
}

/** The open things that the code has asked for and still needs: neither compensations nor cancelled steps. */
export function listOpen({ open, ops }: Fold): Op[] {
  const paths = [
    ...open.step,
    ...open.child,
    ...open.sleep,
    ...open.signal,
    ...open.approval,
    ...open.shared,
  ];
  return paths.flatMap((path) => ops.get(path) ?? []).filter(({ cancelledIn }) => cancelledIn === undefined);
}

/** The state of the run. */
export function stateOf(fold: Fold): RunState {
  if (fold.begun === null) return "pending";
  if (fold.end !== null) return fold.end;
  if (fold.blocked !== null) return "blocked";
  if (fold.isPaused) return "paused";
  if (fold.stuck !== null) return "compensation_failed";
  const how = fold.finish?.how;
  return how === "failed" || how === "cancelled" ? "compensating" : "running";
}

/** Applies one fact of the current entry. */
export function applyFact(fold: Fold, fact: Fact): void {
  switch (fact.type) {
    case "begun":
      applyBegun(fold, fact);
      return;
    case "ordered":
      applyOrdered(fold, fact);
      return;
    case "mapped":
      fold.maps.set(fact.path, fact.items);
      return;
    case "settled":
      applySettled(fold, fact.path, fact.outcome);
      return;
    case "dropped": {
      const op = opOf(fold, fact.path);
      close(fold, op);
      op.cancelledIn = fold.entries;
      return;
    }
    case "cancelling":
      opOf(fold, fact.path).cancelledIn = fold.entries;
      return;
    case "signalled": {
      const values = fold.signals.get(fact.name);
      if (values === undefined) fold.signals.set(fact.name, [fact.value]);
      else values.push(fact.value);
      return;
    }
    case "signal-taken": {
      const name = opOf(fold, fact.path).signal ?? "";
      const value = fold.signals.get(name)?.shift();
      applySettled(fold, fact.path, {
        status: "completed",
        ...(value === undefined ? {} : { output: value }),
      });
      return;
    }
    case "patched":
      fold.patches.add(fact.id);
      return;
    case "status":
      fold.progress = fact.progress ?? fold.progress;
      fold.note = fact.note ?? fold.note;
      return;
    case "finished": {
      const { type: _type, ...finish } = fact;
      fold.finish = finish;
      fold.undoFrom = fold.settlements.length;
      return;
    }
    case "ended":
      fold.end = fact.state;
      fold.endedIn = fold.entries;
      if (fact.state === "completed") fold.progress = 1;
      return;
    case "paused":
      fold.isPaused = true;
      return;
    case "resumed":
      fold.isPaused = false;
      fold.stuck = null;
      return;
    case "retried":
      applyRetried(fold, fact.from);
      return;
    case "skipped":
      fold.undone.set(fact.path, "skipped");
      return;
    case "armed":
      fold.wakes = fact.n;
      fold.armed = { n: fact.n, atMs: fact.atMs, entry: fold.entries };
      return;
    case "warned":
      fold.warnedShare = fact.share;
      return;
    case "blocked":
      fold.blocked = fact;
      return;
    case "unblocked":
      fold.blocked = null;
      return;
    case "tried":
      fold.tries.set(fact.trigger, new Set([...(fold.tries.get(fact.trigger) ?? []), fact.engine]));
      return;
    default:
      fact satisfies never;
  }
}

function applyBegun(fold: Fold, begun: Begun): void {
  fold.begun = begun;
  fold.begunAtMs = fold.atMs;
  fold.n = begun.n ?? 0;
  fold.lastCommand = Math.max(fold.lastCommand, begun.lastCommand ?? 0);
  for (const { name, value } of begun.signals ?? []) applyFact(fold, { type: "signalled", name, value });
}

function applyOrdered(fold: Fold, { type: _type, ...order }: Ordered): void {
  const op: Op = { ...order, order: fold.orders++, entry: fold.entries, atMs: fold.atMs };
  fold.ops.set(op.path, op);
  fold.open[op.kind].add(op.path);
  if (op.signal !== undefined) {
    const waits = fold.signalWaits.get(op.signal);
    if (waits === undefined) fold.signalWaits.set(op.signal, new Set([op.path]));
    else waits.add(op.path);
  }
  if (op.n !== undefined) {
    fold.n = op.n;
    fold.byNumber.set(op.n, op.path);
  }
  if (op.dueMs !== undefined) fold.deadlines.add({ atMs: op.dueMs, order: op.order, path: op.path });
}

function applySettled(fold: Fold, path: string, outcome: Outcome): void {
  const op = opOf(fold, path);
  close(fold, op);
  op.outcome = outcome;
  op.settledIn = fold.entries;
  op.settledAtMs = fold.atMs;
  if (op.kind === "undo") {
    const step = path.slice(0, -UNDO_SUFFIX.length);
    if (outcome.status === "completed") fold.undone.set(step, "undone");
    else fold.stuck = step;
    return;
  }
  op.settled = fold.settlements.push(path) - 1;
  // A step that ended after the code is undone first.
  if (fold.finish !== null) fold.undoFrom = fold.settlements.length;
  if (op.pivot === true && outcome.status === "completed") fold.pivot ??= path;
}

/** Takes back the end of the run: of one named step and of everything ordered after it, or of the failed step alone. */
function applyRetried(fold: Fold, from: string | undefined): void {
  const failed = fold.finish?.how === "failed" ? fold.finish.path : undefined;
  const since = from === undefined ? undefined : opOf(fold, from).order;
  for (const [path, op] of fold.ops) {
    const isTaken =
      (since !== undefined && op.order >= since) || path === failed || op.cancelledIn !== undefined;
    if (!isTaken) continue;
    if (op.settled !== undefined) fold.settlements[op.settled] = null;
    if (fold.pivot === path) fold.pivot = null;
    close(fold, op);
    fold.ops.delete(path);
  }
  fold.finish = null;
  fold.end = null;
  fold.reopenedIn = fold.entries;
}

function close(fold: Fold, op: Op): void {
  fold.open[op.kind].delete(op.path);
  if (op.signal !== undefined) fold.signalWaits.get(op.signal)?.delete(op.path);
}

function opOf(fold: Fold, path: string): Op {
  const op = fold.ops.get(path);
  if (op === undefined)
    throw new RangeError(`workflow ${fold.id}: the log names the path ${path} before its order`);
  return op;
}
