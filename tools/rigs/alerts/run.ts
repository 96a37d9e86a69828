// Makes one fault on a running swarm, and compares the alerts that fired with its list.
import { sleep } from "../../../src/base/index.ts";
import { type Fault, FIRE_SECONDS } from "./faults.ts";
import type { World } from "./world.ts";

/** The longest time until all alerts of a fault are gone: the window of half an hour, shortened, and the next evaluation. */
const QUIET_MS = 180_000;
/** The longest time until Alertmanager has sent an alert on: its groups wait for 1 s. */
const SENT_MS = 15_000;
const POLL_MS = 250;

/** The outcome of one fault. */
export interface Outcome {
  readonly fault: string;
  /** The time from the fault to the last of its alerts, in seconds; null when they did not all fire. */
  readonly firedAfterSeconds: number | null;
  readonly missing: readonly string[];
  /** Alerts that fired and are in no list of the fault. */
  readonly foreign: readonly string[];
  /** Alerts that Alertmanager did not send on; empty where it is not installed. */
  readonly unsent: readonly string[];
}

/**
 * Makes the fault, waits for its alerts, mends it, and waits until all is quiet, except after the last fault of a world that ends.
 * @throws Error when it does not become quiet.
 */
export async function runFault(world: World, fault: Fault, isLast = false): Promise<Outcome> {
  const { name, fires, mayFire = [], withinSeconds = FIRE_SECONDS, watchSeconds = 0 } = fault;
  const { monitor } = world;
  const startedMs = Date.now();
  monitor.sent?.clear();
  const seen = new Set<string>();
  const missing = () => fires.filter((each) => !seen.has(each));
  let firedAfterSeconds: number | null = null;
  await fault.inject(world);
  for (;;) {
    await fault.keep?.(world);
    for (const each of await monitor.firing()) seen.add(each);
    const seconds = (Date.now() - startedMs) / 1_000;
    const isComplete = missing().length === 0;
    if (isComplete) firedAfterSeconds ??= fires.length === 0 ? null : seconds;
    if ((isComplete && seconds >= watchSeconds) || (!isComplete && seconds > withinSeconds)) break;
    await sleep(POLL_MS);
  }
  const { sent } = monitor;
  const unsent = () => (sent === undefined ? [] : fires.filter((each) => seen.has(each) && !sent.has(each)));
  await world
    .until("all alerts are sent on", async () => unsent().length === 0, SENT_MS)
    .catch(() => undefined);
  await fault.mend(world);
  if (!isLast) await world.untilQuiet(QUIET_MS);
  const fired = new Set([...seen, ...(await monitor.firedSince(startedMs))]);
  return {
    fault: name,
    firedAfterSeconds,
    missing: missing(),
    foreign: [...fired].filter((each) => !fires.includes(each) && !mayFire.includes(each)).sort(),
    unsent: unsent(),
  };
}
