// Fires what is due while this coordinator holds the office. Owns the order: first the intent is decided (fire), then its
// task is handed in under an id made of it, then the receipt is decided (settle). Whoever holds the office next repeats
// what has no receipt.
import {
  type Clock,
  createService,
  type Logger,
  newId,
  type Service,
  systemClock,
} from "../../base/index.ts";
import { type TaskInput, toSwarmError } from "../../protocol/index.ts";
import type { Office } from "../office/office.ts";
import { planTick } from "./ticks.ts";

/** How often schedules are looked at: how late a tick may be beside the time that the log takes. */
const DUE_CHECK_INTERVAL_MS = 250;
/** Tasks handed in, and ticks fired, in one look; more wait for the next. */
const MAX_PER_CHECK = 100;
/** The longest error that a receipt keeps. */
const MAX_ERROR_LENGTH = 500;

/** Hands tasks in; the same id twice is one task. */
export interface TaskSink {
  submit(task: TaskInput): Promise<unknown>;
}

/** Fires schedules while `office` is held here. */
export function createScheduler(parts: {
  office: Office;
  tasks: TaskSink;
  log: Logger;
  clock?: Clock;
}): Service {
  const { office, tasks, log } = parts;
  const clock = parts.clock ?? systemClock;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    if (office.tenure === null) return;
    const { byId, outbox } = office.state.schedules;
    const nowMs = clock.now();
    const due = [...byId]
      .filter(([, { nextMs }]) => nextMs !== null && nextMs <= nowMs)
      .slice(0, MAX_PER_CHECK);
    for (const [id, { when, nextMs }] of due) {
      const expectedMs = nextMs as number;
      await office.submit(newId(), {
        type: "schedule-fire",
        id,
        expectedMs,
        ...planTick(when, expectedMs, nowMs),
      });
    }
    for (const [taskId, { task }] of [...outbox].slice(0, MAX_PER_CHECK)) {
      const receipt = await handIn(taskId, task as TaskInput);
      if (receipt !== null) await office.submit(newId(), { type: "schedule-settle", taskId, ...receipt });
    }
  }

  /** The receipt of a task that is in, or never can be; null when it is tried again at the next look. */
  async function handIn(taskId: string, task: TaskInput): Promise<{ error: string | null } | null> {
    try {
      await tasks.submit({ ...task, id: taskId });
      return { error: null };
    } catch (error) {
      const told = toSwarmError(error);
      log.warn({ err: told, taskId, retries: told.retryable }, "a scheduled task could not be handed in");
      return told.retryable ? null : { error: `${told.code}: ${told.message}`.slice(0, MAX_ERROR_LENGTH) };
    }
  }

  return createService({
    name: "firing",
    start() {
      timer = setInterval(() => {
        looking ??= look()
          .catch((error: unknown) => log.info({ err: error }, "schedules are looked at again"))
          .finally(() => {
            looking = undefined;
          });
      }, DUE_CHECK_INTERVAL_MS);
    },
    async stop() {
      clearInterval(timer);
      await looking;
    },
  });
}
