// The promises of workflows, checked at the end of a simulated run.
//
// C1  The chain of each log holds, and a replay decides nothing anew. The stored result is the end of the log.
// C2  No command is lost: the log has it, or an engine refused it.
// C3  Each effect happens once by its key; after a retry of the run, a step may run once more for each retry, and once more for each host that died
//     while it had the step.
// C4  A step that had its effect in a run that failed or was cancelled is undone once; nothing else is undone.
// C5  A run whose end does not depend on time ends as it does without faults.
import { seededChance, systemClock } from "../../../src/base/index.ts";
import { LogStore } from "../../../src/engine/stores/log-store.ts";
import { createSubjects, TerminalError } from "../../../src/protocol/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { readResultMessage } from "../../../src/work/index.ts";
import { Decider, type EndState, type Fold, foldLog, numberedId } from "../../../src/workflow/index.ts";
import { createWorkflowTest } from "../../../src/workflow/testing/index.ts";
import type { Made } from "./definitions.ts";
import { PREFIX, RUN } from "./world.ts";

/** The facts that the world saw. */
export interface Seen {
  /** The tasks that performed each effect, by its key, in their order; a task that ran twice stands twice. */
  readonly effects: Map<string, { readonly capability: string; readonly tasks: readonly string[] }>;
  /** The commands to the run. */
  readonly sent: { readonly seq: number; readonly type: string }[];
  readonly refused: Set<number>;
  /** How often a host died while it had a step, by the key of the step. */
  readonly died: Map<string, number>;
  /** A promise that was broken before the end. */
  early: string | null;
}

interface Parts {
  readonly raw: Transport;
  readonly made: Made;
  readonly seen: Seen;
}

/** The first broken promise; null when all were kept. */
export async function checkWorld(parts: Parts): Promise<string | null> {
  const ids = [RUN];
  const folds: Fold[] = [];
  for (const id of ids) {
    const read = await readRun(parts, id);
    if (typeof read === "string") return read;
    folds.push(read);
    for (const op of read.ops.values())
      if (op.kind === "child" && op.n !== undefined) ids.push(numberedId(id, op.n, "child"));
  }
  const [main] = folds as [Fold];
  return checkCommands(main, parts.seen) ?? (await checkSameEnd(main, parts)) ?? checkEffects(folds, parts);
}

/** The fold of a run, or the fault of its log (C1). */
async function readRun({ raw, made }: Parts, id: string): Promise<Fold | string> {
  const subjects = createSubjects(PREFIX);
  const logs = new LogStore({ transport: raw, subjects, clock: systemClock, chance: seededChance(1) });
  const { texts } = await logs.read(id);
  if (texts.length === 0) return `${id} has no log`;
  const read = foldLog(id, texts);
  if (!read.ok) return `the log of ${id} is broken at entry ${read.entry}: ${read.fault}`;
  const { fold } = read;
  const { end, entries } = fold;
  const definition = made.definitions.find(({ name }) => name === fold.begun?.name) ?? null;
  const { entry } = new Decider(fold, definition).decide({ triggers: [], nowMs: fold.atMs });
  if (entry !== null) return `${id}: a replay of ${entries} entries decides again`;
  const stored = await raw.log("results").last(subjects.filters.resultOfTask("workflow", id));
  if (stored === null) return `${id} has no result, and its log says ${end}`;
  const { status } = await readResultMessage(stored, raw.blobs);
  const expected = end === "completed" || end === "cancelled" ? end : "failed";
  return status === expected ? fold : `${id}: the result is ${status}, the log says ${end}`;
}

/** C2 */
function checkCommands(fold: Fold, { sent, refused }: Seen): string | null {
  const continuedAfter = fold.begun?.lastCommand ?? 0;
  for (const { seq, type } of sent) {
    const isKept = fold.commandEntries.has(seq) || refused.has(seq) || seq <= continuedAfter;
    if (!isKept) return `the command ${type} with the sequence ${seq} was lost`;
  }
  return null;
}

/** C5 */
async function checkSameEnd(fold: Fold, { made, seen }: Parts): Promise<string | null> {
  const isSteered = seen.sent.some(({ type }) => type === "cancel" || type === "retry");
  if (!made.isCertain || isSteered) return null;
  const agents = {
    works: () => null,
    undo: () => null,
    fails: () => {
      throw new TerminalError("no");
    },
  };
  const { state } = await createWorkflowTest(made.definitions, { agents }).start(null).result();
  const isSame = (state === "completed") === (fold.end === "completed");
  return isSame ? null : `the run ended ${fold.end}; without faults it ends ${state}`;
}

/** C3 and C4. */
function checkEffects(folds: readonly Fold[], { seen }: Parts): string | null {
  const retries = seen.sent.filter(({ type }) => type === "retry").length;
  for (const [key, { tasks }] of seen.effects)
    if (tasks.length > 1 + retries + (seen.died.get(key) ?? 0))
      return `${key} had its effect ${tasks.length} times: ${tasks.join(", ")}`;
  for (const fold of folds) {
    const fault = checkUndo(fold, seen);
    if (fault !== null) return fault;
  }
  return null;
}

const UNDONE_ENDS: readonly (EndState | null)[] = ["compensated", "cancelled"];

function checkUndo(fold: Fold, { effects }: Seen): string | null {
  const generation = fold.begun?.generation ?? 1;
  const keys = `${fold.id}${generation === 1 ? "" : `~${generation}`}/`;
  for (const [path, op] of fold.ops) {
    if (op.kind !== "step" || op.undo === undefined) continue;
    const hadEffect = effects.has(keys + path);
    const wasUndone = effects.has(`${keys}${path}~undo`);
    if (wasUndone && !UNDONE_ENDS.includes(fold.end))
      return `${fold.id}: ${path} was undone in a run that ${fold.end}`;
    const mustUndo = fold.end === "failed" || UNDONE_ENDS.includes(fold.end);
    if (mustUndo && hadEffect && !wasUndone)
      return `${fold.id}: ${path} had an effect that was not undone (${fold.end})`;
  }
  return null;
}
