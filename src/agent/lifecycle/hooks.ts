// Runs an author's hook with a bound on its time.
import type { Clock } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/** A `start` hook that takes longer counts as thrown: an agent that never starts must not look like one that does. */
export const START_TIMEOUT_MS = 30_000;
/** A `stop` hook that takes longer is left behind: a shutdown must end. */
export const STOP_TIMEOUT_MS = 5_000;

/** Resolves when `hook` has ended. @throws SwarmError `timeout` when it takes longer; what the hook throws. */
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
      reject(new SwarmError("timeout", `the ${name} hook took longer than ${limitMs} ms`)),
    );
  });
  try {
    await Promise.race([hook(), late]);
  } finally {
    cancel();
  }
}
