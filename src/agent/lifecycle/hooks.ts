// Runs an author's hook, `start` or `stop`, with a time limit.
import type { Clock } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/** The time limit of a `start` hook. A longer hook counts as failed, so that an agent never stays `starting` forever. */
export const START_TIMEOUT_MS = 30_000;
/** The time limit of a `stop` hook. A longer hook is abandoned, because a shutdown must end. */
export const STOP_TIMEOUT_MS = 5_000;

/** Resolves when `hook` has ended. @throws SwarmError `timeout` over the time limit; the hook's own error. */
export async function runHook(parts: {
  name: "start" | "stop";
  hook: () => Promise<void> | void;
  clock: Clock;
}): Promise<void> {
  const { name, hook, clock } = parts;
  const limitMs = name === "start" ? START_TIMEOUT_MS : STOP_TIMEOUT_MS;
  let cancel = () => {};
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(limitMs, () =>
      reject(new SwarmError("timeout", `the ${name} hook must end within ${limitMs} ms, but still runs`)),
    );
  });
  try {
    await Promise.race([hook(), late]);
  } finally {
    cancel();
  }
}
