// Makes one fault on a running swarm, and compares the alerts that fired with its list. Owns the bounds: no fault takes longer than
// `longestMs` tells, and a fault that fails is mended all the same.
import { sleep } from "../../../src/base/index.ts";
import { type Fault, FIRE_SECONDS } from "./faults.ts";
import type { World } from "./world.ts";

/** The longest time until all alerts of a fault are gone: the window of half an hour, shortened, and the next evaluation. */
const QUIET_MS = 180_000;
/** The longest time until Alertmanager has sent an alert on: its groups wait for 1 s. */
const SENT_MS = 15_000;
/** The longest time of the hands of a fault: it starts processes, sends tasks, and runs commands. */
const HANDS_MS = 120_000;
const POLL_MS = 250;

/** The outcome of one fault. */
export interface Outcome {
  readonly fault: string;
  /** The time from the fault to the last of its alerts, in seconds; null when they did not all fire. */
  readonly firedAfterSeconds: number | null;
  /** The time from the fault, once it is made, to its problem in `GET /v1/problems`, in seconds; null for alerts that are no problem, and when it is not listed. */
  readonly listedAfterSeconds: number | null;
  /** The time of the fault with its remedy and the quiet after it, in seconds. */
  readonly seconds: number;
  readonly missing: readonly string[];
  /** Alerts that fired and are in no list of the fault. */
  readonly foreign: readonly string[];
  /** Alerts that Alertmanager did not send on; empty where it is not installed. */
  readonly unsent: readonly string[];
  /** The error that ended the fault early. */
  readonly error?: string;
}

/** True for a fault whose alerts fired, and no others. */
export function isGood({ missing, foreign, unsent, error }: Outcome): boolean {
  return error === undefined && [missing, foreign, unsent].every(({ length }) => length === 0);
}

/** The longest time that a fault may take, in ms. */
export function longestMs({ withinSeconds = FIRE_SECONDS, watchSeconds = 0 }: Fault): number {
  return 1_000 * Math.max(withinSeconds, watchSeconds) + SENT_MS + QUIET_MS + HANDS_MS;
}

/** The end of a fault: by its own hands, or by a drill. */
export type Mend = (world: World) => Promise<void>;

/**
 * Makes the fault, waits for its alerts, mends it, and waits until all is quiet, except after the last fault of a world that ends. Never
 * rejects: an error is a part of the outcome, and the world is then not to be used again. `mend`: default that of the fault.
 */
export async function runFault(
  world: World,
  fault: Fault,
  { isLast = false, mend = fault.mend }: { isLast?: boolean; mend?: Mend | undefined } = {},
): Promise<Outcome> {
  const startedMs = Date.now();
  const seen = new Set<string>();
  const notes: Notes = { firedAfterSeconds: null, listedAfterSeconds: null, unsent: [] };
  const late = Promise.withResolvers<never>();
  const limit = longestMs(fault);
  const timer = setTimeout(() => late.reject(new Error(`it did not end within ${limit / 1_000} s`)), limit);
  let error: string | undefined;
  try {
    await Promise.race([play({ world, fault, mend, isLast, seen, notes }), late.promise]);
  } catch (thrown) {
    error = (thrown as Error).message;
  } finally {
    clearTimeout(timer);
  }
  const later = await world.monitor.firedSince(startedMs).catch(() => []);
  const { fires, mayFire = [] } = fault;
  const fired = [...new Set([...seen, ...later])].sort();
  return {
    fault: fault.name,
    firedAfterSeconds: notes.firedAfterSeconds,
    listedAfterSeconds: notes.listedAfterSeconds,
    seconds: (Date.now() - startedMs) / 1_000,
    missing: fires.filter((each) => !seen.has(each)),
    foreign: fired.filter((each) => !fires.includes(each) && !mayFire.includes(each)),
    unsent: notes.unsent,
    ...(error === undefined ? {} : { error }),
  };
}

/** The findings about one fault, while it goes on. */
interface Notes {
  firedAfterSeconds: number | null;
  listedAfterSeconds: number | null;
  unsent: string[];
}

/** The story of one fault; `seen` and `notes` get its findings. */
async function play(scene: {
  world: World;
  fault: Fault;
  mend: Mend;
  isLast: boolean;
  seen: Set<string>;
  notes: Notes;
}): Promise<void> {
  const { world, fault, mend, isLast, seen, notes } = scene;
  const { fires, lists = fires, withinSeconds = FIRE_SECONDS, watchSeconds = 0 } = fault;
  const { monitor } = world;
  const startedMs = Date.now();
  let begunMs: number | null = null;
  monitor.sent?.clear();
  let isMended = false;
  try {
    await fault.inject(world);
    if (fault.hasBegun === undefined) begunMs = Date.now();
    for (;;) {
      await fault.keep?.(world);
      if (begunMs === null && (await fault.hasBegun?.(world)) === true) begunMs = Date.now();
      for (const each of await monitor.firing()) seen.add(each);
      if (fires.length > 0 && notes.listedAfterSeconds === null) {
        const listed = await world.problems().catch(() => []);
        if (listed.some(({ name }) => lists.includes(name)))
          notes.listedAfterSeconds = Math.max(0, Date.now() - (begunMs ?? Date.now())) / 1_000;
      }
      const seconds = (Date.now() - startedMs) / 1_000;
      const isComplete = fires.every((each) => seen.has(each));
      if (isComplete) notes.firedAfterSeconds ??= fires.length === 0 ? null : seconds;
      if ((isComplete && seconds >= watchSeconds) || (!isComplete && seconds > withinSeconds)) break;
      await sleep(POLL_MS);
    }
    const { sent } = monitor;
    const unsent = () =>
      sent === undefined ? [] : fires.filter((each) => seen.has(each) && !sent.has(each));
    await world
      .until("all alerts are sent on", async () => unsent().length === 0, SENT_MS)
      .catch(() => undefined);
    notes.unsent = unsent();
    isMended = true;
    await mend(world);
  } finally {
    if (!isMended) await fault.mend(world).catch(() => undefined);
  }
  if (!isLast) await world.untilQuiet(QUIET_MS);
}
