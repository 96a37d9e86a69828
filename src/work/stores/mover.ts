// Brings tasks that have come due from `due.…` to the task stream. Any number of processes share the one consumer.
// I1: the ack follows the stored task. A crash between them moves the task again: the message id and the task
//     subject's single place make the second move a no-op.
// I2: a task that cannot be moved now (queue full, no connection) stays due and is tried again.
import {
  backoffDelayMs,
  type Chance,
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  systemChance,
  systemClock,
} from "../../base/index.ts";
import { createSubjects, SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { Delivery, Pull, PullEnd, QueueConsumer, Transport } from "../../transport/index.ts";
import { carriedHeaders } from "./later.ts";
import { buryUnreadable, createResultStore } from "./outcome.ts";

/** The shared consumer's name. */
export const MOVER_CONSUMER = "mover";
/** How many due tasks one mover asks for at once. */
const BATCH = 256;
const PULL_EXPIRES_MS = 30_000;
const BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.5 };

/** One process's mover. */
export function createMover(parts: {
  transport: Transport;
  meter: Meter;
  log: Logger;
  clock?: Clock;
  chance?: Chance;
}): Service {
  const { transport, log } = parts;
  const clock = parts.clock ?? systemClock;
  const chance = parts.chance ?? systemChance;
  const subjects = createSubjects(transport.prefix);
  const tasks = transport.log("tasks");
  const outcomes = createResultStore({ transport, subjects, meter: parts.meter, clock, chance });
  let consumer: QueueConsumer | null = null;
  let pull: Pull | undefined;
  let stopped = false;
  let failures = 0;
  let cancelWait: (() => void) | undefined;

  async function move(delivery: Delivery): Promise<void> {
    const at = subjects.readTask(delivery.subject);
    try {
      if (at === null) {
        await buryUnreadable(outcomes, delivery, clock.now());
        delivery.ack();
        return;
      }
      await tasks.append(subjects.task(at), delivery.data, {
        headers: carriedHeaders(delivery),
        messageId: `later-${at.taskId}-${delivery.seq}`,
      });
    } catch (error) {
      const told = toSwarmError(error);
      if (!(error instanceof SwarmError) || told.code !== "conflict") {
        log.warn({ err: error, subject: delivery.subject }, "a due task could not be moved; trying again");
        delivery.nak(backoffDelayMs(BACKOFF, delivery.deliveryCount, chance)); // I2
        return;
      }
    }
    delivery.ack(); // I1
  }

  function open(): void {
    if (stopped || consumer === null) return;
    pull = consumer.pull(
      { max: BATCH, expiresMs: PULL_EXPIRES_MS },
      { onDelivery: (delivery) => void move(delivery), onEnd: (end) => reopen(end) },
    );
  }

  function reopen(end: PullEnd): void {
    if (stopped) return;
    if (end === "filled" || end === "expired") {
      failures = 0;
      open();
      return;
    }
    if (end === "gone") consumer = null;
    cancelWait = clock.after(backoffDelayMs(BACKOFF, ++failures, chance), () => void ensure());
  }

  async function ensure(): Promise<void> {
    if (stopped) return;
    try {
      consumer ??= await transport
        .queue("later")
        .consumer({ name: MOVER_CONSUMER, filter: subjects.filters.allDue });
      open();
    } catch (error) {
      log.warn({ err: error }, "the consumer of due tasks could not be made; trying again");
      cancelWait = clock.after(backoffDelayMs(BACKOFF, ++failures, chance), () => void ensure());
    }
  }

  return createService({
    name: "mover",
    async start() {
      consumer = await transport
        .queue("later")
        .consumer({ name: MOVER_CONSUMER, filter: subjects.filters.allDue });
      open();
    },
    stop() {
      stopped = true;
      cancelWait?.();
      pull?.cancel();
    },
  });
}
