// The selection of tasks by their facts, for lists and for changes of many tasks. Pure.

/** A selection. An absent field selects every task. */
export interface TaskFilter {
  capability?: string | undefined;
  scope?: string | undefined;
  /** The agent of the last attempt. */
  agent?: string | undefined;
  /** The code of the error. */
  code?: string | undefined;
  /** The fingerprint of the error's message; only dead letters have one. */
  fingerprint?: string | undefined;
  /** Unix ms: only tasks that were stored, or ended, at this time or later. */
  sinceMs?: number | undefined;
  idPrefix?: string | undefined;
  /** Every one of these labels. */
  labels?: readonly { name: string; value: string }[] | undefined;
}

/** The facts of one task. Undefined: the place where the task is stored does not tell. */
export interface TaskFacts {
  taskId: string;
  capability: string;
  atMs?: number | undefined;
  scope?: string | undefined;
  agent?: string | null | undefined;
  code?: string | null | undefined;
  fingerprint?: string | undefined;
  labels?: Readonly<Record<string, string>> | undefined;
}

/** True when the filter selects the task, and null when that depends on a fact that is not known. */
export function selects(filter: TaskFilter, facts: TaskFacts): boolean | null {
  const { labels: wanted, sinceMs } = filter;
  const answers = [
    filter.idPrefix === undefined || facts.taskId.startsWith(filter.idPrefix),
    filter.capability === undefined || facts.capability === filter.capability,
    sinceMs === undefined || (facts.atMs === undefined ? null : facts.atMs >= sinceMs),
    isSame(filter.scope, facts.scope),
    isSame(filter.agent, facts.agent),
    isSame(filter.code, facts.code),
    isSame(filter.fingerprint, facts.fingerprint),
    wanted === undefined || hasLabels(wanted, facts.labels),
  ];
  if (answers.includes(false)) return false;
  return answers.includes(null) ? null : true;
}

function hasLabels(wanted: NonNullable<TaskFilter["labels"]>, known: TaskFacts["labels"]): boolean | null {
  return known === undefined ? null : wanted.every(({ name, value }) => known[name] === value);
}

function isSame(wanted: string | undefined, known: string | null | undefined): boolean | null {
  if (wanted === undefined) return true;
  return known === undefined ? null : known === wanted;
}
