// Which consumers to ask for how many tasks. Pure: the worker tells what came and what is free, and obeys.
//
// I1: pulls for waiting tasks never ask together for more than the free slots of the process, nor of a capability.
// I2: while something is free, every lane believed empty has one small standing pull open, so that a task that
//     arrives is started at once. Standing pulls may bring more than is free; the worker gives the surplus back.
// I3: among lanes with waiting tasks, slots are dealt 8:4:2:1 by priority; a lane whose oldest task has waited longer
//     than the ageing bound counts as urgent, so that it gets an equal share and yet cannot crowd urgent work out.
import { PRIORITY_WEIGHTS, type Priority } from "../../protocol/index.ts";

/**
 * A lane whose oldest task has waited this long counts as urgent. Ten seconds: long enough to keep the order of
 * priorities for tasks of up to seconds, short enough for a person who waits for a `low` task. At 90 % load of
 * 500 ms tasks on 8 slots the longest wait in 20 simulated runs of ten minutes was 3.0 s for `low` (5 % of the tasks)
 * and 7.3 s for `normal` (25 %); test/work/ageing.test.ts repeats it.
 */
export const AGEING_MS = 10_000;
/** The largest standing pull. A hot lane grows to it, so that one request serves many arrivals. */
export const STANDING_MAX = 64;
/** A standing pull that filled within this time doubles the next one. */
const HOT_MS = 50;

/** One consumer: a capability at a priority. */
export interface QueueFeed {
  readonly capability: string;
  readonly priority: Priority;
  /** Waiting tasks, as the latest delivery told; 0 when a pull came back empty. */
  backlog: number;
  /** What open pulls for waiting tasks may still bring. */
  asked: number;
  /** What the standing pull may still bring; 0 when none is open. */
  standing: number;
  /** The size of the next standing pull. */
  standingSize: number;
  standingSinceMs: number;
  /** Stride scheduling: the lane with the lowest pass is dealt the next slot. */
  pass: number;
  /** When the oldest waiting task was stored, at the earliest: it stands behind the latest delivery. */
  oldestAtMs: number;
  /** The oldest task had waited too long when slots were last dealt. */
  aged: boolean;
}

/** A pull to open. `standing` waits for arrivals; otherwise it takes what is there and ends. */
export interface PullOrder {
  lane: QueueFeed;
  max: number;
  standing: boolean;
}

/** A lane nothing is known of yet. */
export function createLane(capability: string, priority: Priority): QueueFeed {
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
    aged: false,
  };
}

/** A delivery came: `pending` more are waiting behind it, stored after it. */
export function noteDelivery(
  lane: QueueFeed,
  pull: { standing: boolean },
  delivery: { pending: number; storedAtMs: number },
): void {
  if (pull.standing) lane.standing = Math.max(0, lane.standing - 1);
  else lane.asked = Math.max(0, lane.asked - 1);
  lane.backlog = delivery.pending;
  lane.oldestAtMs = delivery.storedAtMs;
}

/** A delivery was given back because no slot was free: at least that one is waiting. */
export function noteSurplus(lane: QueueFeed, delivery: { storedAtMs: number }): void {
  lane.backlog++;
  lane.oldestAtMs = delivery.storedAtMs;
}

/** A pull ended with `remaining` deliveries not brought. */
export function noteEnd(
  lane: QueueFeed,
  pull: { standing: boolean },
  remaining: number,
  nowMs: number,
): void {
  if (pull.standing) {
    lane.standing = 0;
    const hot = remaining === 0 && nowMs - lane.standingSinceMs <= HOT_MS;
    lane.standingSize = hot
      ? Math.min(STANDING_MAX, lane.standingSize * 2)
      : Math.max(1, lane.standingSize >> 1);
    return;
  }
  lane.asked = Math.max(0, lane.asked - remaining);
  if (remaining > 0) lane.backlog = 0;
}

/**
 * Deals the free slots out as pulls and counts them in the lanes as open.
 * @param free how many tasks of a capability, and in total, could start now, open pulls not subtracted.
 */
export function decidePulls(
  lanes: readonly QueueFeed[],
  free: { total: number; of: (capability: string) => number },
  nowMs: number,
): PullOrder[] {
  if (free.total <= 0) return [];
  const orders = new Map<QueueFeed, number>();
  const room = new Map<string, number>();
  let total = free.total;
  for (const lane of lanes) {
    if (!room.has(lane.capability)) room.set(lane.capability, free.of(lane.capability));
    room.set(lane.capability, room.get(lane.capability)! - lane.asked);
    total -= lane.asked;
  }
  const wanting = lanes.filter((lane) => lane.backlog > lane.asked);
  const floor = wanting.length === 0 ? 0 : Math.min(...wanting.map((lane) => lane.pass));
  for (const lane of wanting) {
    const aged = nowMs - lane.oldestAtMs > AGEING_MS;
    if (aged && !lane.aged) lane.pass = floor; // its turn now, not when its old weight would have it
    lane.aged = aged;
  }
  for (; total > 0; total--) {
    const lane = pickLane(wanting, orders, room);
    if (lane === null) break;
    orders.set(lane, (orders.get(lane) ?? 0) + 1);
    room.set(lane.capability, room.get(lane.capability)! - 1);
    lane.pass = Math.max(lane.pass, floor) + 1 / PRIORITY_WEIGHTS[lane.aged ? "urgent" : lane.priority];
  }
  const pulls: PullOrder[] = [];
  for (const [lane, max] of orders) {
    lane.asked += max;
    pulls.push({ lane, max, standing: false });
  }
  for (const lane of lanes) {
    if (lane.standing > 0 || lane.asked > 0 || lane.backlog > 0 || free.of(lane.capability) <= 0) continue;
    const max = Math.max(1, Math.min(lane.standingSize, total));
    lane.standing = max;
    lane.standingSinceMs = nowMs;
    // A lane that was empty must not catch up later for the time in which it had nothing to do.
    lane.pass = Math.max(lane.pass, floor);
    total -= max;
    pulls.push({ lane, max, standing: true });
  }
  return pulls;
}

function pickLane(
  wanting: readonly QueueFeed[],
  orders: ReadonlyMap<QueueFeed, number>,
  room: ReadonlyMap<string, number>,
): QueueFeed | null {
  let best: QueueFeed | null = null;
  for (const lane of wanting) {
    if (room.get(lane.capability)! <= 0) continue;
    if (lane.backlog <= lane.asked + (orders.get(lane) ?? 0)) continue;
    if (best === null || lane.pass < best.pass) best = lane;
  }
  return best;
}
