// Loads the files of a process after its probes listen (probe-port.ts).
import { setImmediate } from "node:timers/promises";

/** The turns of the event loop that a request of a probe needs: one to accept it, one to read it, one to answer. */
const TURNS_OF_A_PROBE = 3;

/**
 * Loads the files of a process in steps, so that its probes answer between them: Node.js evaluates all the files that one import needs
 * without a turn of the event loop. The first steps load the rooms that every kind of process needs.
 */
export async function loadInSteps<T>(load: () => Promise<T>): Promise<T> {
  const shared = [
    () => import("../../transport/index.ts"),
    () => import("../../work/index.ts"),
    () => import("./frame.ts"),
  ];
  for (const step of shared) {
    for (let turn = 0; turn < TURNS_OF_A_PROBE; turn++) await setImmediate();
    await step();
  }
  for (let turn = 0; turn < TURNS_OF_A_PROBE; turn++) await setImmediate();
  return load();
}
