// The wait of a task for a person: a step with `once` began, and no record tells how it ended. Owns the record of the wait, and the
// place of the task meanwhile. delivery.ts asks here before it starts an attempt; client/settle.ts ends the wait.
// I1: a waiting task holds no slot and no delivery. It lies in the later stream until the person settles the step, until its deadline,
//     or for {@link LOOK_AGAIN_MS}, so that no crash of another process makes it wait for ever.
// I2: its attempt is not counted, and its `timeoutMs` does not run.
import { type Clock, type Logger, type Meter, toIsoTime } from "../../base/index.ts";
import { ACK_WAIT_MS } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { LaterStore } from "../ports.ts";
import type { JournalTip } from "../stores/journal.ts";
import type { InFlightTask } from "./in-flight.ts";

/**
 * The time between two looks at a task that waits for a person, in ms. Settling the step makes the task due at once, so this only
 * counts when the process that settled it died in between.
 */
const LOOK_AGAIN_MS = 600_000;

/** The steps that a person must settle before the task may go on; null when it may. */
export function waitingSteps({ tip: { record } }: Pick<InFlightTask, "tip">): readonly string[] | null {
  if (record?.type === "waiting") return record.steps;
  if (record?.type === "steps" && record.open !== undefined) return record.open;
  return null;
}

/** The last attempt that the tip of a journal names. */
export function lastAttemptIn({ record }: JournalTip): { number: number; agent: string } {
  if (record === null || record.type === "finished") return { number: 0, agent: "-" };
  return { number: record.attempt, agent: record.agent };
}

/** Makes the wait for persons of one process. */
export function createHumanWait(parts: {
  transport: Transport;
  clock: Clock;
  log: Logger;
  meter: Pick<Meter, "taskPersonWaits">;
  later: LaterStore;
}) {
  const { transport, clock, log, meter, later } = parts;

  return { begin, keep };

  /** Records that the task waits, and puts it aside. @throws SwarmError `conflict`, `unavailable`. */
  async function begin(
    inFlight: InFlightTask,
    { number, agentId }: { number: number; agentId: string },
    steps: readonly string[],
  ): Promise<void> {
    const at = toIsoTime(clock.now());
    await inFlight.record({ type: "waiting", attempt: number, agent: agentId, at, steps: [...steps] });
    const { taskId, capability } = inFlight.at;
    log.warn(
      { taskId, capability, steps },
      "a step that runs once never ended; its task waits for murmur task settle",
    );
    return putAside(inFlight);
  }

  /** Puts a task aside that was looked at. When its process died during the step, the wait is recorded first. */
  function keep(inFlight: InFlightTask, steps: readonly string[]): Promise<void> {
    const { record } = inFlight.tip;
    if (record?.type === "waiting") return putAside(inFlight);
    return begin(inFlight, { number: lastAttemptIn(inFlight.tip).number, agentId: "-" }, steps);
  }

  async function putAside(inFlight: InFlightTask): Promise<void> {
    const { at, delivery, task } = inFlight;
    meter.taskPersonWaits.inc({ capability: at.capability });
    if (inFlight.isBallotQuestion) return delivery.nak(ACK_WAIT_MS); // the seat belongs to this agent
    await transport.clock.sync();
    const lookMs = clock.now() + LOOK_AGAIN_MS;
    const dueMs = Math.min(lookMs, task.deadline === undefined ? lookMs : Date.parse(task.deadline));
    await later.store(at, delivery, dueMs, { attempt: inFlight.nextAttempt().number });
    delivery.ack();
  }
}
