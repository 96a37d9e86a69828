// The pause keeper: makes the queues in NATS follow the office's pauses. NATS holds a paused consumer: it stores new tasks
// and delivers none. Only the holder of the office runs it, and it compares the whole state each time, so a crash between
// the office's entry and the change in NATS is made up for by the next comparison.
//
// K1  It pauses a consumer until PAUSED_UNTIL_MS and resumes only consumers with this end. So it never ends a pause that
//     another program made, such as `nats consumer pause`.
// K2  A paused capability has a consumer for each priority: a host that finds one does not end its pause, and a host that
//     would make a new one would make it unpaused.
import {
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  singleFlight,
  systemClock,
} from "../../base/index.ts";
import { createSubjects, PAUSED_UNTIL_MS, PRIORITIES } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { capabilityOfConsumer, isQueueFilter, queueConsumer } from "../../work/index.ts";
import type { Office } from "../office/office.ts";

/** How often the keeper looks for a new pause in the state, in ms: the delay of a pause. The look costs no request. */
const LOOK_INTERVAL_MS = 250;
/** How often the keeper compares NATS with an unchanged state, in ms: the delay of repairs. It costs one request. */
const COMPARE_INTERVAL_MS = 10_000;

/** Creates the pause keeper of one coordinator. */
export function createPauseKeeper(parts: {
  transport: Transport;
  office: Office;
  log: Logger;
  clock?: Clock;
}): Service {
  const { transport, office, log, clock = systemClock } = parts;
  const subjects = createSubjects(transport.prefix);
  let timer: NodeJS.Timeout | undefined;
  let keeping: Promise<void> | undefined;
  /** The pauses of the last comparison, and its time. */
  let kept: string | null = null;
  let keptAtMs = Number.NEGATIVE_INFINITY;

  async function compare(): Promise<void> {
    const queue = transport.queue("tasks");
    const paused = office.state.pauses;
    const consumers = (await queue.consumers()).filter(({ filter }) =>
      isQueueFilter(transport.prefix, filter),
    );
    for (const { name, pausedUntilMs } of consumers) {
      const isWanted = paused.has(capabilityOfConsumer(name));
      if (isWanted === (pausedUntilMs === PAUSED_UNTIL_MS)) continue; // K1
      await queue.pauseConsumer(name, isWanted ? PAUSED_UNTIL_MS : null);
      log.info({ consumer: name }, isWanted ? "queue paused; its tasks wait" : "queue resumed");
    }
    const names = new Set(consumers.map(({ name }) => name));
    for (const capability of paused.keys()) {
      for (const priority of PRIORITIES) {
        const name = queueConsumer(capability, priority);
        if (names.has(name)) continue;
        const filter = subjects.filters.tasks(capability, priority);
        await queue.consumer({ name, filter, pausedUntilMs: PAUSED_UNTIL_MS }); // K2
      }
    }
  }

  async function keep(): Promise<void> {
    if (office.tenure === null) {
      kept = null;
      return;
    }
    const wanted = JSON.stringify([...office.state.pauses.keys()]);
    const nowMs = clock.now();
    if (wanted === kept && nowMs - keptAtMs < COMPARE_INTERVAL_MS) return;
    await office.barrier(); // a deposed holder must not undo the work of its successor
    await compare();
    kept = wanted;
    keptAtMs = nowMs;
  }

  const keepOnce = singleFlight(() =>
    keep().catch((error: unknown) =>
      log.info({ err: error }, "pauses of capabilities not compared; retrying in a moment"),
    ),
  );

  return createService({
    name: "pause keeper",
    start() {
      timer = setInterval(() => {
        keeping = keepOnce();
      }, LOOK_INTERVAL_MS);
    },
    async stop() {
      clearInterval(timer);
      await keeping;
    },
  });
}

/** Updates the gauge of paused capabilities. Only the holder sets it, so that a sum over all coordinators is right. */
export function measurePauses(office: Office, meter: Meter): void {
  meter.capabilitiesPaused.set(office.tenure === null ? 0 : office.state.pauses.size);
}
