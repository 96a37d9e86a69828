import { describe, expect, it } from "vitest";
import { mapBounded } from "../../src/client/bounded-map.ts";

const never = new AbortController().signal;
const options = { inFlight: 2, ordered: false, signal: never };
/** Resolves when every promise that can settle has settled. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Work that the test ends by hand. */
function startWork() {
  const open = new Map<number, (value: number) => void>();
  const work = (_item: number, index: number) =>
    new Promise<number>((resolve) => {
      open.set(index, resolve);
    });
  return { work, started: () => open.size, end: (index: number) => open.get(index)?.(index) };
}

/** A source that counts the items it gave, and notices its end. */
function startSource(length: number) {
  const source = { given: 0, isEnded: false };
  async function* give() {
    try {
      for (; source.given < length; ) yield source.given++;
    } finally {
      source.isEnded = true;
    }
  }
  return { source, items: give() };
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

describe("a bounded map", () => {
  it("takes no more items than may be in flight, counted until the consumer reads their values (I1)", async () => {
    const { source, items } = startSource(10);
    const { work, started, end } = startWork();
    const values = mapBounded(items, options, work);
    const first = values.next();
    await settled();
    expect([source.given, started()]).toEqual([2, 2]);
    end(0);
    end(1);
    await first;
    await settled();
    expect(source.given, "one value is read, the other waits for the consumer").toBe(2);
    void values.next();
    await settled();
    expect(source.given).toBe(3);
    await values.return();
  });

  it("yields values as they end, or in the order of the source", async () => {
    for (const ordered of [false, true]) {
      const { work, end } = startWork();
      const values = collect(mapBounded([10, 11], { ...options, ordered }, work));
      await settled();
      end(1);
      await settled();
      end(0);
      expect(await values).toEqual(ordered ? [0, 1] : [1, 0]);
    }
  });

  it("yields the values in flight before it throws the error of its source", async () => {
    function* source() {
      yield 1;
      throw new Error("no more rows");
    }
    const seen: number[] = [];
    const read = async () => {
      for await (const value of mapBounded(source(), options, async (item) => item)) seen.push(value);
    };
    await expect(read()).rejects.toThrow("no more rows");
    expect(seen).toEqual([1]);
  });

  it("ends its source and tells its work when the consumer leaves (I2)", async () => {
    const { source, items } = startSource(10);
    let stopping: AbortSignal | undefined;
    const values = mapBounded(items, options, async (item, _index, signal) => {
      stopping = signal;
      return item;
    });
    for await (const value of values) if (value === 0) break;
    await settled();
    expect(source.isEnded).toBe(true);
    expect(stopping?.aborted).toBe(true);
  });

  it("rejects with the signal's reason while a source or work never answers (I2)", async () => {
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) };
    const left = new AbortController();
    const reading = collect(
      mapBounded(silent as AsyncIterable<number>, { ...options, signal: left.signal }, async (item) => item),
    );
    await settled();
    left.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });

  it("ends at once for an empty source", async () => {
    expect(await collect(mapBounded([], options, async () => 1))).toEqual([]);
  });
});
