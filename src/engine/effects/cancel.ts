// Cancels the task of a step whose end the run no longer needs.
// C1  A task that a host has ends with the host's own result, after its code has ended. The engine stores `cancelled` only for a task that
//     no host has.
// C2  The engine never marks the scope: a marked scope would refuse the compensations.
// C3  A result says that the step never started only when that is proven: its message left the queue, and the consumer of the queue has not
//     come as far as the message.
import { type Clock, sleep, toIsoTime } from "../../base/index.ts";
import { encode, fitsFilter, HEADERS, type Result, type Subjects } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { purgePlaced, type TaskClient } from "../../work/index.ts";
import { storeResult } from "./results.ts";

/** The looks for a host that has just got the task and does not answer yet. */
const LOOKS = 3;
/** The pause between two looks, in ms. */
const HOST_LOOK_PAUSE_MS = 200;

/** The parts of a cancel. */
export interface CancelParts {
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly tasks: Pick<TaskClient, "locate" | "findRunning" | "findBallot" | "cancel">;
}

/** Cancels the task of a step. Safe to repeat. @throws SwarmError `unavailable`. */
export async function cancelStep(
  parts: CancelParts,
  { taskId, capability, scope }: { taskId: string; capability: string; scope: string },
): Promise<void> {
  const { transport, subjects, clock, tasks } = parts;
  const tell = () => transport.bus.publish(subjects.cancel(scope, taskId), encode({}));
  tell();
  let wasDelivered = true;
  for (let look = 1; ; look++) {
    const found = await tasks.locate(taskId);
    if (found?.place === "result") return;
    if (found === null) {
      if ((await tasks.findBallot(taskId)) !== null) return tasks.cancel(taskId);
      break; // An earlier try removed it, or it was never published.
    }
    if (found.place === "queue" && found.placement === undefined) {
      if (!(await isDelivered(parts, found.stored))) {
        const removed = await transport.log("tasks").purge({ filter: found.stored.subject });
        wasDelivered = removed === 0 || (await isDelivered(parts, found.stored)); // C3
        if (removed > 0 && !wasDelivered) break;
      }
    }
    if ((await tasks.findRunning(taskId, found)) !== null) {
      tell(); // C1
      return;
    }
    if (look >= LOOKS) break;
    await sleep(HOST_LOOK_PAUSE_MS, { clock });
  }
  const at = toIsoTime(clock.now());
  const result: Result = {
    taskId,
    status: "cancelled",
    error: { code: "cancelled", message: "the workflow no longer needs this step", retryable: false },
    attempt: 0,
    agent: "-",
    startedAt: at,
    finishedAt: at,
    queuedMs: 0,
    ranMs: 0,
  };
  await storeResult(transport, {
    subject: subjects.result(capability, scope, taskId),
    result,
    ...(wasDelivered ? {} : { headers: { [HEADERS.neverStarted]: "1" } }),
  });
  const { filters } = subjects;
  await Promise.all([
    transport.log("tasks").purge({ filter: filters.taskById(taskId) }),
    purgePlaced(transport, filters.placedById(taskId)),
    transport.log("later").purge({ filter: filters.laterById(taskId) }),
    transport.log("later").purge({ filter: filters.dueById(taskId) }),
  ]);
  tell();
}

/** True when a consumer has come as far as the message. A queue without a consumer has delivered nothing. */
async function isDelivered(
  { transport }: CancelParts,
  { subject, seq }: { subject: string; seq: number },
): Promise<boolean> {
  const consumers = await transport.queue("tasks").consumers();
  return consumers.some(({ filter, deliveredSeq }) => fitsFilter(filter, subject) && deliveredSeq >= seq);
}
