// Settles a step with `once` that began and never ended: a person tells how it ended, or that it did nothing. The task then goes on.
// I1: only a task that waits for a person can be settled. Its journal ends with `waiting` or `settled`, so no attempt runs: an attempt
//     of a task with records writes one before it starts. The append expects that last record.
// I2: the record comes first, then the task is made due. A second call finds the record, and makes the task due again.
import { type Clock, sleep, toIsoTime } from "../../base/index.ts";
import {
  checkPlainData,
  encode,
  INLINE_LIMIT_BYTES,
  type JournalRecord,
  STEP_RESULT_DEPTH,
  STEPS_LIMIT_BYTES,
  type Subjects,
  SwarmError,
  showValue,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { StepsFold } from "../steps/fold.ts";
import type { Journal, JournalTip } from "../stores/journal.ts";
import type { ChangedTask, TaskChange } from "./move.ts";
import type { TaskReader } from "./reader.ts";

/** How a step ended, as a person tells it. `isDone` false: it did nothing, so it runs again. */
export interface StepSettlement {
  readonly step: string;
  readonly isDone: boolean;
  /** The result of a step that was done. */
  readonly output?: unknown;
  /** The person. */
  readonly by: string;
}

/** The outcome of a settlement. */
export interface SettledStep {
  taskId: string;
  step: string;
  isDone: boolean;
  /** False when the same was told before. */
  changed: boolean;
  /** The steps of the task that still wait for a person. */
  waiting: string[];
}

/** The most tries of the append: each lost one means that another person settled a step at the same time. */
const APPEND_TRIES = 5;
/** How long the call waits for a host that is just putting the task aside, in ms, and the pause between two looks. */
const WAKE_LIMIT_MS = 3_000;
const WAKE_PAUSE_MS = 100;
/** The most names of steps in an error. */
const SHOWN_STEPS = 10;

interface SettleParts {
  transport: Pick<Transport, "blobs">;
  subjects: Subjects;
  clock: Clock;
  journal: Journal;
  reader: Pick<TaskReader, "locate">;
  change(taskId: string, change: TaskChange): Promise<ChangedTask>;
}

/**
 * Settles a step, and makes the task due.
 * @throws SwarmError `not_found`: no such task or step; `conflict`: the task has ended or does not wait, or the step has another
 *   record; `invalid_input`, `payload_too_large` for the result; `unavailable`.
 */
export async function settleStep(
  parts: SettleParts,
  taskId: string,
  settlement: StepSettlement,
): Promise<SettledStep> {
  const { step, isDone } = settlement;
  const result = await packResult(parts, settlement);
  const found = await parts.reader.locate(taskId);
  if (found === null) throw new SwarmError("not_found", `this swarm has no task ${taskId}`);
  if (found.place === "result") {
    throw new SwarmError("conflict", `task ${taskId} has ended; see murmur task show ${taskId}`);
  }
  const { capability } = found;
  for (let tries = 1; ; tries++) {
    const { tip, fold, last } = await readJournal(parts, capability, taskId);
    const isRepeat = isToldBefore(taskId, settlement, fold, last);
    if (!isRepeat) {
      const record = recordOf(taskId, settlement, result, { tip, fold, nowMs: parts.clock.now() });
      if (!(await tryAppend(parts, { capability, taskId, record, tip }))) {
        if (tries >= APPEND_TRIES)
          throw new SwarmError("unavailable", `the journal of task ${taskId} changes; try again`);
        continue;
      }
      fold.add(record);
    }
    if (tip.record?.type === "waiting" || tip.record?.type === "settled")
      await wake(parts, capability, taskId);
    return { taskId, step, isDone, changed: !isRepeat, waiting: fold.open };
  }
}

interface PackedResult {
  bytes?: number;
  output?: unknown;
  blob?: { $blob: string; bytes: number };
}

/** The result as the journal stores it. @throws SwarmError `invalid_input`, `payload_too_large`. */
async function packResult(parts: SettleParts, { isDone, output }: StepSettlement): Promise<PackedResult> {
  if (!isDone || output === undefined) return {};
  checkPlainData(output, "result", "json", STEP_RESULT_DEPTH);
  const encoded = encode(output);
  const bytes = encoded.length;
  if (bytes > STEPS_LIMIT_BYTES) {
    throw new SwarmError(
      "payload_too_large",
      `result: the results of a task have at most ${STEPS_LIMIT_BYTES} bytes, got ${bytes}`,
      { field: "result" },
    );
  }
  return bytes > INLINE_LIMIT_BYTES
    ? { bytes, blob: await parts.transport.blobs.put(encoded) }
    : { bytes, output };
}

async function readJournal({ journal }: SettleParts, capability: string, taskId: string) {
  const records = await journal.records(capability, taskId);
  const fold = new StepsFold({ keepsOutputs: true });
  for (const { record } of records) fold.add(record);
  const tip = await journal.tip(capability, taskId);
  if (tip.seq !== (records.at(-1)?.seq ?? 0)) {
    throw new SwarmError("unavailable", `the journal of task ${taskId} changes; try again`);
  }
  return { tip, fold, last: records.at(-1)?.record };
}

/** True when a person told the same before. @throws SwarmError `conflict`, `not_found`. */
function isToldBefore(
  taskId: string,
  { step, isDone, output }: StepSettlement,
  fold: StepsFold,
  last: JournalRecord | undefined,
): boolean {
  const known = fold.steps.get(step);
  if (known?.state === "began") return false;
  const isSame = known?.settledBy !== undefined && JSON.stringify(known.output) === JSON.stringify(output);
  if (isDone && isSame) return true;
  if (!isDone && last?.type === "settled" && last.step === step && !last.isDone) return true;
  if (known !== undefined) {
    const who = known.settledBy === undefined ? "" : ` by ${known.settledBy}`;
    throw new SwarmError(
      "conflict",
      `the step ${showValue(step)} of task ${taskId} is ${known.state} already${who}; it cannot be settled again`,
      { field: "step" },
    );
  }
  const waiting = fold.open.slice(0, SHOWN_STEPS).map(showValue).join(", ");
  throw new SwarmError(
    "not_found",
    `no step ${showValue(step)} of task ${taskId} waits for a person; waiting: ${waiting === "" ? "none" : waiting}`,
    { field: "step" },
  );
}

/** @throws SwarmError `conflict`: an attempt of the task may run (I1). */
function recordOf(
  taskId: string,
  { step, isDone, by }: StepSettlement,
  result: PackedResult,
  { tip, fold, nowMs }: { tip: JournalTip; fold: StepsFold; nowMs: number },
): JournalRecord {
  const { record } = tip;
  if (record?.type !== "waiting" && record?.type !== "settled") {
    throw new SwarmError(
      "conflict",
      `task ${taskId} does not wait for a person yet: an attempt runs the step ${showValue(step)}, or its process has died and the task is about to be redelivered; try again when murmur task show ${taskId} says that it waits`,
      { field: "step" },
    );
  }
  const bytes = result.bytes ?? 0;
  if (fold.bytes + bytes > STEPS_LIMIT_BYTES) {
    throw new SwarmError(
      "payload_too_large",
      `result: the results of a task have at most ${STEPS_LIMIT_BYTES} bytes, got ${fold.bytes} and ${bytes} more`,
      { field: "result" },
    );
  }
  const { attempt, agent } = record;
  return { type: "settled", attempt, agent, at: toIsoTime(nowMs), step, by, isDone, ...result };
}

/** False when another process wrote first. */
async function tryAppend(
  { journal }: SettleParts,
  {
    capability,
    taskId,
    record,
    tip,
  }: { capability: string; taskId: string; record: JournalRecord; tip: JournalTip },
): Promise<boolean> {
  try {
    await journal.append(capability, taskId, record, tip);
    return true;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "conflict") return false;
    throw error;
  }
}

/**
 * Makes the task due (I2). A host may be putting it aside at this moment; the call waits for that. Should the host take longer, the
 * task is looked at again by itself after some minutes.
 */
async function wake(parts: SettleParts, capability: string, taskId: string): Promise<void> {
  const endMs = parts.clock.now() + WAKE_LIMIT_MS;
  for (;;) {
    const changed = await parts.change(taskId, { dueNow: true }).then(
      (done) => done.changed,
      (error: unknown) => {
        if (error instanceof SwarmError && error.code !== "unavailable") return true; // it has started, or ended
        throw error;
      },
    );
    if (changed || parts.clock.now() >= endMs) return;
    const { record } = await parts.journal.tip(capability, taskId);
    if (record?.type !== "settled") return;
    await sleep(WAKE_PAUSE_MS, { clock: parts.clock });
  }
}
