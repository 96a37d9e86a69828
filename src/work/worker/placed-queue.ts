// The tasks that were placed on the agents of this process: one consumer, one standing pull, and a line of waiting
// tasks for each agent. Owns who is next; how a task is performed is the worker's business.
// I1: a task starts only on the agent that it was placed on; never two for one slot.
// I2: what waits here is renewed and bounded, for each agent and in all; the rest goes back with a growing delay.
// I3: a task whose agent is gone goes back and stays stored: only the leader in office moves it, so that it is not moved
//     twice. Without a leader it waits, like every task that is to be placed.
// I4: a consumer that vanished is made again; a connection that broke is waited for.
import { backoffDelayMs, type Chance, type Clock, type Logger } from "../../base/index.ts";
import {
  HEADERS,
  type Placement,
  PRIORITY_WEIGHTS,
  type Priority,
  readPlacement,
  type Subjects,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Delivery, Incoming, Pull, PullEnd, QueueConsumer, Transport } from "../../transport/index.ts";
import type { Untaken } from "../ports.ts";
import { AGEING_MS } from "./pulls.ts";

/** How many tasks the standing pull asks for; it is opened anew when they have come. */
const PULL_MAX = 64;
/** How long the standing pull waits on the server. */
const PULL_EXPIRES_MS = 30_000;
/**
 * A process that is gone leaves its consumer behind for this long; an outage of the connection must be shorter for
 * delivery counts to survive it. The leader removes the consumers of dead hosts sooner.
 */
const INACTIVE_MS = 300_000;
/** Tasks that wait here for one agent: enough to fill its slots at once, whatever comes free. */
const LINE_MAX = 64;
/** Tasks that wait here for all agents: bounds memory, at 0.5 MiB for the largest. */
const WAITING_MAX = 512;
/** Delays of tasks that found the line of their agent full. */
const FULL_BACKOFF = { backoffMs: 500, factor: 2, maxBackoffMs: 5_000, jitter: 0.5 };
/** Delays of tasks whose agent is gone, until they are moved. */
const GONE_BACKOFF = { backoffMs: 1_000, factor: 2, maxBackoffMs: 30_000, jitter: 0.5 };
/** Waits before a vanished consumer or a lost pull is tried again. */
const REOPEN_BACKOFF = { backoffMs: 50, factor: 2, maxBackoffMs: 2_000, jitter: 0.5 };

/** A placed task that waits for its agent. */
export interface PlacedTask {
  readonly delivery: Delivery;
  readonly at: TaskAddress;
  readonly placement: Placement;
}

/** Why a task cannot start now; `limited`: its capability's limit is used up. */
export type NotStarted = Untaken | "limited";

/** The placed tasks of one process. */
export interface PlacedLane {
  /** Makes the consumer. @throws SwarmError `unavailable`, `not_permitted`. */
  prepare(): Promise<void>;
  /** Begins to take tasks. */
  open(): void;
  /** Starts what can start now. */
  serve(): void;
  /** How many tasks of a capability wait for a slot here. */
  waitingOf(capability: string): number;
  /** How many wait. */
  readonly waiting: number;
  /** Keeps what waits from being delivered again; call it every {@link ACK_RENEW_MS}. */
  renew(): void;
  /** Takes nothing new and gives back what waits. */
  drain(): void;
  /** Removes the consumer; what was placed here stays stored, for the leader to move. */
  remove(): Promise<void>;
}

/** The name of a host's consumer of placed tasks. */
export function placedConsumer(hostId: string): string {
  return `placed-${hostId}`;
}

/** The placed lane of the process `hostId`. `begin` starts a task or says why not; it must not throw. */
export function createPlacedLane(parts: {
  transport: Transport;
  subjects: Subjects;
  log: Logger;
  clock: Clock;
  chance: Chance;
  hostId: string;
  begin(task: PlacedTask): NotStarted | null;
  /** Fails a task that its agent can never perform. */
  fail(task: PlacedTask): void;
  /** Puts away what is no placed task. */
  refuse(delivery: Delivery): void;
}): PlacedLane {
  const { transport, subjects, log, clock, chance, hostId } = parts;
  const name = placedConsumer(hostId);
  const lines = new Map<string, PlacedTask[]>();
  let waiting = 0;
  let consumer: QueueConsumer | null = null;
  let pull: Pull | undefined;
  let failures = 0;
  let accepting = false;
  let cancelReopen: (() => void) | undefined;

  function onDelivery(delivery: Delivery): void {
    failures = 0;
    const task = readPlacedTask(subjects, delivery);
    if (task === null) parts.refuse(delivery);
    else if (!accepting) delivery.nak(0);
    else lineUp({ ...task, delivery });
  }

  /** Puts a task into the line of its agent, and starts what can start of it. */
  function lineUp(task: PlacedTask): void {
    const { delivery, placement } = task;
    const line = lines.get(placement.agent) ?? [];
    if (line.length >= LINE_MAX || waiting >= WAITING_MAX) {
      delivery.nak(backoffDelayMs(FULL_BACKOFF, delivery.deliveryCount, chance)); // I2
      return;
    }
    lines.set(placement.agent, line);
    insertInTurn(line, task);
    waiting++;
    serveLine(placement.agent, line);
  }

  function serve(): void {
    for (const [agent, line] of lines) serveLine(agent, line);
  }

  /** Starts what can start of one agent's line. */
  function serveLine(agent: string, line: PlacedTask[]): void {
    for (let index = 0; index < line.length; ) {
      const task = line[index]!;
      const not = parts.begin(task);
      if (not === "busy") break;
      if (not === "limited") {
        index++; // a task of another capability may start
        continue;
      }
      line.splice(index, 1);
      waiting--;
      if (not === "unable") parts.fail(task);
      if (not === "gone") {
        const delayMs = backoffDelayMs(GONE_BACKOFF, task.delivery.deliveryCount, chance);
        log.info({ taskId: task.at.taskId, agent, delayMs }, "the agent of a placed task is gone"); // I3
        task.delivery.nak(delayMs);
      }
    }
    if (line.length === 0) lines.delete(agent);
  }

  function openPull(): void {
    pull = consumer?.pull({ max: PULL_MAX, expiresMs: PULL_EXPIRES_MS }, { onDelivery, onEnd });
  }

  function onEnd(end: PullEnd): void {
    if (!accepting) return;
    if (end === "filled" || end === "expired") openPull();
    else {
      if (end === "gone") consumer = null;
      reopenLater();
    }
  }

  function reopenLater(): void {
    cancelReopen = clock.after(backoffDelayMs(REOPEN_BACKOFF, ++failures, chance), () => void reopen());
  }

  /** Makes the consumer again where it vanished, and pulls again (I4). */
  async function reopen(): Promise<void> {
    try {
      consumer ??= await makeConsumer();
      if (accepting) openPull();
    } catch (error) {
      log.warn({ err: error, consumer: name }, "a consumer could not be made; trying again");
      if (accepting) reopenLater();
    }
  }

  function makeConsumer(): Promise<QueueConsumer> {
    const filter = subjects.filters.placedOnHost(hostId);
    return transport.queue("tasks").consumer({ name, filter, inactiveMs: INACTIVE_MS });
  }

  return {
    async prepare() {
      consumer = await makeConsumer();
    },
    open() {
      accepting = true;
      openPull();
    },
    serve,
    get waiting() {
      return waiting;
    },
    waitingOf(capability) {
      let count = 0;
      for (const line of lines.values()) for (const { at } of line) if (at.capability === capability) count++;
      return count;
    },
    renew() {
      serve(); // what became of an agent is not always told
      for (const line of lines.values()) for (const { delivery } of line) delivery.working();
    },
    drain() {
      accepting = false;
      cancelReopen?.();
      pull?.cancel();
      for (const line of lines.values()) for (const { delivery } of line) delivery.nak(0);
      lines.clear();
      waiting = 0;
    },
    async remove() {
      if (consumer === null || transport.state !== "connected") return;
      consumer = null;
      await transport.queue("tasks").deleteConsumer(name);
    },
  };
}

/** What a placed message is, or null when its subject or its header is not what this version writes. */
export function readPlacedTask(subjects: Subjects, message: Incoming): Omit<PlacedTask, "delivery"> | null {
  const place = subjects.readPlaced(message.subject);
  if (place === null) return null;
  try {
    const placement = readPlacement(message.header(HEADERS.placement));
    if (placement.agent !== place.agent || placement.host !== place.host) return null;
    const { capability, priority } = placement;
    return { placement, at: { capability, priority, scope: place.scope, taskId: place.taskId } };
  } catch {
    return null;
  }
}

/**
 * Puts a task where its turn is: in order of storing, with a head start by priority. As in the queue, a task that has
 * waited longer than the ageing bound counts as urgent.
 */
function insertInTurn(line: PlacedTask[], task: PlacedTask): void {
  const turnMs = turnOf(task);
  let index = line.length;
  while (index > 0 && turnOf(line[index - 1]!) > turnMs) index--;
  line.splice(index, 0, task);
}

function turnOf({ at, delivery }: PlacedTask): number {
  return delivery.storedAtMs - HEAD_START_MS[at.priority];
}

const HEAD_START_MS = Object.fromEntries(
  Object.entries(PRIORITY_WEIGHTS).map(([priority, weight]) => [
    priority,
    (AGEING_MS * (weight - PRIORITY_WEIGHTS.low)) / (PRIORITY_WEIGHTS.urgent - PRIORITY_WEIGHTS.low),
  ]),
) as Record<Priority, number>;
