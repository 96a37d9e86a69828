// Reads a stream backwards, for lists of tasks. NATS reads only forwards, so this file reads windows of sequences, the last first.
import type { Log, Stored } from "../../transport/index.ts";

/** The messages of one window: as many as one page of the transport, and at most 128 MiB of bodies. */
const WINDOW_MESSAGES = 256;
/** The widest window, in sequences. NATS skips the messages of other subjects fast, but each window is one answer. */
const MAX_WINDOW = 1_000_000;

/**
 * Yields the messages whose subjects fit one of the filters and whose sequence is below `belowSeq` (default: all), the newest
 * first, in batches of at most {@link WINDOW_MESSAGES} for each filter. @throws SwarmError `unavailable`.
 */
export async function* readNewest(
  log: Log,
  filters: readonly string[],
  belowSeq = Number.POSITIVE_INFINITY,
): AsyncGenerator<Stored[], void> {
  const { firstSeq, lastSeq, messages } = await log.info();
  if (messages === 0) return;
  let endSeq = Math.min(belowSeq, lastSeq + 1);
  for (let window = WINDOW_MESSAGES; endSeq > firstSeq; ) {
    let fromSeq = Math.max(firstSeq, endSeq - window);
    const parts = await Promise.all(filters.map((filter) => readWindow(log, filter, fromSeq, endSeq)));
    // A filter whose older messages were left out ends the batch at its oldest: the next window reads them.
    fromSeq = Math.max(fromSeq, ...parts.map(({ isCut, found }) => (isCut ? found[0]!.seq : fromSeq)));
    const batch = parts
      .flatMap(({ found }) => found)
      .filter(({ seq }) => seq >= fromSeq)
      .sort((a, b) => b.seq - a.seq);
    if (batch.length > 0) yield batch;
    endSeq = fromSeq;
    // A sparse stretch is crossed in growing steps, a dense one in steps of one page.
    window = batch.length < WINDOW_MESSAGES / 4 ? Math.min(MAX_WINDOW, window * 4) : WINDOW_MESSAGES;
  }
}

/** The newest messages of one window, the oldest first. `isCut`: older ones of the window are left out. */
async function readWindow(log: Log, filter: string, fromSeq: number, endSeq: number) {
  const found: Stored[] = [];
  let isCut = false;
  for await (const stored of log.read({ filter, fromSeq, limit: endSeq - fromSeq })) {
    if (stored.seq >= endSeq) break;
    found.push(stored);
    if (found.length <= WINDOW_MESSAGES) continue;
    found.shift();
    isCut = true;
  }
  return { found, isCut };
}
