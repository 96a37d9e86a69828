// Decides which queue feeds to pull from, and how many tasks each pull asks for. queue-feeds.ts reports deliveries and free
// slots, and opens the pulls. Pure.
//
// I1: pulls for waiting tasks together never ask for more than the free slots of the process, nor of a capability.
// I2: while a slot is free, every feed that seems empty has one small standing pull open, so that an arriving task starts
//     at once. Standing pulls may bring more tasks than slots are free; the worker gives the surplus back.
// I3: among feeds with waiting tasks, slots are dealt 8:4:2:1 by priority. A feed whose oldest task has waited longer than
//     the ageing bound counts as urgent, so that it gets an equal share and yet cannot crowd urgent work out.
import { PRIORITY_WEIGHTS, type Priority } from "../../protocol/index.ts";

/**
 * A feed whose oldest task has waited this long, in ms, counts as urgent. Ten seconds: long enough to keep the order of
 * priorities for tasks of up to seconds, short enough for a person who waits for a `low` task. At 90 % load of 500 ms
 * tasks on 8 slots the longest wait in 20 simulated runs of ten minutes was 3.0 s for `low` (5 % of the tasks) and 7.3 s
 * for `normal` (25 %); test/work/worker/ageing.test.ts repeats the simulation.
 */
export const AGEING_MS = 10_000;
/** The largest standing pull. A busy feed's standing pull grows to it, so that one request serves many arrivals. */
export const STANDING_MAX = 64;
/** When a standing pull fills within this time, in ms, the feed's next standing pull is twice as large. */
const BUSY_FILL_MS = 50;
/** How long a standing pull waits on the server, in ms. The server forgets it after this time, and the host opens the next. */
export const STANDING_EXPIRES_MS = 30_000;
/** Waits before a lost pull is opened again, or a consumer that could not be made is tried again. */
export const REOPEN_BACKOFF = { backoffMs: 50, factor: 2, maxBackoffMs: 2_000, jitter: 0.5 };

/** One capability's queue of one priority, as a worker pulls from it. */
export interface QueueFeed {
  readonly capability: string;
  readonly priority: Priority;
  /** The waiting tasks by the latest delivery; 0 after a pull that ended without filling. */
  backlog: number;
  /** The tasks that open pulls for waiting tasks may still bring. */
  asked: number;
  /** The tasks that the standing pull may still bring; 0 when none is open. */
  standing: number;
  /** The size of the next standing pull. */
  standingSize: number;
  /** When the standing pull was opened, Unix ms. */
  standingSinceMs: number;
  /** Stride scheduling: the feed with the lowest pass gets the next slot. */
  pass: number;
  /** The earliest time at which the oldest waiting task can have been stored, Unix ms: that of the latest delivery. */
  oldestAtMs: number;
  /** True when the oldest task had waited longer than the ageing bound at the last deal. */
  isAged: boolean;
}

/** A pull to open. `standing`: it waits for arrivals; otherwise it takes the tasks that wait now and ends. */
export interface PullOrder {
  feed: QueueFeed;
  max: number;
  standing: boolean;
}

/** A feed whose backlog is not known yet. */
export function createQueueFeed(capability: string, priority: Priority): QueueFeed {
  return {
    capability,
    priority,
    backlog: 0,
    asked: 0,
    standing: 0,
    standingSize: 1,
    standingSinceMs: 0,
    pass: 0,
    oldestAtMs: 0,
    isAged: false,
  };
}

/** Notes that a delivery came. `pending` more tasks wait, all stored after it. */
export function noteDelivery(
  feed: QueueFeed,
  pull: { standing: boolean },
  delivery: { pending: number; storedAtMs: number },
): void {
  if (pull.standing) feed.standing = Math.max(0, feed.standing - 1);
  else feed.asked = Math.max(0, feed.asked - 1);
  feed.backlog = delivery.pending;
  feed.oldestAtMs = delivery.storedAtMs;
}

/** Notes that a delivery was given back because no slot was free: at least that task waits. */
export function noteSurplus(feed: QueueFeed, delivery: { storedAtMs: number }): void {
  feed.backlog++;
  feed.oldestAtMs = delivery.storedAtMs;
}

/** Notes that a pull ended and that it had `remaining` deliveries left to bring. */
export function noteEnd(
  feed: QueueFeed,
  pull: { standing: boolean },
  remaining: number,
  nowMs: number,
): void {
  if (pull.standing) {
    feed.standing = 0;
    const isBusy = remaining === 0 && nowMs - feed.standingSinceMs <= BUSY_FILL_MS;
    feed.standingSize = isBusy
      ? Math.min(STANDING_MAX, feed.standingSize * 2)
      : Math.max(1, feed.standingSize >> 1);
    return;
  }
  feed.asked = Math.max(0, feed.asked - remaining);
  if (remaining > 0) feed.backlog = 0;
}

/**
 * Deals the free slots out as pulls, and counts these pulls as open in their feeds.
 * @param free how many tasks of a capability, and in total, could start now; open pulls are not subtracted.
 */
export function decidePulls(
  feeds: readonly QueueFeed[],
  free: { total: number; of: (capability: string) => number },
  nowMs: number,
): PullOrder[] {
  if (free.total <= 0) return [];
  const room = countRoom(feeds, free);
  const wanting = feeds.filter((feed) => feed.backlog > feed.asked);
  const floor = wanting.length === 0 ? 0 : Math.min(...wanting.map((feed) => feed.pass));
  promoteAged(wanting, floor, nowMs);
  const pulls = dealSlots(wanting, floor, room);
  for (const feed of feeds) {
    if (feed.standing > 0 || feed.asked > 0 || feed.backlog > 0 || free.of(feed.capability) <= 0) continue;
    const max = Math.max(1, Math.min(feed.standingSize, room.total));
    feed.standing = max;
    feed.standingSinceMs = nowMs;
    // A feed that was empty must not catch up later for its idle time.
    feed.pass = Math.max(feed.pass, floor);
    room.total -= max;
    pulls.push({ feed, max, standing: true });
  }
  return pulls;
}

/** The tasks that further pulls may ask for, in total and of each capability. */
interface Room {
  total: number;
  of: Map<string, number>;
}

/** The free slots less the tasks that open pulls for waiting tasks may still bring (I1). */
function countRoom(
  feeds: readonly QueueFeed[],
  free: { total: number; of: (capability: string) => number },
): Room {
  const room: Room = { total: free.total, of: new Map() };
  for (const { capability, asked } of feeds) {
    const left = room.of.get(capability) ?? free.of(capability);
    room.of.set(capability, left - asked);
    room.total -= asked;
  }
  return room;
}

/** Lets feeds whose oldest task has just passed the ageing bound count as urgent (I3). */
function promoteAged(wanting: readonly QueueFeed[], floor: number, nowMs: number): void {
  for (const feed of wanting) {
    const isAged = nowMs - feed.oldestAtMs > AGEING_MS;
    if (isAged && !feed.isAged) feed.pass = floor; // its turn is now, not at the pass that its old weight gave it
    feed.isAged = isAged;
  }
}

/** Deals slots one by one among the feeds with waiting tasks; one pull for each feed that got any. */
function dealSlots(wanting: readonly QueueFeed[], floor: number, room: Room): PullOrder[] {
  const orders = new Map<QueueFeed, number>();
  for (; room.total > 0; room.total--) {
    const feed = pickFeed(wanting, orders, room.of);
    if (feed === null) break;
    orders.set(feed, (orders.get(feed) ?? 0) + 1);
    room.of.set(feed.capability, room.of.get(feed.capability)! - 1);
    feed.pass = Math.max(feed.pass, floor) + 1 / PRIORITY_WEIGHTS[feed.isAged ? "urgent" : feed.priority];
  }
  return [...orders].map(([feed, max]) => {
    feed.asked += max;
    return { feed, max, standing: false };
  });
}

function pickFeed(
  wanting: readonly QueueFeed[],
  orders: ReadonlyMap<QueueFeed, number>,
  room: ReadonlyMap<string, number>,
): QueueFeed | null {
  let best: QueueFeed | null = null;
  for (const feed of wanting) {
    if (room.get(feed.capability)! <= 0) continue;
    if (feed.backlog <= feed.asked + (orders.get(feed) ?? 0)) continue;
    if (best === null || feed.pass < best.pass) best = feed;
  }
  return best;
}
