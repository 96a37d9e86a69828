// Waiting for results: one subscription per capability, shared by everyone in this process who waits for one of its
// tasks. I1: a result that was stored while the connection was down is found by looking it up after the reconnect.
import { lastToken, type Result, type Subjects, SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { IncomingRequest, Subscription, Transport } from "../../transport/index.ts";
import { unpackResult } from "../stores/bodies.ts";
import { readResult } from "../stores/outcome.ts";

/** A result that is waited for. */
export interface Waiting {
  /** Resolves to the result. @throws SwarmError `timeout` when it did not come in time. */
  readonly result: Promise<Result>;
  /** Stops waiting; `result` stays unsettled. */
  close(): void;
}

/** Waits for results. */
export interface ResultWaiter {
  /** Begins to listen; call it before the task is published. `timeoutMs` undefined waits for ever. */
  wait(capability: string, taskId: string, timeoutMs?: number): Waiting;
  /** How many results are waited for. */
  readonly size: number;
  close(): void;
}

interface PendingWait {
  resolve(result: Result): void;
  reject(error: unknown): void;
}

interface CapabilityWaits {
  subscription: Subscription;
  waiting: Map<string, Set<PendingWait>>;
  closing: NodeJS.Timeout | undefined;
}

/** How long a subscription outlives its last waiter: who waits for one result often waits for the next, in ms. */
const LINGER_MS = 2_000;

/** A waiter over one transport. `lookUp` finds a stored result (I1). */
export function createResultWaiter(
  transport: Transport,
  subjects: Subjects,
  lookUp: (taskId: string) => Promise<{ result: Result } | null>,
): ResultWaiter {
  const rooms = new Map<string, CapabilityWaits>();
  let size = 0;

  function onDone(room: CapabilityWaits, message: IncomingRequest): void {
    const taskId = lastToken(message.subject);
    if (room.waiting.has(taskId)) void settle(room, taskId, () => readMessage(message));
  }

  async function readMessage(message: IncomingRequest): Promise<Result> {
    return readResult(await unpackResult(message, transport.blobs));
  }

  async function settle(room: CapabilityWaits, taskId: string, read: () => Promise<Result>): Promise<void> {
    const entries = room.waiting.get(taskId);
    if (entries === undefined) return;
    try {
      const result = await read();
      for (const entry of [...entries]) entry.resolve(result);
    } catch (error) {
      for (const entry of [...entries]) entry.reject(toSwarmError(error));
    }
  }

  function openRoom(capability: string): CapabilityWaits {
    const known = rooms.get(capability);
    if (known !== undefined) {
      clearTimeout(known.closing);
      known.closing = undefined;
      return known;
    }
    const waiting: CapabilityWaits["waiting"] = new Map();
    const room: CapabilityWaits = {
      waiting,
      closing: undefined,
      subscription: transport.bus.subscribe(subjects.filters.doneOfCapability(capability), (message) =>
        onDone(room, message),
      ),
    };
    rooms.set(capability, room);
    return room;
  }

  function closeLater(capability: string, room: CapabilityWaits): void {
    room.closing ??= setTimeout(() => {
      room.subscription.close();
      if (rooms.get(capability) === room) rooms.delete(capability);
    }, LINGER_MS).unref();
  }

  const reconnecting = transport.onState((state) => {
    if (state !== "connected") return;
    for (const room of rooms.values()) {
      for (const taskId of room.waiting.keys()) {
        void lookUp(taskId)
          .then((stored) => (stored === null ? undefined : settle(room, taskId, async () => stored.result)))
          .catch(() => undefined);
      }
    }
  });

  return {
    get size() {
      return size;
    },
    wait(capability, taskId, timeoutMs) {
      const room = openRoom(capability);
      let close = () => {};
      const result = new Promise<Result>((resolve, reject) => {
        let timer: NodeJS.Timeout | undefined;
        const entry: PendingWait = {
          resolve: (value) => {
            close();
            resolve(value);
          },
          reject: (error) => {
            close();
            reject(error);
          },
        };
        const entries = room.waiting.get(taskId) ?? new Set();
        entries.add(entry);
        room.waiting.set(taskId, entries);
        size++;
        close = () => {
          close = () => {};
          clearTimeout(timer);
          size--;
          entries.delete(entry);
          if (entries.size === 0) room.waiting.delete(taskId);
          if (room.waiting.size === 0) closeLater(capability, room);
        };
        if (timeoutMs !== undefined) {
          const told = `no result of ${taskId} within ${timeoutMs} ms; it may still come: murmur task show ${taskId}`;
          timer = setTimeout(() => entry.reject(new SwarmError("timeout", told, { taskId })), timeoutMs);
        }
      });
      return { result, close: () => close() };
    },
    close() {
      reconnecting.close();
      for (const room of rooms.values()) {
        clearTimeout(room.closing);
        room.subscription.close();
      }
      rooms.clear();
    },
  };
}
