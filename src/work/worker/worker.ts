// The worker of one process: takes tasks from the queues and the placed queue when slots are free, renews the
// deliveries of running tasks, answers `where`, and cancels tasks. Leaves the pulls to queue-feeds.ts, placed tasks to
// placed-queue.ts, and the steps of a delivery to delivery.ts. app/processes/agents.ts starts it, and the host of
// agents wakes it.
// I1: the worker starts no delivery without a reserved slot. It naks a surplus delivery at once, and counts no attempt.
// I2: after the call of drain(), the worker starts no task.
// I3: a free slot goes to a waiting placed task before the worker pulls from the queues.
import {
  type Chance,
  type Clock,
  createService,
  type Logger,
  type Meter,
  NO_TRACER,
  type Service,
  systemChance,
  type Tracer,
} from "../../base/index.ts";
import {
  ACK_RENEW_MS,
  type Audit,
  CancelledError,
  createSubjects,
  DEFAULT_CLASS,
  encode,
  HEADERS,
  lastToken,
  NO_SCOPE,
  PLACEHOLDER,
  type Subjects,
  SwarmError,
  TerminalError,
  toSwarmError,
  type WhereReply,
} from "../../protocol/index.ts";
import type { Delivery, IncomingRequest, Subscription, Transport } from "../../transport/index.ts";
import { DeliveryHandler } from "../attempt/delivery.ts";
import type { Arrival } from "../attempt/in-flight.ts";
import { Returns } from "../attempt/redelivery.ts";
import type { Permit } from "../limits/limiter.ts";
import type { CapabilityLimits, HostDoor, Slot, Workforce } from "../ports.ts";
import { endingBallotOf } from "../stores/messages.ts";
import { isScopeMarked, isTaskMarked, ScopeMarks } from "../stores/scopes.ts";
import { Allowance } from "./allowance.ts";
import { type NotStarted, PlacedQueue, type PlacedTask } from "./placed-queue.ts";
import { noteSurplus, type QueueFeed } from "./pulls.ts";
import { QueueFeeds } from "./queue-feeds.ts";

/**
 * The time between two checks of a drain whether the returned tasks have answered their deliveries, in ms; and the most
 * checks.
 */
const GIVE_BACK_CHECK_MS = 10;
const MAX_GIVE_BACK_CHECKS = 100;

/** A capability that this process offers. */
export interface OfferedCapability {
  name: string;
  limits?: CapabilityLimits | undefined;
}

/** The worker of one process. */
export interface Worker extends Service {
  /**
   * Starts no further task, waits up to `graceMs` for the running tasks, then returns the other tasks to the queue.
   * Resolves to the number of returned tasks.
   */
  drain(options: { graceMs: number }): Promise<number>;
  /** Returns the number of tasks in flight in this process. */
  held(): number;
  /** False while the office has not made this host's consumer of placed tasks. The host serves its queues all the same. */
  takesPlaced(): boolean;
  /**
   * Makes the worker fetch tasks at the end of this turn of the event loop. The host calls it when slots became free.
   */
  wake(): void;
  /** The names of the queue consumers that are missing now, as far as this process knows. */
  missingConsumers(): string[];
}

/** The parts of a worker. */
interface WorkerParts {
  transport: Transport;
  meter: Meter;
  log: Logger;
  /** Names this process in the leases of limits, and its consumer of placed tasks. */
  hostId: string;
  /** The class of this host, default `default`: tasks for its agents are placed below it. */
  agentClass?: string | undefined;
  workforce: Workforce;
  capabilities: readonly OfferedCapability[];
  /**
   * Gets a note when the stream rejects a further result of a task. Without it, the worker only counts such results.
   */
  audit?: Audit | undefined;
  /** For a host whose user may touch its own subjects only; default: this process uses the streams itself. */
  door?: HostDoor | undefined;
  /** False: the worker makes no queue consumer, and waits for a missing one. Default: it makes missing ones. */
  createsConsumers?: boolean | undefined;
  tracer?: Tracer | undefined;
  clock?: Clock;
  chance?: Chance;
}

/** Makes the worker of one process. */
export function createWorker(parts: WorkerParts): Worker {
  const worker = new TaskWorker(parts);
  return {
    ...createService({ name: "worker", start: () => worker.start(), stop: () => worker.stop() }),
    drain: (options) => worker.drain(options),
    held: () => worker.held(),
    takesPlaced: () => worker.takesPlaced(),
    wake: () => worker.wake(),
    missingConsumers: () => worker.missingConsumers(),
  };
}

class TaskWorker {
  readonly #transport: Transport;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #workforce: Workforce;
  readonly #subjects: Subjects;
  readonly #allowance: Allowance;
  readonly #scopes: ScopeMarks;
  readonly #deliveries: DeliveryHandler;
  readonly #feeds: QueueFeeds;
  readonly #placed: PlacedQueue;
  readonly #subscriptions: Subscription[] = [];
  #isAccepting = false;
  #isFetchPlanned = false;
  #renewing: NodeJS.Timeout | undefined;
  #stopClock: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(parts: WorkerParts) {
    const { transport, meter, log, hostId, workforce, capabilities, audit } = parts;
    const { clock = transport.clock, chance = systemChance, createsConsumers = true } = parts;
    const subjects = createSubjects(transport.prefix);
    const shared = { transport, subjects, log, clock, chance };
    const wake = () => this.wake();
    const returns = new Returns();
    this.#transport = transport;
    this.#log = log;
    this.#clock = clock;
    this.#workforce = workforce;
    this.#subjects = subjects;
    this.#scopes = new ScopeMarks({ transport, clock });
    this.#allowance = new Allowance({
      ...shared,
      hostId,
      workforce,
      limits: new Map(capabilities.map(({ name, limits }) => [name, limits])),
      backlogOf: (capability) => this.#backlogOf(capability),
      onMore: wake,
    });
    this.#deliveries = new DeliveryHandler({
      ...shared,
      meter,
      audit,
      door: parts.door,
      tracer: parts.tracer ?? NO_TRACER,
      permitFor: (task) => this.#allowance.permitFor(task),
      hasKey: (task) => this.#allowance.hasKey(task),
      scopes: this.#scopes,
      returns,
      isAccepting: () => this.#isAccepting,
    });
    this.#feeds = new QueueFeeds({
      ...shared,
      capabilities: capabilities.map(({ name }) => name),
      createsConsumers,
      onDelivery: (delivery, feed) => this.#onDelivery(delivery, feed),
      onNak: (delivery) => returns.note(delivery),
      onMore: wake,
    });
    this.#placed = new PlacedQueue({
      ...shared,
      host: { class: parts.agentClass ?? DEFAULT_CLASS, host: hostId },
      returns,
      begin: (task) => this.#beginPlaced(task),
      fail: (task) => this.#failPlaced(task),
      refuse: (delivery) => void this.#deliveries.refuse(delivery),
    });
  }

  async start(): Promise<void> {
    await this.#transport.clock.sync();
    this.#stopClock = this.#transport.clock.keep();
    this.#allowance.start();
    const { bus } = this.#transport;
    const { filters } = this.#subjects;
    this.#subscriptions.push(
      bus.subscribe(filters.allWhere, (request) => this.#onWhere(request)),
      bus.subscribe(filters.allCancels, (message) => this.#onCancel(message)),
      this.#transport.onState((state) => {
        if (state !== "connected") return;
        this.#scopes.forget(); // a broadcast may have been lost
        this.wake();
        void this.#cancelMarked();
      }),
    );
    await bus.flush();
    await this.#feeds.prepare();
    this.#isAccepting = true;
    this.#feeds.open();
    this.#placed.open();
    this.#workforce.onFree(() => this.wake());
    this.#renewing = setInterval(() => this.#renew(), ACK_RENEW_MS);
    this.wake();
  }

  async stop(): Promise<void> {
    if (this.#isAccepting) await this.drain({ graceMs: 0 });
    clearInterval(this.#renewing);
    this.#stopClock?.();
    for (const subscription of this.#subscriptions) subscription.close();
    await this.#allowance
      .stop()
      .catch((error: unknown) =>
        this.#log.warn({ err: toSwarmError(error) }, "permits not released; their leases expire"),
      );
  }

  takesPlaced(): boolean {
    return this.#placed.hasConsumer;
  }

  held(): number {
    return this.#deliveries.inFlight.size;
  }

  missingConsumers(): string[] {
    return this.#feeds.missing();
  }

  /**
   * Plans one fetch of tasks for the end of this turn of the event loop, so that one pull serves all slots freed in it.
   */
  wake(): void {
    if (this.#isFetchPlanned || !this.#isAccepting) return;
    this.#isFetchPlanned = true;
    setImmediate(() => {
      this.#isFetchPlanned = false;
      if (this.#isAccepting && this.#transport.state === "connected") this.#fetchTasks();
    });
  }

  #fetchTasks(): void {
    if (this.#placed.waiting > 0) this.#placed.serve(); // I3
    const freeOf = (capability: string) => this.#allowance.freeOf(capability);
    this.#feeds.pull(this.#workforce.freeTotal(), freeOf);
  }

  #backlogOf(capability: string): number {
    const queued = this.#feeds.backlogOf(capability);
    return this.#placed.waiting === 0 ? queued : queued + this.#placed.waitingOf(capability);
  }

  #renew(): void {
    for (const { delivery } of this.#deliveries.inFlight.values()) delivery.working();
    if (this.#placed.waiting > 0) this.#placed.renew();
  }

  #onDelivery(delivery: Delivery, feed: QueueFeed): void {
    const at = this.#subjects.readTask(delivery.subject);
    if (at === null) {
      void this.#deliveries.refuse(delivery).then(() => this.wake());
      return;
    }
    const slot = this.#isAccepting ? this.#workforce.take(at.capability) : null;
    const limiter = slot === null ? null : this.#allowance.limiterOf(at.capability);
    const permit = limiter === null ? null : limiter.take();
    if (slot === null || (limiter !== null && permit === null)) {
      noteSurplus(feed, delivery);
      delivery.nak(0); // I1
      slot?.release();
      this.wake();
      return;
    }
    this.#perform({ delivery, at, placement: undefined }, slot, permit);
  }

  #perform(arrival: Arrival, slot: Slot, permit: Permit | null): void {
    void this.#deliveries.handle(arrival, slot).then((started) => {
      permit?.release(!started);
      if (this.held() === 0) this.#onEmpty?.();
      this.wake();
    });
  }

  /** Starts a placed task and returns null, or returns the reason why the task cannot start now. */
  #beginPlaced(task: PlacedTask): NotStarted | null {
    const { at, placement } = task;
    // Check the limit before the slot: the release of a slot would wake this worker again.
    const limiter = this.#allowance.limiterOf(at.capability);
    if (limiter !== null && limiter.ready() <= 0) {
      limiter.want(Math.max(1, this.#placed.waitingOf(at.capability)));
      return "limited";
    }
    const slot = this.#workforce.takeAgent(placement.agent, at.capability);
    if (typeof slot === "string") return slot;
    this.#perform(task, slot, limiter === null ? null : limiter.take());
    return null;
  }

  #failPlaced(task: PlacedTask): void {
    const message = `agent ${task.placement.agent}, on which the task was placed, does not offer ${task.at.capability}`;
    void this.#deliveries.fail(task, new TerminalError(message, { code: "not_permitted" }));
  }

  #onWhere(request: IncomingRequest): void {
    const attempt = this.#deliveries.inFlight.get(lastToken(request.subject))?.attempt;
    if (attempt === undefined || attempt === null) return;
    const reply: WhereReply = {
      attempt: attempt.number,
      progress: attempt.progressPercent,
      agent: attempt.agentId,
      startedAt: new Date(attempt.startedAtMs).toISOString(),
    };
    request.respond(encode(reply), { [HEADERS.contentType]: "application/json" });
  }

  #onCancel(message: IncomingRequest): void {
    const [scope, taskId] = message.subject.split(".").slice(-2);
    if (scope === undefined || taskId === undefined) return;
    if (taskId === PLACEHOLDER) {
      const ballot = endingBallotOf(message);
      if (ballot === undefined) this.#cancelScope(scope);
      else this.#cancelQuestions(ballot);
    } else this.#deliveries.cancel(taskId);
  }

  #cancelScope(scope: string): void {
    if (scope === NO_SCOPE) return;
    this.#scopes.forget(scope);
    for (const inFlight of this.#deliveries.inFlight.values()) {
      if (inFlight.at.scope === scope && !inFlight.isBallotQuestion)
        inFlight.cancel(new CancelledError(`the scope ${scope} was cancelled`));
    }
  }

  /**
   * Cancels the tasks of scopes, and the steps of workflows, that were cancelled while the connection was down, when no broadcast could
   * arrive. Best effort: the result of a task in a cancelled scope is stored already, and a step ends with its own end.
   */
  async #cancelMarked(): Promise<void> {
    const scopes = new Set<string>();
    const steps: string[] = [];
    for (const inFlight of this.#deliveries.inFlight.values()) {
      if (inFlight.isBallotQuestion) continue;
      scopes.add(inFlight.at.scope);
      if (inFlight.isStep) steps.push(inFlight.at.taskId);
    }
    for (const taskId of steps)
      if (await isTaskMarked(this.#transport, taskId).catch(() => false)) this.#deliveries.cancel(taskId);
    for (const scope of scopes) {
      const isMarked = await isScopeMarked(this.#transport, scope).catch(() => false);
      if (isMarked) this.#cancelScope(scope);
    }
  }

  /** Cancels the open questions of a ballot that ends. Their scope is the ballot's id, which may also be a scope of tasks. */
  #cancelQuestions(ballot: string): void {
    for (const inFlight of this.#deliveries.inFlight.values()) {
      if (inFlight.ballotId === ballot) inFlight.cancel(new CancelledError(`the ballot ${ballot} has ended`));
    }
  }

  async drain({ graceMs }: { graceMs: number }): Promise<number> {
    this.#isAccepting = false; // I2
    this.#feeds.close();
    this.#placed.drain();
    if (this.held() > 0) await this.#untilEmpty(graceMs);
    const left = [...this.#deliveries.inFlight.values()];
    const reason = new SwarmError(
      "unavailable",
      "the process is shutting down; the task will be redelivered",
    );
    for (const { attempt } of left) attempt?.giveBack(reason);
    // A returned task naks its delivery within a few turns of the event loop, or later if its append is in flight.
    for (let check = 0; this.held() > 0 && check < MAX_GIVE_BACK_CHECKS; check++)
      await new Promise<void>((resolve) => this.#clock.after(GIVE_BACK_CHECK_MS, resolve));
    await this.#transport.bus.flush().catch(() => undefined);
    return left.length;
  }

  /** Resolves when no task is in flight, or after `graceMs`. */
  #untilEmpty(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(graceMs, resolve);
      this.#onEmpty = () => {
        cancel();
        resolve();
      };
    });
  }
}
