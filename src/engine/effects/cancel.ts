// Cancels the task of a step whose end the run no longer needs.
// C1  A task that a host has ends with the host's own result, after its code has ended. The engine stores `cancelled` only for a task that
//     no host has.
// C2  The engine never marks the scope: a marked scope would refuse the compensations.
// C3  A result says that the step never started only when that is proven: its message left the queue, and the consumer of the queue has not
//     come as far as the message.
// C4  A host that has just got the task does not answer yet. It tells soon that the task began, or its result is announced: the engine looks
//     again at this signal, and the pause is only the bound for a host that is gone.
// C5  A host may die between the broadcast and its result. So the engine marks the task before it leaves the end to the host: the host that gets
//     the redelivery reads the mark, and ends the task as cancelled.
// C6  A message that left the queue a moment after its delivery has no redelivery. The effect then lasts until the host has ended the task, or no
//     longer answers; the trigger of the decision is not acked before, so the next engine goes on.
import { type Clock, sleep, toIsoTime } from "../../base/index.ts";
import { encode, fitsFilter, HEADERS, type Result, type Subjects } from "../../protocol/index.ts";
import type { Subscription, Transport } from "../../transport/index.ts";
import { markTask, purgePlaced, type TaskClient } from "../../work/index.ts";
import { storeResult } from "./results.ts";

/** The looks for a host that has just got the task and does not answer yet. */
const LOOKS = 3;
/** The longest pause between two looks, in ms: a host that begins or ends the task ends the pause at once (C4). */
const HOST_LOOK_PAUSE_MS = 200;

/**
 * The looks for a host that has a task whose message is gone, and the longest pause between two of them, in ms (C6). A host gives the code
 * of a cancelled task 2 s to end.
 */
const HELD_LOOKS = 10;
const HELD_LOOK_PAUSE_MS = 1_000;

/** The parts of a cancel. */
export interface CancelParts {
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly tasks: Pick<TaskClient, "locate" | "findRunning" | "findBallot" | "cancel">;
}

/** Cancels the task of a step. Safe to repeat. @throws SwarmError `unavailable`. */
export async function cancelStep(
  parts: CancelParts,
  { taskId, capability, scope }: { taskId: string; capability: string; scope: string },
): Promise<void> {
  const { transport, subjects } = parts;
  const tell = () => transport.bus.publish(subjects.cancel(scope, taskId), encode({}));
  tell();
  const signals = new TaskSignals(parts, { taskId, capability });
  try {
    await cancelTask(parts, { taskId, capability, scope, tell, signals });
  } finally {
    signals.close();
  }
}

interface Cancelling {
  readonly taskId: string;
  readonly capability: string;
  readonly scope: string;
  readonly tell: () => void;
  readonly signals: TaskSignals;
}

async function cancelTask(
  parts: CancelParts,
  { taskId, capability, scope, tell, signals }: Cancelling,
): Promise<void> {
  const { transport, subjects, clock, tasks } = parts;
  let wasDelivered = true;
  for (let look = 1; ; look++) {
    const found = await tasks.locate(taskId);
    if (found?.place === "result") return;
    if (found === null) {
      if (look === 1 && (await tasks.findBallot(taskId)) !== null) return tasks.cancel(taskId);
      // This effect removed it, now or in an earlier try, or it was never published.
      const isRunning = (await tasks.findRunning(taskId, null)) !== null;
      if (isRunning)
        tell(); // C6
      else if (look === 1 || look >= LOOKS) break;
      if (look >= HELD_LOOKS) break;
      await signals.next(isRunning ? HELD_LOOK_PAUSE_MS : HOST_LOOK_PAUSE_MS);
      continue;
    }
    if (found.place === "queue" && found.placement === undefined) {
      if (!(await isDelivered(parts, found.stored))) {
        const removed = await transport.log("tasks").purge({ filter: found.stored.subject });
        wasDelivered = removed === 0 || (await isDelivered(parts, found.stored)); // C3
        if (removed > 0 && !wasDelivered) break;
        if (removed > 0) continue; // C6
      }
    }
    if ((await tasks.findRunning(taskId, found)) !== null) {
      await markTask(transport, taskId, clock.now()); // C5
      tell(); // C1
      await transport.bus.flush(); // A broadcast that a lost connection swallowed is repeated with the effect.
      return;
    }
    if (look >= LOOKS) break;
    await signals.next(HOST_LOOK_PAUSE_MS);
  }
  const at = toIsoTime(clock.now());
  const result: Result = {
    taskId,
    status: "cancelled",
    error: { code: "cancelled", message: "the workflow no longer needs this step", retryable: false },
    attempt: 0,
    agent: "-",
    startedAt: at,
    finishedAt: at,
    queuedMs: 0,
    ranMs: 0,
  };
  await storeResult(transport, {
    subject: subjects.result(capability, scope, taskId),
    result,
    ...(wasDelivered ? {} : { headers: { [HEADERS.neverStarted]: "1" } }),
  });
  const { filters } = subjects;
  await Promise.all([
    transport.log("tasks").purge({ filter: filters.taskById(taskId) }),
    purgePlaced(transport, filters.placedById(taskId)),
    transport.log("later").purge({ filter: filters.laterById(taskId) }),
    transport.log("later").purge({ filter: filters.dueById(taskId) }),
  ]);
  tell();
}

/** Hears that a host began or ended a task. It subscribes with the first wait: most cancels need none. */
class TaskSignals {
  readonly #parts: CancelParts;
  readonly #task: { taskId: string; capability: string };
  #subscriptions: readonly Subscription[] = [];
  #news = Promise.withResolvers<void>();

  constructor(parts: CancelParts, task: { taskId: string; capability: string }) {
    this.#parts = parts;
    this.#task = task;
  }

  /** Resolves at the next signal, and after `limitMs`. */
  async next(limitMs: number): Promise<void> {
    const { transport, subjects, clock } = this.#parts;
    const { taskId, capability } = this.#task;
    if (this.#subscriptions.length === 0) {
      const filters = [subjects.filters.taskEvents(taskId), subjects.filters.doneOfTask(capability, taskId)];
      this.#subscriptions = filters.map((filter) =>
        transport.bus.subscribe(filter, () => this.#news.resolve()),
      );
    }
    const stop = new AbortController();
    const pause = sleep(limitMs, { clock, signal: stop.signal }).catch(() => undefined);
    await Promise.race([this.#news.promise, pause]);
    stop.abort();
    this.#news = Promise.withResolvers();
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
  }
}

/** True when a consumer has come as far as the message. A queue without a consumer has delivered nothing. */
async function isDelivered(
  { transport }: CancelParts,
  { subject, seq }: { subject: string; seq: number },
): Promise<boolean> {
  const consumers = await transport.queue("tasks").consumers();
  return consumers.some(({ filter, deliveredSeq }) => fitsFilter(filter, subject) && deliveredSeq >= seq);
}
