// A limit for answers so large that the blob store holds their results. Each of them may take 64 MiB of memory, even if the
// decider counts little of it, so only a few are fetched at a time.
import type { Blobs } from "../../../transport/index.ts";

/** The most large answers that are being fetched at a time: together at most 128 MiB. */
export const MAX_FETCHING = 2;

/** Wraps a blob store: at most {@link MAX_FETCHING} calls of `get` run at a time, and the others wait in order. */
export function limitFetches(blobs: Blobs): Blobs {
  const waiting: (() => void)[] = [];
  let fetching = 0;
  return {
    ttlMs: blobs.ttlMs,
    put: (data) => blobs.put(data),
    renew: (reference) => blobs.renew(reference),
    async get(reference) {
      if (fetching >= MAX_FETCHING) await new Promise<void>((resolve) => waiting.push(resolve));
      else fetching++;
      try {
        return await blobs.get(reference);
      } finally {
        // Pass the place on directly, so that a new caller cannot take it before the next waiting one.
        const next = waiting.shift();
        if (next === undefined) fetching--;
        else next();
      }
    },
  };
}
