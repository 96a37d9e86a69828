// A queue of deadlines: the earliest first, at the cost of a logarithm for each change. Pure.

/** One deadline. Among equal times the lower `order` is first. */
export interface Deadline {
  readonly atMs: number;
  readonly order: number;
  readonly path: string;
}

/** A binary heap of deadlines. */
export class Deadlines {
  readonly #heap: Deadline[] = [];

  /** The number of deadlines. */
  get size(): number {
    return this.#heap.length;
  }

  /** The earliest deadline. */
  peek(): Deadline | undefined {
    return this.#heap[0];
  }

  add(deadline: Deadline): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(deadline);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Deadline;
      if (!isBefore(deadline, above)) break;
      heap[at] = above;
      heap[parent] = deadline;
      at = parent;
    }
  }

  /** Removes the earliest deadline. */
  remove(): Deadline | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let next = 2 * at + 1;
      if (next >= heap.length) break;
      const right = heap[next + 1];
      if (right !== undefined && isBefore(right, heap[next] as Deadline)) next++;
      const below = heap[next] as Deadline;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = next;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Deadline, other: Deadline): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
