// Notes for the audit log about refused results: a task's second result, which was not stored because another attempt, here
// or on another host, had ended the task. Owns the rule which refusals are noted; results.ts rejects the second result.
import type { Logger } from "../../base/index.ts";
import type { Audit, Result, TaskAddress } from "../../protocol/index.ts";
import type { ResultStore } from "../stores/results.ts";

/**
 * Makes the function that takes each refused result. It never throws, and its caller does not wait for the note. Two
 * ordinary refusals are not noted: the end of an attempt whose task was cancelled, and the repetition of an append whose
 * acknowledgement was lost (then the stored result is the same).
 */
export function createRefusedNotes({
  results,
  audit,
  log,
}: {
  results: Pick<ResultStore, "read">;
  audit?: Audit | undefined;
  log: Logger;
}): (at: TaskAddress, refused: Result) => void {
  async function note({ taskId, capability }: TaskAddress, refused: Result, write: Audit): Promise<void> {
    const stored = (await results.read(taskId))?.result ?? null;
    if (stored?.status === "cancelled" || (stored !== null && isSame(stored, refused))) return;
    const standing = stored === null ? null : factsOf(stored);
    write({ kind: "result-refused", facts: { taskId, capability, refused: factsOf(refused), standing } });
  }

  return (at, refused) => {
    if (audit === undefined || refused.status === "cancelled") return;
    note(at, refused, audit).catch((error: unknown) =>
      log.info(
        { err: error, taskId: at.taskId },
        "refused result not noted: the stored result cannot be read",
      ),
    );
  };
}

function factsOf({ status, attempt, agent, finishedAt }: Result) {
  return { status, attempt, agent, finishedAt };
}

function isSame(one: Result, other: Result): boolean {
  return JSON.stringify(factsOf(one)) === JSON.stringify(factsOf(other));
}
