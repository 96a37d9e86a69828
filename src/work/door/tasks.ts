// The tasks of a program that reaches its swarm only through the front door: the same promises as client.ts, and no right but
// `operate.<user>.>`, `done.<capability>.*.*` and an inbox. app/door performs the operations.
import { backoffDelayMs, type Clock, newId, sleep, systemChance, untilAborted } from "../../base/index.ts";
import {
  createSubjects,
  parse,
  parseTask,
  type Result,
  type SubmitReply,
  SwarmError,
  submitReplySchema,
  type TaskInput,
  type TaskStatus,
  taskStatusSchema,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { TaskClient } from "../client/client.ts";
import type { ListOptions } from "../client/list.ts";
import { REPEAT_BACKOFF, type SubmitOptions } from "../client/submit.ts";
import { ResultWaiter } from "../client/waiter.ts";
import type { DoorCaller, DoorCallOptions } from "./caller.ts";

/** The part of a task client that programs use, which a front door serves too. */
export interface ProgramTasks
  extends Pick<
    TaskClient,
    "submit" | "run" | "result" | "status" | "list" | "cancel" | "cancelScope" | "close"
  > {
  /** Follows a task, where the front door does it; without it, the caller subscribes to the task's events itself. */
  watch?(
    taskId: string,
    options: { signal: AbortSignal; patienceMs: number },
  ): AsyncGenerator<TaskStatus, void>;
}

/** Makes the tasks of one user over the front door. */
export function createDoorTasks({
  transport,
  caller,
  clock = transport.clock,
}: {
  transport: Transport;
  caller: DoorCaller;
  clock?: Clock;
}): ProgramTasks & Required<Pick<ProgramTasks, "watch">> {
  const subjects = createSubjects(transport.prefix);
  const waiter = new ResultWaiter(
    { bus: transport.bus, blobs: caller.blobs, onState: (onState) => transport.onState(onState) },
    subjects,
    readStored,
    clock,
  );

  async function show(taskId: string, options?: DoorCallOptions): Promise<TaskStatus> {
    return parse(taskStatusSchema, await caller.call("task-show", { task: taskId }, options), "the answer");
  }

  /** The stored result of a task; null while there is none. */
  async function readStored(taskId: string): Promise<{ result: Result } | null> {
    try {
      const { result } = await show(taskId);
      return result === undefined ? null : { result };
    } catch (error) {
      if (error instanceof SwarmError && error.code === "not_found") return null;
      throw error;
    }
  }

  /** Submits under an id that is chosen here, so that a repeat after a lost answer makes no second task. */
  async function submit(input: TaskInput, options: SubmitOptions = {}): Promise<SubmitReply> {
    const task = parseTask(input);
    const taskId = task.id ?? options.newTaskId ?? newId();
    return submitAs(input, taskId, options);
  }

  async function submitAs(input: TaskInput, taskId: string, options: SubmitOptions): Promise<SubmitReply> {
    const { encoding, traceparent, tracestate, signal, patienceMs = 0 } = options;
    const endMs = clock.now() + patienceMs;
    const calling = { encoding, traceparent, tracestate, signal };
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted();
      try {
        const answer = await caller.call("task-submit", { ...input, id: taskId }, calling);
        const reply = parse(submitReplySchema, answer, "the answer");
        return input.id === undefined ? { ...reply, duplicate: false } : reply;
      } catch (error) {
        const delayMs = backoffDelayMs(REPEAT_BACKOFF, tries, systemChance);
        const isOver = clock.now() + delayMs > endMs;
        if (!(error instanceof SwarmError) || error.code !== "unavailable" || isOver) throw error;
        await sleep(delayMs, signal === undefined ? { clock } : { clock, signal });
      }
    }
  }

  async function run(
    input: TaskInput,
    options: SubmitOptions & { timeoutMs?: number | undefined } = {},
  ): Promise<Result> {
    const task = parseTask(input);
    const taskId = task.id ?? options.newTaskId ?? newId();
    const wait = waiter.wait(task.capability, taskId, options.timeoutMs);
    wait.result.catch(() => undefined); // it may reject before this function awaits it
    try {
      const submitted = submitAs(input, taskId, options).then(async ({ duplicate }) => {
        const stored = duplicate ? await readStored(taskId) : null;
        return stored?.result ?? wait.result;
      });
      return await untilAborted(Promise.race([submitted, wait.result]), options.signal);
    } finally {
      wait.close();
    }
  }

  return {
    submit,
    run,
    async result(taskId, { timeoutMs, signal } = {}) {
      const status = await show(taskId, { signal });
      if (status.result !== undefined) return status.result;
      const wait = waiter.wait(status.capability ?? "", taskId, timeoutMs);
      wait.result.catch(() => undefined);
      try {
        const stored = await untilAborted(readStored(taskId), signal);
        return stored === null ? await untilAborted(wait.result, signal) : stored.result;
      } finally {
        wait.close();
      }
    },
    status: (taskId) => show(taskId),
    async list(filter = {}) {
      const { tasks } = (await caller.call("task-list", toListInput(filter))) as { tasks: unknown[] };
      return tasks.map((task) => parse(taskStatusSchema, task, "the answer"));
    },
    async cancel(taskId, { timeoutMs } = {}) {
      await caller.call("task-cancel", { task: taskId }, { timeoutMs });
    },
    async cancelScope(scope) {
      await caller.call("task-cancel", { scope });
    },
    watch: (taskId, options) => watchPatiently(caller, taskId, options),
    close: () => waiter.close(),
  };
}

/** The fields of the operation for the options of a list. */
function toListInput({ sinceMs, labels, ...filter }: ListOptions): Record<string, unknown> {
  return {
    ...filter,
    ...(sinceMs === undefined ? {} : { since: new Date(sinceMs).toISOString() }),
    ...(labels === undefined ? {} : { label: labels.map(({ name, value }) => `${name}=${value}`) }),
  };
}

/** How long a watch waits before it asks again, in ms: an api process that ended is replaced within this time. */
const WATCH_AGAIN_MS = 500;

/** As {@link watch}, and again while no api process answers, for `patienceMs` at most. */
async function* watchPatiently(
  caller: DoorCaller,
  taskId: string,
  { signal, patienceMs }: { signal: AbortSignal; patienceMs: number },
): AsyncGenerator<TaskStatus, void> {
  let shown = "";
  for (let silentSinceMs = performance.now(); ; ) {
    try {
      for await (const status of watch(caller, taskId, signal)) {
        const { state, attempt, progress, agent, result } = status;
        const facts = JSON.stringify([state, attempt, progress, agent, result === undefined]);
        if (facts !== shown) yield status;
        shown = facts;
        silentSinceMs = performance.now();
      }
      return;
    } catch (error) {
      const isOver = performance.now() + WATCH_AGAIN_MS - silentSinceMs > patienceMs;
      if (!(error instanceof SwarmError) || error.code !== "unavailable" || isOver) throw error;
      await sleep(WATCH_AGAIN_MS, { signal });
    }
  }
}

/** Yields each status; a consumer that is slower than the changes gets the newest one. */
async function* watch(
  caller: DoorCaller,
  taskId: string,
  signal: AbortSignal,
): AsyncGenerator<TaskStatus, void> {
  const left = new AbortController();
  let newest: TaskStatus | undefined;
  let isOver = false;
  let wake: () => void = () => undefined;
  const take = (status: unknown) => {
    newest = parse(taskStatusSchema, status, "the status");
    wake();
  };
  const options = { signal: AbortSignal.any([signal, left.signal]), onEvent: take };
  const following = caller
    .call("task-watch", { task: taskId }, options)
    .then(take)
    .finally(() => {
      isOver = true;
      wake();
    });
  following.catch(() => undefined); // awaited below, after the statuses
  try {
    for (;;) {
      const status = newest;
      newest = undefined;
      if (status !== undefined) yield status;
      else if (isOver) return await following;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    left.abort();
  }
}
