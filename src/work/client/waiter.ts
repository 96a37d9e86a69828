// Waits for the results of tasks, for client.ts. All waits of a client for tasks of one capability share one
// subscription.
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

/** The waits for tasks of one capability. */
interface CapabilityWaits {
  readonly subscription: Subscription;
  /** The pending waits by task id. */
  readonly pending: Map<string, Set<PendingWait>>;
  /** The timer that closes the subscription; set while no wait is pending. */
  closing: NodeJS.Timeout | undefined;
}

/**
 * The time that a subscription stays open after its last wait, in ms. A caller often waits for another result of the
 * same capability soon.
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
    const entries = waits.pending.get(taskId) ?? new Set();
    waits.pending.set(taskId, entries.add(entry));
    const close = () => {
      clearTimeout(timer);
      if (!entries.delete(entry)) return;
      if (entries.size === 0) waits.pending.delete(taskId);
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
    for (const { closing, subscription } of this.#waits.values()) {
      clearTimeout(closing);
      subscription.close();
    }
    this.#waits.clear();
  }

  #open(capability: string): CapabilityWaits {
    const known = this.#waits.get(capability);
    if (known !== undefined) {
      clearTimeout(known.closing);
      known.closing = undefined;
      return known;
    }
    const filter = this.#subjects.filters.doneOfCapability(capability);
    const waits: CapabilityWaits = {
      pending: new Map(),
      closing: undefined,
      subscription: this.#transport.bus.subscribe(filter, (message) => this.#onResult(waits, message)),
    };
    this.#waits.set(capability, waits);
    return waits;
  }

  #closeLater(capability: string, waits: CapabilityWaits): void {
    waits.closing ??= setTimeout(() => {
      waits.subscription.close();
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
  const entries = waits.pending.get(taskId);
  if (entries === undefined) return;
  try {
    const result = await read();
    for (const entry of [...entries]) entry.resolve(result);
  } catch (error) {
    for (const entry of [...entries]) entry.reject(toSwarmError(error));
  }
}
