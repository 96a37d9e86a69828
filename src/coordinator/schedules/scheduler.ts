// Fires due schedules while this coordinator holds the office. Owns the order: first the office decides the tick (fire),
// then the scheduler submits the tick's task, or starts its run, under an id made of schedule and tick, then the office stores the
// receipt (settle). The next holder of the office repeats everything that has no receipt.
import {
  type Clock,
  createService,
  type Logger,
  newId,
  type Service,
  singleFlight,
  systemClock,
} from "../../base/index.ts";
import { type TaskInput, toSwarmError } from "../../protocol/index.ts";
import type { Office } from "../office/office.ts";
import { type Receipt, type RunSink, RunStarter } from "./run-starter.ts";
import { type FiredTick, MAX_SCHEDULES } from "./schedules.ts";
import { planTick, type When } from "./ticks.ts";

/** How often the scheduler looks for due schedules, in ms: the delay of a tick, beside the time that the log takes. */
const DUE_CHECK_INTERVAL_MS = 250;
/** The most ticks fired, and the most tasks submitted, in one check; more wait for the next check. */
const MAX_PER_CHECK = 100;
/** The longest error in a receipt, in characters. */
const MAX_ERROR_LENGTH = 500;

/** Submits tasks; two tasks with one id are one task. */
export interface TaskSink {
  submit(task: TaskInput): Promise<unknown>;
}

/** Creates the scheduler of one coordinator. */
export function createScheduler(parts: {
  office: Office;
  tasks: TaskSink;
  /** Starts the runs of schedules of workflows. */
  runs: RunSink;
  log: Logger;
  clock?: Clock;
}): Service {
  const { office, tasks, log } = parts;
  const clock = parts.clock ?? systemClock;
  const starter = new RunStarter({ runs: parts.runs, clock, log });
  let timer: NodeJS.Timeout | undefined;
  let checking: Promise<void> | undefined;
  /** Schedules whose error is in the log already; forgotten at MAX_SCHEDULES, and told again. */
  const unreadable = new Set<string>();

  async function fireDue(): Promise<void> {
    if (office.tenure === null) return;
    const { byId, outbox } = office.state.schedules;
    const nowMs = clock.now();
    const due = [...byId]
      .filter(([, { nextMs }]) => nextMs !== null && nextMs <= nowMs)
      .slice(0, MAX_PER_CHECK);
    for (const [id, { when, nextMs }] of due) {
      const expectedMs = nextMs as number;
      const plan = planOrSkip(id, when, expectedMs, nowMs);
      if (plan !== null) await office.submit(newId(), { type: "schedule-fire", id, expectedMs, ...plan });
    }
    const fired = [...outbox];
    for (const [taskId, { task }] of fired
      .filter(([, { task }]) => task !== undefined)
      .slice(0, MAX_PER_CHECK))
      await settle(taskId, await submit(taskId, task as TaskInput));
    await startRuns(fired.filter(([, { run }]) => run !== undefined));
  }

  async function settle(taskId: string, receipt: Receipt): Promise<void> {
    if (receipt === null) return;
    const error = receipt.error?.slice(0, MAX_ERROR_LENGTH) ?? null;
    await office.submit(newId(), { type: "schedule-settle", taskId, ...receipt, error });
  }

  /** Starts runs in the order of their ticks. Behind a past tick that waits, the other past ticks of its schedule wait too. */
  async function startRuns(fired: readonly [string, FiredTick][]): Promise<void> {
    const waiting = new Set<string>();
    let started = 0;
    for (const [at, [runId, tick]] of fired.entries()) {
      if (tick.isBackfill === true && waiting.has(tick.id)) continue;
      if (++started > MAX_PER_CHECK) return;
      const hasNewer = fired
        .slice(at + 1)
        .some(([, { id, isBackfill }]) => id === tick.id && isBackfill !== true);
      const receipt = await starter.take(office, { runId, fired: tick, hasNewer });
      if (receipt === null) waiting.add(tick.id);
      await settle(runId, receipt);
    }
  }

  /**
   * Null for a schedule that this process cannot read: another coordinator accepted it, and knows a time zone that this
   * one does not. The other schedules continue.
   */
  function planOrSkip(id: string, when: When, dueMs: number, nowMs: number) {
    try {
      return planTick(when, dueMs, nowMs);
    } catch (error) {
      if (unreadable.size >= MAX_SCHEDULES) unreadable.clear();
      if (!unreadable.has(id))
        log.warn({ err: error, schedule: id }, "schedule not fired; it cannot be read here");
      unreadable.add(id);
      return null;
    }
  }

  const check = singleFlight(() =>
    fireDue().catch((error: unknown) =>
      log.info({ err: error }, "schedules not fired; retrying at the next check"),
    ),
  );

  /** The receipt of a task that is submitted, or can never be; null when the next check retries it. */
  async function submit(taskId: string, task: TaskInput): Promise<Receipt> {
    try {
      await tasks.submit({ ...task, id: taskId });
      return { error: null };
    } catch (error) {
      const failure = toSwarmError(error);
      log.warn({ err: failure, taskId, retries: failure.retryable }, "scheduled task not submitted");
      if (failure.retryable) return null;
      return { error: `${failure.code}: ${failure.message}` };
    }
  }

  return createService({
    name: "scheduler",
    start() {
      timer = setInterval(() => {
        checking = check();
      }, DUE_CHECK_INTERVAL_MS);
    },
    async stop() {
      clearInterval(timer);
      await checking;
    },
  });
}
