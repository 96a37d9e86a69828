// The pull loop of one process: keeps the lanes of its capabilities asked, hands deliveries to free slots, renews
// what runs, answers `where` and obeys cancels. The decisions are in pulls.ts and delivery.ts; tasks that were placed on
// agents of this process come through placed-lane.ts.
// I1: no delivery is started without a reserved slot; the surplus goes back at once, uncounted.
// I2: a consumer that vanished is made again; a connection that broke is waited for. Neither ends the loop.
// I3: after drain() begins, nothing new is started.
// I4: a slot that came free goes to a placed task that waits for it before the queue is asked.
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
import {
  ACK_RENEW_MS,
  type Audit,
  CancelledError,
  createSubjects,
  encode,
  HEADERS,
  lastToken,
  NO_SCOPE,
  type Placement,
  PRIORITIES,
  SwarmError,
  type TaskAddress,
  TerminalError,
  toSwarmError,
  type WhereReply,
} from "../../protocol/index.ts";
import type {
  Delivery,
  IncomingRequest,
  PullEnd,
  QueueConsumer,
  Subscription,
  Transport,
} from "../../transport/index.ts";
import { cancelHeld, createDeliveryHandler, type Held } from "../attempt/delivery.ts";
import type { Permit } from "../limits/limiter.ts";
import type { CapabilityLimits, Slot, Workforce } from "../ports.ts";
import { followCancelledScopes } from "../stores/scopes.ts";
import { createAllowance } from "./allowance.ts";
import { createPlacedLane, type NotStarted, type PlacedTask } from "./placed-queue.ts";
import {
  createLane,
  decidePulls,
  noteDelivery,
  noteEnd,
  noteSurplus,
  type PullOrder,
  type QueueFeed,
} from "./pulls.ts";

/** How long a standing pull waits on the server. The server forgets it after; ours is opened anew. */
const STANDING_EXPIRES_MS = 30_000;
/** Waits before a vanished consumer or a lost pull is tried again. */
const REOPEN_BACKOFF = { backoffMs: 50, factor: 2, maxBackoffMs: 2_000, jitter: 0.5 };

/** A capability that this process offers. */
export interface OfferedCapability {
  name: string;
  limits?: CapabilityLimits | undefined;
}

/** The pull loop of one process. */
export interface Worker extends Service {
  /**
   * Takes nothing new, waits up to `graceMs` for what runs, then gives the rest back to the queue. Resolves to how
   * many tasks were given back.
   */
  drain(options: { graceMs: number }): Promise<number>;
  /** How many tasks this process holds now. */
  held(): number;
  /** Looks again at once; call it after slots became free for a reason of the host's own. */
  wake(): void;
}

interface LaneDriver {
  lane: QueueFeed;
  consumer: QueueConsumer | null;
  failures: number;
}

/** Makes the worker of one process. `hostId` names it in limits' leases. */
export function createWorker(parts: {
  transport: Transport;
  meter: Meter;
  log: Logger;
  hostId: string;
  workforce: Workforce;
  capabilities: readonly OfferedCapability[];
  /** Where it is kept that a second result of a task was refused; without it only counted. */
  audit?: Audit | undefined;
  clock?: Clock;
  chance?: Chance;
}): Worker {
  const { transport, meter, log, workforce, audit } = parts;
  const clock = parts.clock ?? systemClock;
  const chance = parts.chance ?? systemChance;
  const subjects = createSubjects(transport.prefix);
  const held = new Map<string, Held>();
  const drivers: LaneDriver[] = parts.capabilities.flatMap(({ name }) =>
    PRIORITIES.map((priority) => ({ lane: createLane(name, priority), consumer: null, failures: 0 })),
  );
  const driverOf = new Map(drivers.map((driver) => [driver.lane, driver]));
  const lanes = drivers.map((driver) => driver.lane);
  const pulls = new Set<{ cancel(): void }>();
  const subscriptions: Subscription[] = [];
  let accepting = false;
  let turnPlanned = false;
  let renewing: NodeJS.Timeout | undefined;
  let onEmpty: (() => void) | undefined;

  const scopes = followCancelledScopes(transport, (scope) => abortScope(scope));
  const allowance = createAllowance({
    transport,
    log,
    hostId: parts.hostId,
    workforce,
    limits: new Map(parts.capabilities.map(({ name, limits }) => [name, limits])),
    clock,
    chance,
    waitingOf: backlogOf,
    onMore: wake,
  });
  const { limiterOf, permitFor } = allowance;
  const deliveries = createDeliveryHandler(
    {
      transport,
      subjects,
      meter,
      log,
      clock,
      chance,
      audit,
      scopes,
      permitFor,
      isAccepting: () => accepting,
    },
    held,
  );

  const placed = createPlacedLane({
    transport,
    subjects,
    log,
    clock,
    chance,
    hostId: parts.hostId,
    begin: beginPlaced,
    fail: ({ delivery, at, placement }) => {
      const told = `agent ${placement.agent}, on which the task was placed, does not offer ${at.capability}`;
      void deliveries.fail(delivery, at, placement, new TerminalError(told, { code: "not_permitted" }));
    },
    refuse: (delivery) => void deliveries.refuse(delivery),
  });

  function backlogOf(capability: string): number {
    const queued = lanes.reduce((sum, lane) => sum + (lane.capability === capability ? lane.backlog : 0), 0);
    return placed.waiting === 0 ? queued : queued + placed.waitingOf(capability);
  }

  /** Plans one look at the lanes at the end of this turn: slots freed together ask together. */
  function wake(): void {
    if (turnPlanned || !accepting) return;
    turnPlanned = true;
    setImmediate(() => {
      turnPlanned = false;
      if (!accepting || transport.state !== "connected") return;
      if (placed.waiting > 0) placed.serve(); // I4
      const ready = lanes.filter((lane) => driverOf.get(lane)!.consumer !== null);
      const free = new Map(ready.map(({ capability }) => [capability, 0]));
      for (const capability of free.keys()) free.set(capability, allowance.freeOf(capability));
      const slots = { total: workforce.freeTotal(), of: (capability: string) => free.get(capability) ?? 0 };
      for (const order of decidePulls(ready, slots, clock.now())) openPull(order);
    });
  }

  function openPull(order: PullOrder): void {
    const { lane } = order;
    const driver = driverOf.get(lane)!;
    const pull = driver.consumer!.pull(
      { max: order.max, expiresMs: order.standing ? STANDING_EXPIRES_MS : 0 },
      {
        onDelivery: (delivery) => {
          noteDelivery(lane, order, delivery);
          driver.failures = 0;
          onDelivery(lane, delivery);
        },
        onEnd: (end) => {
          pulls.delete(pull);
          noteEnd(lane, order, pull.remaining, clock.now());
          onPullEnd(driver, end);
        },
      },
    );
    pulls.add(pull);
  }

  function onPullEnd(driver: LaneDriver, end: PullEnd): void {
    if (!accepting) return;
    if (end === "gone") {
      driver.consumer = null;
      void openLane(driver);
    } else if (end === "lost") {
      clock.after(backoffDelayMs(REOPEN_BACKOFF, ++driver.failures, chance), wake);
    } else wake();
  }

  function onDelivery(lane: QueueFeed, delivery: Delivery): void {
    const at = subjects.readTask(delivery.subject);
    if (at === null) {
      void deliveries.refuse(delivery).then(wake);
      return;
    }
    const slot = accepting ? workforce.take(at.capability) : null;
    const limiter = slot === null ? null : limiterOf(at.capability);
    const permit = limiter === null ? null : limiter.take();
    if (slot === null || (limiter !== null && permit === null)) {
      noteSurplus(lane, delivery);
      delivery.nak(0); // I1
      slot?.release();
      wake();
      return;
    }
    perform(delivery, at, slot, permit);
  }

  function perform(
    delivery: Delivery,
    at: TaskAddress,
    slot: Slot,
    permit: Permit | null,
    placement?: Placement,
  ): void {
    void deliveries.handle(delivery, at, slot, placement).then((started) => {
      permit?.release(!started);
      afterTask();
    });
  }

  /** Starts a placed task, or says why not. The limit is looked at before a slot is taken, which would wake us again. */
  function beginPlaced({ delivery, at, placement }: PlacedTask): NotStarted | null {
    const limiter = limiterOf(at.capability);
    if (limiter !== null && limiter.ready() <= 0) {
      limiter.want(Math.max(1, placed.waitingOf(at.capability)));
      return "limited";
    }
    const slot = workforce.takeAgent(placement.agent, at.capability);
    if (typeof slot === "string") return slot;
    perform(delivery, at, slot, limiter === null ? null : limiter.take(), placement);
    return null;
  }

  function afterTask(): void {
    if (held.size === 0) onEmpty?.();
    wake();
  }

  /** Makes the lane's consumer, again and again until it is there (I2). */
  async function openLane(driver: LaneDriver): Promise<void> {
    const { capability, priority } = driver.lane;
    const spec = { name: `${capability}-${priority}`, filter: subjects.filters.tasks(capability, priority) };
    try {
      driver.consumer = await transport.queue("tasks").consumer(spec);
      driver.failures = 0;
      wake();
    } catch (error) {
      if (!accepting) throw error;
      log.warn({ err: error, consumer: spec.name }, "a consumer could not be made; trying again");
      clock.after(backoffDelayMs(REOPEN_BACKOFF, ++driver.failures, chance), () => {
        if (accepting) void openLane(driver);
      });
    }
  }

  function onWhere(request: IncomingRequest): void {
    const taskId = lastToken(request.subject);
    const attempt = held.get(taskId)?.attempt;
    if (attempt === undefined || attempt === null) return;
    const reply: WhereReply = {
      attempt: attempt.number,
      progress: attempt.progressPercent,
      agent: attempt.agentId,
      startedAt: new Date(attempt.startedAtMs).toISOString(),
    };
    request.respond(encode(reply), { [HEADERS.contentType]: "application/json" });
  }

  function onCancel(message: IncomingRequest): void {
    const [scope, taskId] = message.subject.split(".").slice(-2);
    if (scope === undefined || taskId === undefined) return;
    if (taskId === NO_SCOPE) abortScope(scope);
    else {
      const entry = held.get(taskId);
      if (entry !== undefined) cancelHeld(entry, new CancelledError());
    }
  }

  function abortScope(scope: string): void {
    if (scope === NO_SCOPE) return;
    for (const entry of held.values()) {
      if (entry.at.scope === scope) cancelHeld(entry, new CancelledError(`the scope ${scope} was cancelled`));
    }
  }

  async function drain({ graceMs }: { graceMs: number }): Promise<number> {
    accepting = false; // I3
    for (const pull of pulls) pull.cancel();
    placed.drain();
    if (held.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(graceMs, resolve);
        onEmpty = () => {
          cancel();
          resolve();
        };
      });
    }
    const left = [...held.values()];
    const reason = new SwarmError("unavailable", "the process is shutting down; the task was given back");
    for (const { attempt } of left) attempt?.giveBack(reason);
    // What was given back answers its delivery in a few turns; an append on its way gets its own time.
    for (let turns = 0; held.size > 0 && turns < 100; turns++)
      await new Promise((resolve) => clock.after(10, () => resolve(undefined)));
    await transport.bus.flush().catch(() => undefined);
    return left.length;
  }

  const service = createService({
    name: "worker",
    async start() {
      allowance.start();
      await scopes.start();
      subscriptions.push(
        transport.bus.subscribe(subjects.filters.allWhere, onWhere),
        transport.bus.subscribe(subjects.filters.allCancels, onCancel),
        transport.onState((state) => {
          if (state === "connected") wake();
        }),
      );
      await transport.bus.flush();
      await Promise.all([placed.prepare(), ...drivers.map((driver) => openLane(driver))]);
      accepting = true;
      placed.open();
      workforce.onFree(wake);
      renewing = setInterval(() => {
        for (const { delivery } of held.values()) delivery.working();
        if (placed.waiting > 0) placed.renew();
      }, ACK_RENEW_MS);
      wake();
    },
    async stop() {
      if (accepting) await drain({ graceMs: 0 });
      accepting = false;
      clearInterval(renewing);
      scopes.stop();
      for (const subscription of subscriptions) subscription.close();
      await placed
        .remove()
        .catch((error: unknown) => log.warn({ err: toSwarmError(error) }, "a consumer was left behind"));
      await allowance
        .stop()
        .catch((error: unknown) => log.warn({ err: toSwarmError(error) }, "limits were not given back"));
    },
  });
  return { ...service, drain, held: () => held.size, wake };
}
