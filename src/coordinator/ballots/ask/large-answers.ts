// Answers that are so large that their results stand in the blob store: only so many are fetched at the same time, because
// each may fill 64 MiB, however little of it is counted in the end.
import type { Blobs } from "../../../transport/index.ts";

/** Large answers in memory at the same time, fetched and not read yet: 128 MiB at most. */
export const MAX_FETCHING = 2;

/** The same blobs, of which at most {@link MAX_FETCHING} are fetched at a time; the others wait their turn. */
export function inTurn(blobs: Blobs): Blobs {
  const waiting: (() => void)[] = [];
  let fetching = 0;
  return {
    put: (data) => blobs.put(data),
    async get(reference) {
      if (fetching >= MAX_FETCHING) await new Promise<void>((resolve) => waiting.push(resolve));
      else fetching++;
      try {
        return await blobs.get(reference);
      } finally {
        // Its place goes to the next one, so that nobody who comes meanwhile takes it.
        const next = waiting.shift();
        if (next === undefined) fetching--;
        else next();
      }
    },
  };
}
