// Performs work for each item of a source with a bounded number in flight, for the batches of client.ts.
// I1: at most `inFlight` items are taken from the source and not yet taken by the consumer.
// I2: when the consumer leaves, or the signal aborts, the source is ended and the work in progress is told to stop.

/** The options of {@link mapBounded}. */
export interface BoundedOptions {
  inFlight: number;
  /** True: values come in the order of the source. */
  ordered: boolean;
  signal: AbortSignal;
}

/**
 * Yields the value of `work` for each item. `work` must not reject for a fault of one item.
 * @throws the source's error, after the values of the items in flight; an error of `work`; the signal's reason.
 */
export async function* mapBounded<Item, Value>(
  source: Iterable<Item> | AsyncIterable<Item>,
  { inFlight, ordered, signal }: BoundedOptions,
  work: (item: Item, index: number, signal: AbortSignal) => Promise<Value>,
): AsyncGenerator<Value, void> {
  const iterator = iterate(source);
  const leaving = new AbortController();
  const stopping = AbortSignal.any([signal, leaving.signal]);
  const finished = new Map<number, Value>();
  let failure: { error: unknown } | undefined;
  let sourceFailure: { error: unknown } | undefined;
  let isPulling = false;
  let isAtEnd = false;
  let pulled = 0;
  let yielded = 0;
  let wake = () => {};
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort, { once: true });

  const perform = async (item: Item, index: number) => {
    try {
      finished.set(index, await work(item, index, stopping));
    } catch (error) {
      failure ??= { error };
    }
    wake();
  };
  const pull = async () => {
    isPulling = true;
    try {
      const step = await iterator.next();
      if (step.done === true) isAtEnd = true;
      else void perform(step.value, pulled++);
    } catch (error) {
      sourceFailure = { error };
      isAtEnd = true;
    }
    isPulling = false;
    wake();
  };
  const takeNext = (): number | undefined => {
    if (!ordered) return finished.keys().next().value;
    return finished.has(yielded) ? yielded : undefined;
  };

  try {
    for (;;) {
      signal.throwIfAborted();
      if (failure !== undefined) throw failure.error;
      const next = takeNext();
      if (!isAtEnd && !isPulling && pulled - yielded < inFlight) void pull(); // I1
      if (next !== undefined) {
        const value = finished.get(next) as Value;
        finished.delete(next);
        yielded++;
        yield value;
        continue;
      }
      if (isAtEnd && pulled === yielded) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (sourceFailure !== undefined) throw sourceFailure.error;
  } finally {
    signal.removeEventListener("abort", onAbort);
    leaving.abort(); // I2
    // A source that never answers must not hold the consumer.
    if (!isAtEnd) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

function iterate<Item>(source: Iterable<Item> | AsyncIterable<Item>): AsyncIterator<Item> | Iterator<Item> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}
