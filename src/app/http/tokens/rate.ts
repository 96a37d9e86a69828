// How many requests a token may send: a bucket for each, which fills at its rate and holds one second of it.

/** The least size of a bucket: a page of the console asks for several things at once. */
const MIN_BURST = 10;
/** The most buckets: as many as a file has tokens. Names come from the file, so that only a changed file can add more. */
const MAX_BUCKETS = 10_000;

/** A bucket: the requests that are left, and the time at which that was so. */
export interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

/** Takes one request from a bucket. `waitMs` is 0 for an allowed request, else the time until the next one is. Pure. */
export function takeOne(
  bucket: Bucket | undefined,
  ratePerSecond: number,
  nowMs: number,
): { bucket: Bucket; waitMs: number } {
  const size = Math.max(MIN_BURST, ratePerSecond);
  const filled =
    bucket === undefined
      ? size
      : Math.min(size, bucket.left + (Math.max(0, nowMs - bucket.atMs) / 1_000) * ratePerSecond);
  if (filled >= 1) return { bucket: { left: filled - 1, atMs: nowMs }, waitMs: 0 };
  return { bucket: { left: filled, atMs: nowMs }, waitMs: Math.ceil(((1 - filled) / ratePerSecond) * 1_000) };
}

/** The buckets of all tokens in this process. */
export class RateLimits {
  readonly #buckets = new Map<string, Bucket>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Takes one request of a token. 0: it may go on; else the time to wait, in ms. */
  take({ name, ratePerSecond }: { name: string; ratePerSecond: number }): number {
    if (this.#buckets.size >= MAX_BUCKETS && !this.#buckets.has(name)) this.#buckets.clear();
    const { bucket, waitMs } = takeOne(this.#buckets.get(name), ratePerSecond, this.#nowMs());
    this.#buckets.set(name, bucket);
    return waitMs;
  }
}
