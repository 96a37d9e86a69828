// Follows one task for client.ts: reads its status after each event, and from time to time without one.
import { sleep } from "../base/index.ts";
import { createSubjects, type TaskStatus } from "../protocol/index.ts";
import type { Subscription, Transport } from "../transport/index.ts";

/** How often a watch reads by itself, in ms: events are best effort, and a state may change without one. */
const WATCH_POLL_MS = 500;

/** Yields the status of a task at once and after each change; ends after the status with the result. */
export async function* watchTask(
  transport: Transport,
  taskId: string,
  read: () => Promise<TaskStatus>,
  signal: AbortSignal,
): AsyncGenerator<TaskStatus, void> {
  const { filters } = createSubjects(transport.prefix);
  let hasNews = false;
  let wake: () => void = () => undefined;
  const subscriptions: Subscription[] = [];
  const onNews = () => {
    hasNews = true;
    wake();
  };
  const follow = (subject: string) => subscriptions.push(transport.bus.subscribe(subject, onNews));
  try {
    follow(filters.taskEvents(taskId));
    for (let shown = ""; ; ) {
      hasNews = false;
      const status = await read();
      // The first status tells the capability. The next read finds a result that is stored before this subscription.
      if (subscriptions.length === 1 && status.capability !== null && status.result === undefined)
        follow(filters.doneOfTask(status.capability, taskId));
      const facts = factsOf(status);
      if (facts !== shown) yield status;
      if (status.result !== undefined) return;
      shown = facts;
      if (hasNews) continue; // during the read, or while the consumer had the status
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const asleep = new AbortController();
      const ending = AbortSignal.any([signal, asleep.signal]);
      await Promise.race([woken, sleep(WATCH_POLL_MS, { signal: ending }).catch(() => undefined)]);
      asleep.abort();
      signal.throwIfAborted();
    }
  } finally {
    for (const subscription of subscriptions) subscription.close();
  }
}

/** The facts whose change a watcher sees. */
function factsOf({ state, attempt, progress, agent }: TaskStatus): string {
  return JSON.stringify([state, attempt, progress, agent]);
}
