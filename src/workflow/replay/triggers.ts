// Finds the triggers of a recorded entry from its facts: the results, the commands and the wake-ups that asked for the decision. The other
// facts are the work of the decider and of the code, and a replay must make them again. Pure.
//
// G1  The facts of commands come first, in the order of their stream; then those of results; then the deadlines; then the code.
// G2  A deadline is no trigger: the replay gives the log time, and the decider fires what is due (decide/decider.ts D4).
import type { Json } from "../../protocol/index.ts";
import { expire } from "../decide/commands.ts";
import type { Command, Trigger } from "../decide/triggers.ts";
import type { Entry } from "../log/entry.ts";
import type { Author, Fact, Outcome } from "../log/facts.ts";
import type { Fold, Op } from "../log/fold.ts";

type Asked = { readonly command: Command; readonly by?: Author };
type Settled = Extract<Fact, { type: "settled" }>;

/** The triggers of an entry. `fold` is the state before it. */
export function triggersOf(entry: Entry, fold: Fold): Trigger[] {
  const took = [...(entry.took ?? [])];
  const triggers: Trigger[] = [];
  const add = ({ command, by }: Asked) => {
    const seq = took.shift() ?? fold.lastCommand + triggers.length + 1;
    triggers.push({ type: "command", seq, command, ...(by === undefined ? {} : { by }) });
  };
  for (const [index, fact] of entry.facts.entries()) {
    if (fact.type === "settled") {
      const found = readSettled(fact, fold, entry.atMs);
      if (found?.type === "result") triggers.push(found);
      else if (found !== null) add(found.asked);
    } else {
      const asked = readCommand(fact, entry.facts, index);
      if (asked !== null) add(asked);
    }
  }
  // The commands that are left made no fact of their own: wake-ups. A spent one is the wake-up that is armed.
  for (const seq of took) {
    const { armed } = fold;
    const n = armed !== null && armed.atMs <= entry.atMs ? armed.n : 0;
    triggers.push({ type: "command", seq, command: { type: "wake", n } });
  }
  return triggers;
}

/** The command that a fact stands for; null for a fact that no command makes. */
function readCommand(fact: Fact, facts: readonly Fact[], index: number): Asked | null {
  switch (fact.type) {
    case "begun": {
      if (fact.generation > 1) return null;
      const { type: _type, generation: _generation, by, n: _n, lastCommand: _last, ...start } = fact;
      return { command: { type: "start", ...start }, ...authorOf(by) };
    }
    case "signalled":
      return {
        command: { type: "signal", name: fact.name, value: fact.value },
        ...authorOf(fact.by),
      };
    case "paused":
      return { command: { type: "pause" }, ...authorOf(fact.by) };
    case "resumed": {
      const before = facts[index - 1];
      const skip = before?.type === "skipped" ? { skip: before.path, note: before.note } : {};
      return { command: { type: "resume", ...skip }, ...authorOf(fact.by) };
    }
    case "retried":
      return {
        command: { type: "retry", ...(fact.from === undefined ? {} : { from: fact.from }) },
        ...authorOf(fact.by),
      };
    case "finished":
      return fact.how === "cancelled"
        ? { command: { type: "cancel", undo: fact.undo }, ...authorOf(fact.by) }
        : null;
    default:
      return null;
  }
}

const authorOf = (by: Author | undefined) => (by === undefined ? {} : { by });

/** The trigger of an end: a result, or the decision of a person; null for a deadline, and for an end that the decider makes itself. */
function readSettled(
  { path, outcome }: Settled,
  fold: Fold,
  atMs: number,
): Extract<Trigger, { type: "result" }> | { type: "asked"; asked: Asked } | null {
  const op = fold.ops.get(path);
  if (op === undefined) return null; // It was ordered in this entry: the decider refused it at once.
  if (op.n !== undefined) return { type: "result", n: op.n, outcome };
  if (op.kind !== "approval") return null;
  const isExpiry = op.dueMs !== undefined && op.dueMs <= atMs && isSame(expire(op), outcome);
  return isExpiry ? null : { type: "asked", asked: readDecision(op, outcome) };
}

/** The decision of a person from its end. The log keeps no groups, so the person gets the names of the approval as groups. */
function readDecision({ path, by: allowed = [] }: Op, outcome: Outcome): Asked {
  const author = (user: string, proven: boolean) => ({ user, proven, groups: allowed });
  if (outcome.status === "completed") {
    const { by = "-", proven = false, note } = (outcome.output ?? {}) as { [name: string]: Json };
    const command = { type: "approve" as const, path, ...(note === undefined ? {} : { note: String(note) }) };
    return { command, by: author(String(by), proven === true) };
  }
  const { message } = outcome.error;
  const [, user = "-", note] =
    /^([^ ]+) rejected(?:: ([\s\S]*))?$/.exec(message.slice(path.length + 2)) ?? [];
  const command = { type: "reject" as const, path, ...(note === undefined ? {} : { note }) };
  return { command, by: author(user, false) };
}

function isSame(one: Outcome, other: Outcome): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
