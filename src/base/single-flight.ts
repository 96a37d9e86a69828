// Single flight: while a call is running, further callers share its promise.

/**
 * Wraps `work` so that it never runs twice at the same time: a call during a run gets the promise of that run. The next
 * call after it settled, whether it succeeded or failed, starts a new run.
 */
export function singleFlight<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}
