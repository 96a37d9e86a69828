// What waits for the next append: commands and reads in the order in which they came, within bounds. Owns the order
// and the bounds; when a group is taken, and what is answered, is office.ts.

/** Commands and reads that wait for an append; beyond it the answer is `overloaded`. */
export const MAX_QUEUED = 10_000;

/** Bytes that wait for an append; beyond it the answer is `overloaded`. */
export const MAX_QUEUED_BYTES = 64 * 1_024 * 1_024;

/** A command that waits. */
export interface QueuedCommand<C> {
  readonly kind: "command";
  readonly key: string;
  readonly command: C;
  readonly bytes: number;
}

/** A read that waits: its ticket comes back with the answer. */
export interface QueuedRead {
  readonly kind: "read";
  readonly ticket: string;
  readonly bytes: number;
}

/** Anything that waits. `bytes` is about its size in an entry. */
export type Queued<C> = QueuedCommand<C> | QueuedRead;

/** A queue, owned by one office and changed in place. */
export interface Queue<C> {
  readonly items: Queued<C>[];
  bytes: number;
  /** How often each key waits. */
  readonly keys: Map<string, number>;
}

/** Nothing waits. */
export function createQueue<C>(): Queue<C> {
  return { items: [], bytes: 0, keys: new Map() };
}

/** Adds the item, unless the queue is full. */
export function push<C>(queue: Queue<C>, item: Queued<C>): "queued" | "full" {
  if (queue.items.length >= MAX_QUEUED || queue.bytes + item.bytes > MAX_QUEUED_BYTES) return "full";
  queue.items.push(item);
  queue.bytes += item.bytes;
  if (item.kind === "command") queue.keys.set(item.key, (queue.keys.get(item.key) ?? 0) + 1);
  return "queued";
}

/** Removes and gives the first items; all of them without a `count`. */
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
