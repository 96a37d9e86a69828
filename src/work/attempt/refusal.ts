// Notes for the audit log that a task's second result was refused: another attempt, here or elsewhere, had ended it. Owns
// telling that from what only looks like it; that nothing becomes of the second result is outcome.ts.
import type { Logger } from "../../base/index.ts";
import type { Audit, Result, TaskAddress } from "../../protocol/index.ts";
import type { ResultStore } from "../stores/outcome.ts";

/**
 * Makes what takes a refused result. It never throws and nobody waits for it. Not noted is what is ordinary: of a cancelled
 * task the end of its attempt, and of an append that was repeated because its acknowledgement was lost its own result.
 */
export function createRefusedNotes({
  outcomes,
  audit,
  log,
}: {
  outcomes: Pick<ResultStore, "read">;
  audit: Audit | undefined;
  log: Logger;
}): (at: TaskAddress, refused: Result) => void {
  async function note({ taskId, capability }: TaskAddress, refused: Result, noteIt: Audit): Promise<void> {
    const standing = (await outcomes.read(taskId))?.result ?? null;
    if (standing?.status === "cancelled" || (standing !== null && isSame(standing, refused))) return;
    const facts = {
      taskId,
      capability,
      refused: factsOf(refused),
      standing: standing === null ? null : factsOf(standing),
    };
    noteIt({ kind: "result-refused", facts });
  }

  return (at, refused) => {
    if (audit === undefined || refused.status === "cancelled") return;
    note(at, refused, audit).catch((error: unknown) =>
      log.info({ err: error, taskId: at.taskId }, "a result was refused, and which one stands is not known"),
    );
  };
}

function factsOf({ status, attempt, agent, finishedAt }: Result) {
  return { status, attempt, agent, finishedAt };
}

function isSame(one: Result, other: Result): boolean {
  return JSON.stringify(factsOf(one)) === JSON.stringify(factsOf(other));
}
