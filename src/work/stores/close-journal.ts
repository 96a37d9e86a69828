// Closes the journal of a task whose end is stored already, so a failure must not fail the end: it is logged.
import type { Logger } from "../../base/index.ts";
import type { HistoryFold, LastAttempt } from "./history.ts";
import type { Journal } from "./journal.ts";

/** Closes the journal of an ended task. Never rejects: after a failure the records stay until the sweep (sweep.ts). */
export async function closeQuietly(
  { journal, log }: { journal: Pick<Journal, "close">; log: Logger },
  { capability, taskId }: { capability: string; taskId: string },
  last: LastAttempt,
  finishedAtMs: number,
  known?: HistoryFold,
): Promise<void> {
  try {
    await journal.close(capability, taskId, last, finishedAtMs, known);
  } catch (error) {
    log.warn(
      { err: error, taskId, capability },
      "journal of an ended task not closed; its records stay until the sweep",
    );
  }
}
