// Turns the callbacks of a running piece of work into a stream of events.

/** Events that a slow reader has not taken yet; above it the oldest is dropped, because only the newest progress counts. */
const MAX_UNREAD = 1_000;

/**
 * Starts `work` and yields each event that it reports; returns its value once it settled and all events are read.
 * A reader that leaves early does not end `work`.
 */
export async function* yieldReports<E extends object, T>(
  work: (report: (event: E) => void) => Promise<T>,
): AsyncGenerator<E, T> {
  const unread: E[] = [];
  let isSettled = false;
  let wake: () => void = () => undefined;
  const running = work((event) => {
    unread.push(event);
    if (unread.length > MAX_UNREAD) unread.shift();
    wake();
  }).finally(() => {
    isSettled = true;
    wake();
  });
  running.catch(() => undefined); // reported below, after the events
  for (;;) {
    const event = unread.shift();
    if (event !== undefined) yield event;
    else if (isSettled) return await running;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
