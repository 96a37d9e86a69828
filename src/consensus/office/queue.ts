// The queue of commands and reads that wait for the next append, in order of arrival. Owns the order and the bounds.
// office.ts decides when to take a group and gives the answers. Pure.

/** The most commands and reads in the queue. A further one gets the answer `overloaded`. */
export const MAX_QUEUED = 10_000;

/** The most bytes in the queue. A further command or read gets the answer `overloaded`. */
export const MAX_QUEUED_BYTES = 64 * 1_024 * 1_024;

/** A command in the queue. */
export interface QueuedCommand<C> {
  readonly kind: "command";
  readonly key: string;
  readonly command: C;
  readonly bytes: number;
}

/** A read in the queue. The answer to the read repeats its ticket. */
export interface QueuedRead {
  readonly kind: "read";
  readonly ticket: string;
  readonly bytes: number;
}

/** An item of the queue. `bytes` is the approximate size of a command in an entry, or the length of a read's ticket. */
export type Queued<C> = QueuedCommand<C> | QueuedRead;

/** A queue. One office owns it, and the functions change it in place. */
export interface Queue<C> {
  readonly items: Queued<C>[];
  bytes: number;
  /** The number of queued commands for each key. */
  readonly keys: Map<string, number>;
}

/** Makes an empty queue. */
export function createQueue<C>(): Queue<C> {
  return { items: [], bytes: 0, keys: new Map() };
}

/** Adds the item at the end, and returns `queued`; a queue without room returns `full` and does not change. */
export function push<C>(queue: Queue<C>, item: Queued<C>): "queued" | "full" {
  if (queue.items.length >= MAX_QUEUED || queue.bytes + item.bytes > MAX_QUEUED_BYTES) return "full";
  queue.items.push(item);
  queue.bytes += item.bytes;
  if (item.kind === "command") queue.keys.set(item.key, (queue.keys.get(item.key) ?? 0) + 1);
  return "queued";
}

/** Removes the first `count` items and returns them; without `count`, all items. */
export function take<C>(queue: Queue<C>, count = queue.items.length): Queued<C>[] {
  const taken = queue.items.splice(0, count);
  for (const item of taken) {
    queue.bytes -= item.bytes;
    if (item.kind === "read") continue;
    const rest = (queue.keys.get(item.key) ?? 0) - 1;
    if (rest > 0) queue.keys.set(item.key, rest);
    else queue.keys.delete(item.key);
  }
  return taken;
}
