// Waits for the results of tasks, for client.ts. A wait subscribes to the result of its task alone. A client that waits
// for many tasks of one capability subscribes once to all results of the capability instead. A NATS permission for
// `<p>.done.<capability>.*.*` allows both subjects.
// I1: after a reconnect, the waiter reads the result of every pending wait, until each read succeeds. So it finds a result
//     that was stored while the connection was down.
// I2: an announcement is best effort. So the waiter also reads the result of each wait that is older than
//     RECHECK_MS, again and again.
import { type Clock, sleep } from "../../base/index.ts";
import { lastToken, type Result, type Subjects, SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { IncomingRequest, Subscription, Transport } from "../../transport/index.ts";
import { readResultMessage } from "../stores/results.ts";

/** The wait for one result. */
export interface ResultWait {
  /** Resolves to the result. @throws SwarmError `timeout` when it did not come in time. */
  readonly result: Promise<Result>;
  /** Stops waiting; `result` then never resolves or rejects. */
  close(): void;
}

/** The two ends of a wait's promise. */
interface PendingWait {
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** The pending waits for one task. */
interface TaskWaits {
  readonly entries: Set<PendingWait>;
  /** The subscription to the result of this task; undefined while {@link CapabilityWaits.shared} delivers it. */
  readonly own: Subscription | undefined;
  /** When the first of these waits began, Unix ms. */
  readonly sinceMs: number;
}

/** The waits for tasks of one capability. */
interface CapabilityWaits {
  /** The tasks with pending waits, by id. */
  readonly pending: Map<string, TaskWaits>;
  /** The subscription to all results of the capability; undefined while each task has its own. */
  shared: Subscription | undefined;
  /** The number of tasks that got a subscription of their own since `countedMs`. */
  own: number;
  countedMs: number;
  /** The timer that forgets the capability; set while no wait is pending. */
  closing: NodeJS.Timeout | undefined;
}

/**
 * The most tasks of one capability that get their own subscription within {@link LINGER_MS}. A client with more waits
 * subscribes to all results of the capability. One more subscription for each task would cost the server more than
 * the results of other clients cost this one.
 */
const OWN_SUBSCRIPTIONS_MAX = 16;

/**
 * The time that a shared subscription stays open after its last wait, in ms. A caller often waits for another result
 * of the same capability soon.
 */
const LINGER_MS = 2_000;

/** The age of a wait at which the waiter begins to read its result, and the time between two such reads, in ms (I2). */
const RECHECK_MS = 10_000;
/** The pause before results that could not be read are read again, in ms. */
const READ_RETRY_MS = 1_000;
/** The most reads of results in flight: enough for thousands of waits in a second, and no burst for the server. */
const READS_IN_FLIGHT = 32;

/** Reads the stored result of a task of a capability; null when there is none. */
type ReadStored = (taskId: string, capability: string) => Promise<{ result: Result } | null>;

/** The part of a transport that a wait needs. */
type WaiterTransport = Pick<Transport, "bus" | "onState"> & {
  readonly blobs: Pick<Transport["blobs"], "get">;
};

/** Waits for results over one transport. */
export class ResultWaiter {
  readonly #transport: WaiterTransport;
  readonly #subjects: Subjects;
  readonly #readStored: ReadStored;
  readonly #waits = new Map<string, CapabilityWaits>();
  readonly #clock: Clock;
  readonly #reconnecting: Subscription;
  readonly #closed = new AbortController();
  /** The wanted read covers the waits that began at this time or earlier, Unix ms. */
  #readUpTo = Number.NEGATIVE_INFINITY;
  #isReading = false;
  #cancelRecheck: (() => void) | undefined;

  /** `readStored` serves I1 and I2. */
  constructor(transport: WaiterTransport, subjects: Subjects, readStored: ReadStored, clock: Clock) {
    this.#transport = transport;
    this.#subjects = subjects;
    this.#readStored = readStored;
    this.#clock = clock;
    this.#reconnecting = transport.onState((state) => {
      if (state === "connected") this.#read(Number.POSITIVE_INFINITY);
    });
  }

  /**
   * Starts a wait. Call it before the task is published, so that the subscription exists first. Default `timeoutMs`: no
   * limit.
   */
  wait(capability: string, taskId: string, timeoutMs?: number): ResultWait {
    const waits = this.#open(capability);
    const task = waits.pending.get(taskId) ?? this.#follow(waits, capability, taskId);
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => entry.reject(timeoutError()), timeoutMs);
    const entry: PendingWait = {
      resolve: (result) => {
        close();
        resolve(result);
      },
      reject: (error) => {
        close();
        reject(error);
      },
    };
    task.entries.add(entry);
    const close = () => {
      clearTimeout(timer);
      if (!task.entries.delete(entry) || task.entries.size > 0) return;
      task.own?.close();
      waits.pending.delete(taskId);
      if (waits.pending.size === 0) this.#closeLater(capability, waits);
      if (!this.#hasWaits()) this.#stopRechecks();
    };
    const timeoutError = () => {
      const message = `no result of ${taskId} within ${timeoutMs} ms; it may still come: see murmur task show ${taskId}`;
      return new SwarmError("timeout", message, { taskId });
    };
    return { result: promise, close };
  }

  close(): void {
    this.#closed.abort();
    this.#stopRechecks();
    this.#reconnecting.close();
    for (const { closing, shared, pending } of this.#waits.values()) {
      clearTimeout(closing);
      shared?.close();
      for (const { own } of pending.values()) own?.close();
    }
    this.#waits.clear();
  }

  #open(capability: string): CapabilityWaits {
    let waits = this.#waits.get(capability);
    if (waits === undefined) {
      waits = { pending: new Map(), shared: undefined, own: 0, countedMs: 0, closing: undefined };
      this.#waits.set(capability, waits);
    }
    clearTimeout(waits.closing);
    waits.closing = undefined;
    return waits;
  }

  /** Adds a task, and subscribes to its result unless the shared subscription delivers it. */
  #follow(waits: CapabilityWaits, capability: string, taskId: string): TaskWaits {
    const own = this.#subscribe(waits, capability, taskId);
    const task = { entries: new Set<PendingWait>(), own, sinceMs: this.#clock.now() };
    waits.pending.set(taskId, task);
    this.#recheckLater();
    return task;
  }

  #subscribe(waits: CapabilityWaits, capability: string, taskId: string): Subscription | undefined {
    if (waits.shared !== undefined) return undefined;
    const { bus } = this.#transport;
    const { filters } = this.#subjects;
    const onResult = (message: IncomingRequest) => this.#onResult(waits, message);
    const nowMs = performance.now();
    if (nowMs - waits.countedMs > LINGER_MS) {
      waits.own = 0;
      waits.countedMs = nowMs;
    }
    if (++waits.own <= OWN_SUBSCRIPTIONS_MAX) {
      return bus.subscribe(filters.doneOfTask(capability, taskId), onResult);
    }
    waits.shared = bus.subscribe(filters.doneOfCapability(capability), onResult);
    return undefined;
  }

  #closeLater(capability: string, waits: CapabilityWaits): void {
    waits.closing ??= setTimeout(() => {
      waits.shared?.close();
      if (this.#waits.get(capability) === waits) this.#waits.delete(capability);
    }, LINGER_MS).unref();
  }

  #onResult(waits: CapabilityWaits, message: IncomingRequest): void {
    const taskId = lastToken(message.subject);
    if (!waits.pending.has(taskId)) return;
    try {
      const result = readResultMessage(message, this.#transport.blobs);
      if (!(result instanceof Promise)) this.#resolve(waits, taskId, result);
      else
        result.then(
          (read) => this.#resolve(waits, taskId, read),
          (error: unknown) => this.#fail(waits, taskId, error),
        );
    } catch (error) {
      this.#fail(waits, taskId, error);
    }
  }

  #resolve(waits: CapabilityWaits, taskId: string, result: Result): void {
    for (const entry of [...(waits.pending.get(taskId)?.entries ?? [])]) entry.resolve(result);
  }

  #fail(waits: CapabilityWaits, taskId: string, thrown: unknown): void {
    const error = toSwarmError(thrown);
    // The server that announced the result may be gone before the client has read the result's blob.
    if (error.code === "unavailable") this.#read(Number.POSITIVE_INFINITY);
    else for (const entry of [...(waits.pending.get(taskId)?.entries ?? [])]) entry.reject(error);
  }

  #hasWaits(): boolean {
    for (const { pending } of this.#waits.values()) if (pending.size > 0) return true;
    return false;
  }

  #stopRechecks(): void {
    this.#cancelRecheck?.();
    this.#cancelRecheck = undefined;
  }

  #recheckLater(): void {
    this.#cancelRecheck ??= this.#clock.after(RECHECK_MS, () => {
      this.#cancelRecheck = undefined;
      this.#read(this.#clock.now() - RECHECK_MS);
      this.#recheckLater();
    });
  }

  /** Reads the results of the waits that began at `upToMs` or earlier, until each read succeeds (I1, I2). */
  #read(upToMs: number): void {
    this.#readUpTo = Math.max(this.#readUpTo, upToMs);
    if (!this.#isReading) void this.#readWanted();
  }

  async #readWanted(): Promise<void> {
    this.#isReading = true;
    while (this.#readUpTo !== Number.NEGATIVE_INFINITY && !this.#closed.signal.aborted) {
      const upToMs = this.#readUpTo;
      this.#readUpTo = Number.NEGATIVE_INFINITY;
      if (await this.#readEach(upToMs)) continue;
      this.#readUpTo = Math.max(this.#readUpTo, upToMs);
      await sleep(READ_RETRY_MS, { clock: this.#clock, signal: this.#closed.signal }).catch(() => undefined);
    }
    this.#isReading = false;
  }

  /** Reads the results of old waits; false when a read failed. */
  async #readEach(upToMs: number): Promise<boolean> {
    const tasks = [...this.#waits].flatMap(([capability, waits]) =>
      [...waits.pending]
        .filter(([, { sinceMs }]) => sinceMs <= upToMs)
        .map(([taskId]) => ({ capability, waits, taskId })),
    );
    let isComplete = true;
    const readNext = async () => {
      for (let next = tasks.pop(); next !== undefined; next = tasks.pop()) {
        const { capability, waits, taskId } = next;
        if (!waits.pending.has(taskId) || this.#closed.signal.aborted) continue;
        try {
          const stored = await this.#readStored(taskId, capability);
          if (stored !== null) this.#resolve(waits, taskId, stored.result);
        } catch (error) {
          if (toSwarmError(error).code === "unavailable") isComplete = false;
          else this.#fail(waits, taskId, error);
        }
      }
    };
    await Promise.all(Array.from({ length: READS_IN_FLIGHT }, readNext));
    return isComplete;
  }
}
