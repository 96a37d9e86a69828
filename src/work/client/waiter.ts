// Waits for the results of tasks, for client.ts. A wait subscribes to the result of its task alone. A client that waits
// for many tasks of one capability subscribes once to all results of the capability instead. A NATS permission for
// `<p>.done.<capability>.*.*` allows both subjects.
// I1: after a reconnect, the waiter reads the result of every pending wait. So it finds a result that was stored while
//     the connection was down.
import { lastToken, type Result, type Subjects, SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { IncomingRequest, Subscription, Transport } from "../../transport/index.ts";
import { unpackResult } from "../stores/bodies.ts";
import { readResult } from "../stores/results.ts";

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

/** Waits for results over one transport. */
export class ResultWaiter {
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #readStored: (taskId: string) => Promise<{ result: Result } | null>;
  readonly #waits = new Map<string, CapabilityWaits>();
  readonly #reconnecting: Subscription;

  /** `readStored` resolves to the stored result of a task, or to null (I1). */
  constructor(
    transport: Transport,
    subjects: Subjects,
    readStored: (taskId: string) => Promise<{ result: Result } | null>,
  ) {
    this.#transport = transport;
    this.#subjects = subjects;
    this.#readStored = readStored;
    this.#reconnecting = transport.onState((state) => {
      if (state === "connected") this.#readAll();
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
    };
    const timeoutError = () => {
      const message = `no result of ${taskId} within ${timeoutMs} ms; it may still come: see murmur task show ${taskId}`;
      return new SwarmError("timeout", message, { taskId });
    };
    return { result: promise, close };
  }

  close(): void {
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
    const task = { entries: new Set<PendingWait>(), own: this.#subscribe(waits, capability, taskId) };
    waits.pending.set(taskId, task);
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
    void settle(waits, taskId, async () => readResult(await unpackResult(message, this.#transport.blobs)));
  }

  /** Reads the results of all pending waits (I1). A read that fails leaves its wait pending. */
  #readAll(): void {
    for (const waits of this.#waits.values()) {
      for (const taskId of waits.pending.keys()) {
        void this.#readStored(taskId)
          .then((stored) => (stored === null ? undefined : settle(waits, taskId, async () => stored.result)))
          .catch(() => undefined);
      }
    }
  }
}

async function settle(waits: CapabilityWaits, taskId: string, read: () => Promise<Result>): Promise<void> {
  const entries = waits.pending.get(taskId)?.entries;
  if (entries === undefined) return;
  try {
    const result = await read();
    for (const entry of [...entries]) entry.resolve(result);
  } catch (error) {
    for (const entry of [...entries]) entry.reject(toSwarmError(error));
  }
}
