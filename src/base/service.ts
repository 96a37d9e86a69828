// The one way to start and stop every long-lived object.
//
// I1  start() and stop() are safe to repeat and to call at the same time; each does its work once.
// I2  stop() resolves when all activity has ended, also if start() never ran or failed.

/** A long-lived object with a start and a stop. */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Makes a {@link Service} from two functions. A stopped service stays stopped: a later `start` rejects, so that nothing
 * starts again during a shutdown.
 */
export function createService(parts: {
  name: string;
  start: () => Promise<void> | void;
  stop: () => Promise<void> | void;
}): Service {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    start() {
      if (stopping !== undefined)
        return Promise.reject(new Error(`${parts.name} was stopped and cannot be started again`));
      starting ??= Promise.resolve().then(parts.start);
      return starting;
    },
    stop() {
      stopping ??= (starting ?? Promise.resolve()).catch(() => undefined).then(parts.stop);
      return stopping;
    },
  };
}

/** Stops services in reverse order of their start. Throws the first failure, but only after it has stopped all of them. */
export async function stopAll(services: readonly Service[]): Promise<void> {
  const failures: unknown[] = [];
  for (const service of [...services].reverse()) {
    await service.stop().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
