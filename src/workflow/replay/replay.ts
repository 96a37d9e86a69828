// Replays a recorded log against a definition: makes each decision again from its triggers, and compares the facts. So a change of a definition,
// or of the decider, shows before it meets a run. Pure.
//
//   const replay = replayLog("order-81", texts, (name, version) => definitions.find(name, version));
//   if (replay.difference !== null) console.log(replay.difference.log, replay.difference.code);
//
// P1  Facts of engines, and not of the run, are not compared: wake-ups (`armed`), warnings and notes of tries. They depend on the clock
//     of the server and on crashes.
// P2  An entry that blocked the run, or that was made while it was blocked, is taken as it is: other code made it. From the entry that
//     unblocked the run on, the code of today decides.
import { canonicalJson, type Json } from "../../protocol/index.ts";
import { Decider } from "../decide/decider.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import { type Entry, readEntry } from "../log/entry.ts";
import type { Fact } from "../log/facts.ts";
import { applyEntry, applyFact, emptyFold, type Fold, foldLog, isContinuation } from "../log/fold.ts";
import { triggersOf } from "./triggers.ts";

/** The first difference between a log and the code of today. */
export interface ReplayDifference {
  /** The entry, from 1, and the place in its facts. */
  readonly entry: number;
  readonly fact: number;
  /** The recorded fact, and the fact that the code of today makes; null where one side has none. */
  readonly log: Fact | null;
  readonly code: Fact | null;
}

/** The result of a replay. */
export interface Replay {
  readonly id: string;
  /** The name and version of the run; null for a log without a beginning. */
  readonly workflow: string | null;
  readonly version: number | null;
  readonly entries: number;
  /** The entries that were taken as they are, because the run was blocked (P2). */
  readonly taken: number;
  /** The reason why the log cannot be replayed: it is broken, or its definition is not there. */
  readonly fault: string | null;
  readonly difference: ReplayDifference | null;
}

/** The facts that are not compared (P1). */
const NOT_COMPARED: ReadonlySet<Fact["type"]> = new Set(["armed", "warned", "tried"]);

/** Replays a log. `find` gives the definition of a name and version, as it is today. */
export function replayLog(
  id: string,
  texts: readonly string[],
  find: (name: string, version: number) => WorkflowDefinition | undefined,
): Replay {
  const read = foldLog(id, texts);
  const none = { id, workflow: null, version: null, entries: texts.length, taken: 0, difference: null };
  if (!read.ok) return { ...none, fault: `the log is broken at entry ${read.entry}: ${read.fault}` };
  const { begun } = read.fold;
  if (begun === null) return { ...none, fault: "the log has no beginning" };
  const { name: workflow, version } = begun;
  const about = { ...none, workflow, version };
  const definition = find(workflow, version);
  if (definition === undefined)
    return { ...about, fault: `there is no definition of ${workflow} v${version}` };
  const run = new Replaying(id, definition);
  for (const [index, text] of texts.entries()) {
    const entry = readEntry(text, { id, previousChain: null });
    if (!entry.ok) return { ...about, fault: `entry ${index + 1}: ${entry.fault}` };
    const difference = run.next(entry.entry, entry.bytes);
    if (difference !== null)
      return { ...about, taken: run.taken, fault: null, difference: { entry: index + 1, ...difference } };
  }
  return { ...about, taken: run.taken, fault: null };
}

class Replaying {
  readonly #id: string;
  readonly #definition: WorkflowDefinition;
  #decider: Decider;
  taken = 0;

  constructor(id: string, definition: WorkflowDefinition) {
    this.#id = id;
    this.#definition = definition;
    this.#decider = new Decider(emptyFold(id), definition);
  }

  /** Makes the next decision again; null when it is the same. */
  next(entry: Entry, bytes: number): Omit<ReplayDifference, "entry"> | null {
    const recorded = comparable(entry.facts);
    const { fold } = this.#decider;
    if (isTaken(fold, entry)) {
      applyEntry(fold, entry, bytes);
      this.#decider = new Decider(fold, this.#definition);
      this.taken++;
      return null;
    }
    if (isContinuation(entry)) return this.#continue(entry);
    const decision = this.#decider.decide({ triggers: triggersOf(entry, fold), nowMs: entry.atMs });
    return findDifference(recorded, comparable(decision.entry?.facts ?? []));
  }

  /** The first entry of a later generation: its first fact has everything that the entries before led to. */
  #continue(entry: Entry): Omit<ReplayDifference, "entry"> | null {
    const [begun, ...rest] = entry.facts;
    const fold = emptyFold(this.#id);
    fold.atMs = entry.atMs;
    if (begun !== undefined) applyFact(fold, begun);
    this.#decider = new Decider(fold, this.#definition);
    const decision = this.#decider.decide({ triggers: [], nowMs: entry.atMs });
    const made = [...(begun === undefined ? [] : [begun]), ...(decision.entry?.facts ?? [])];
    return findDifference(comparable([...(begun === undefined ? [] : [begun]), ...rest]), comparable(made));
  }
}

/** True for an entry that other code made, or that notes a try of an engine alone. */
function isTaken(fold: Fold, { facts }: Entry): boolean {
  const has = (type: Fact["type"]) => facts.some((fact) => fact.type === type);
  if (has("blocked")) return true;
  if (fold.blocked !== null && !has("unblocked")) return true;
  return comparable(facts).length === 0;
}

function comparable(facts: readonly Fact[]): Fact[] {
  return facts.filter(({ type }) => !NOT_COMPARED.has(type));
}

function findDifference(log: readonly Fact[], code: readonly Fact[]): Omit<ReplayDifference, "entry"> | null {
  for (let at = 0; at < Math.max(log.length, code.length); at++) {
    const [recorded, made] = [log[at], code[at]];
    if (recorded !== undefined && made !== undefined && textOf(recorded) === textOf(made)) continue;
    return { fact: at + 1, log: recorded ?? null, code: made ?? null };
  }
  return null;
}

function textOf(fact: Fact): string {
  return canonicalJson(JSON.parse(JSON.stringify(fact)) as Json);
}
