// The history of a task, computed from its journal records: one line for each attempt. Pure. journal.ts reads the records
// and stores the history when the task ends.
import { cutMiddle } from "../../base/index.ts";
import type { AttemptLine, JournalRecord, Result, StepLine, TaskHistory } from "../../protocol/index.ts";
import { StepsFold } from "../steps/fold.ts";

/** The most attempts of a history: all that the largest retry policy (100 retries) and all hand-offs allow, and some more. */
export const MAX_HISTORY_LINES = 150;
/** The longest message of an error in a stored history, in bytes of UTF-8. 150 of them leave room in one message. */
const LINE_MESSAGE_BYTES = 1_024;
/** The most bytes of all traces of a stored history. With the lines it stays below the largest inline body (512 KiB). */
const HISTORY_TRACE_BYTES = 256 * 1024;
/** The most bytes of the steps of a stored history, as JSON: with the lines and the traces it stays below the largest inline body. */
const HISTORY_STEPS_BYTES = 64 * 1024;

/** The end of a task, as far as its last attempt did not record it. */
export type LastAttempt = Omit<AttemptLine, "retryAt">;

/** Folds the journal records of one task, in their order, into lines. */
export class HistoryFold {
  #attempts: AttemptLine[] = [];
  #droppedAttempts = 0;
  #droppedTraces = 0;
  #steps = new StepsFold({ keepsOutputs: false });
  #ended: Pick<TaskHistory, "steps" | "droppedSteps"> = {};
  /** True when no record was added. */
  isEmpty = true;
  /** True when the last record closes the journal. */
  isEnded = false;

  add(record: JournalRecord): void {
    this.isEmpty = false;
    // A record after the closing record belongs to a new task with the id of the ended one.
    if (this.isEnded) {
      this.#attempts = [];
      this.#droppedAttempts = 0;
      this.#droppedTraces = 0;
    }
    this.isEnded = record.type === "finished";
    this.#steps.add(record);
    switch (record.type) {
      case "started": {
        const { attempt, agent, at } = record;
        this.#push({ attempt, agent, outcome: "running", startedAt: at });
        return;
      }
      case "failed": {
        const { attempt, agent, at, startedAt, retryAt, error, trace } = record;
        this.#end({ attempt, agent, outcome: "failed", startedAt, endedAt: at, retryAt, error, trace });
        return;
      }
      case "steps": {
        const open = this.#attempts.at(-1);
        const { attempt, agent } = record;
        // The first record of a first attempt, which has no record of its start.
        if (open?.outcome !== "running" || open.attempt !== attempt)
          this.#push({ attempt, agent, outcome: "running" });
        return;
      }
      case "settled":
        return;
      case "waiting": {
        const { attempt, agent, at } = record;
        this.#end({ attempt, agent, outcome: agent === "-" ? "failed" : "returned", endedAt: at });
        return;
      }
      case "returned":
      case "handed": {
        const { attempt, agent, at } = record;
        const outcome = record.type === "handed" ? "handed-off" : "returned";
        this.#end({ attempt, agent, outcome, endedAt: at });
        return;
      }
      case "finished":
        this.#attempts = record.history?.attempts ?? [];
        this.#droppedAttempts = record.history?.droppedAttempts ?? 0;
        this.#droppedTraces = record.history?.droppedTraces ?? 0;
        this.#ended = stepsOf(record.history);
        return;
      default:
        record satisfies never;
    }
  }

  /** The lines so far. */
  history(): TaskHistory {
    return {
      attempts: [...this.#attempts],
      droppedAttempts: this.#droppedAttempts,
      droppedTraces: this.#droppedTraces,
      ...(this.isEnded ? this.#ended : this.#stepLines()),
    };
  }

  #stepLines(): Pick<TaskHistory, "steps"> {
    const steps = this.#steps.lines();
    return steps.length === 0 ? {} : { steps };
  }

  /** The history of a task that ended now, in the bounds of one stored message. */
  close(last: LastAttempt): TaskHistory {
    const open = this.#attempts.at(-1);
    if (open?.outcome === "running") this.#end({ ...last, attempt: open.attempt });
    else if (last.startedAt !== undefined) this.#end(last);
    return fitHistory(this.history());
  }

  #push(line: AttemptLine): void {
    const open = this.#attempts.at(-1);
    if (open?.outcome === "running") open.outcome = "died";
    this.#attempts.push(withoutUndefined(line));
    if (this.#attempts.length <= MAX_HISTORY_LINES) return;
    this.#attempts.shift();
    this.#droppedAttempts++;
  }

  /** Ends the open attempt, or adds an attempt whose start no record has. */
  #end(line: AttemptLine): void {
    const open = this.#attempts.at(-1);
    if (open?.outcome !== "running" || open.attempt !== line.attempt) {
      this.#push(line);
      return;
    }
    // A process that died did not record its end: another process did, and knows no agent.
    const isDead = line.agent === "-" && line.outcome === "failed";
    const agent = line.agent === "-" ? open.agent : line.agent;
    const startedAt = open.startedAt ?? line.startedAt;
    const outcome = isDead ? "died" : line.outcome;
    this.#attempts[this.#attempts.length - 1] = withoutUndefined({ ...line, agent, startedAt, outcome });
  }
}

/** Cuts the messages, and drops the oldest traces beyond the bound. */
function fitHistory({ attempts, droppedAttempts, droppedTraces, steps }: TaskHistory): TaskHistory {
  let room = HISTORY_TRACE_BYTES;
  let dropped = droppedTraces;
  const fitted = attempts.toReversed().map(({ trace, error, ...line }): AttemptLine => {
    const message = error === undefined ? "" : cutMiddle(error.message, LINE_MESSAGE_BYTES).text;
    const short = error === undefined ? line : { ...line, error: { ...error, message } };
    if (trace === undefined) return short;
    room -= Buffer.byteLength(trace);
    if (room >= 0) return { ...short, trace };
    dropped++;
    return short;
  });
  return { attempts: fitted.toReversed(), droppedAttempts, droppedTraces: dropped, ...fitSteps(steps) };
}

/** Keeps the newest steps within {@link HISTORY_STEPS_BYTES}, with short messages, and counts the others. */
function fitSteps(steps: readonly StepLine[] | undefined): Pick<TaskHistory, "steps" | "droppedSteps"> {
  if (steps === undefined) return {};
  const kept: StepLine[] = [];
  let room = HISTORY_STEPS_BYTES;
  for (const { error, ...line } of steps.toReversed()) {
    const short: StepLine =
      error === undefined
        ? line
        : { ...line, error: { ...error, message: cutMiddle(error.message, LINE_MESSAGE_BYTES).text } };
    room -= Buffer.byteLength(JSON.stringify(short));
    if (room < 0) break;
    kept.push(short);
  }
  const droppedSteps = steps.length - kept.length;
  return { steps: kept.reverse(), ...(droppedSteps === 0 ? {} : { droppedSteps }) };
}

function stepsOf(history: TaskHistory | undefined): Pick<TaskHistory, "steps" | "droppedSteps"> {
  const { steps, droppedSteps } = history ?? {};
  return {
    ...(steps === undefined ? {} : { steps }),
    ...(droppedSteps === undefined ? {} : { droppedSteps }),
  };
}

/**
 * The history of an ended task without journal records: the task was delivered once, or its records have expired. Only the
 * last attempt is known, from the result.
 */
export function historyOfResult(result: Result, trace: string | undefined): TaskHistory {
  if (result.attempt === 0) return { attempts: [], droppedAttempts: 0, droppedTraces: 0 };
  return { attempts: [lineOf(result, trace)], droppedAttempts: result.attempt - 1, droppedTraces: 0 };
}

/**
 * The history of an ended task whose journal may not be closed yet: the result is stored first, and its process may have
 * died before the closing record.
 */
export function endHistory(history: TaskHistory, result: Result, trace: string | undefined): TaskHistory {
  const last = history.attempts.at(-1);
  if (last === undefined) return historyOfResult(result, trace);
  const { attempt, agent, startedAt } = last;
  const end = lineOf(result, trace);
  if (last.outcome === "running") {
    const ended = { ...end, attempt, startedAt, agent: end.agent === "-" ? agent : end.agent };
    return { ...history, attempts: [...history.attempts.slice(0, -1), withoutUndefined(ended)] };
  }
  return attempt < end.attempt ? { ...history, attempts: [...history.attempts, end] } : history;
}

function lineOf(result: Result, trace: string | undefined): AttemptLine {
  const { attempt, agent, status, startedAt, finishedAt, error } = result;
  return withoutUndefined({ attempt, agent, outcome: status, startedAt, endedAt: finishedAt, error, trace });
}

function withoutUndefined(line: AttemptLine): AttemptLine {
  return Object.fromEntries(
    Object.entries(line).filter(([, value]) => value !== undefined),
  ) as unknown as AttemptLine;
}
