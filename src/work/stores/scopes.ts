// Cancelled scopes, and cancelled steps of workflows: a bucket with one mark for each. A host reads the mark by its key when a task of a scope
// starts, and the broadcast stops the tasks that run: so a host needs no right to list the scopes, or to follow them.
import { type Clock, dropOldest, toIsoTime, utf8Bytes } from "../../base/index.ts";
import { NO_SCOPE } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** Marks a scope as cancelled, for good: the mark outlives every task that could still belong to the scope. */
export async function markScope(transport: Transport, scope: string, nowMs: number): Promise<void> {
  await transport.bucket("cancelled").put(scope, utf8Bytes(JSON.stringify({ at: toIsoTime(nowMs) })));
}

/** True when the scope was cancelled; reads the bucket. @throws SwarmError `unavailable`. */
export async function isScopeMarked(transport: Transport, scope: string): Promise<boolean> {
  return scope !== NO_SCOPE && (await transport.bucket("cancelled").get(scope)) !== null;
}

/** The key of the mark of a task. The key of a scope is one token, so the two never meet. */
const keyOfTask = (taskId: string) => `task.${taskId}`;

/**
 * Marks one task as cancelled, although its host stores the result: the host may die before, and then the host that gets the redelivery
 * reads the mark, and ends the task without a further attempt.
 */
export async function markTask(
  transport: Pick<Transport, "bucket">,
  taskId: string,
  nowMs: number,
): Promise<void> {
  await transport
    .bucket("cancelled")
    .put(keyOfTask(taskId), utf8Bytes(JSON.stringify({ at: toIsoTime(nowMs) })));
}

/** True when the task has a mark of its own; reads the bucket. @throws SwarmError `unavailable`. */
export async function isTaskMarked(transport: Pick<Transport, "bucket">, taskId: string): Promise<boolean> {
  return (await transport.bucket("cancelled").get(keyOfTask(taskId))) !== null;
}

/**
 * How long a host starts tasks of a scope without another look for its mark, in ms. The steps of a workflow share one scope, and each look
 * costs a read. The broadcast of a cancel ends this time at once, so the bound counts only when a broadcast was lost.
 */
const UNMARKED_MS = 1_000;
/** The most scopes that a host remembers, some 100 bytes each. */
const MAX_UNMARKED = 10_000;

/**
 * The marks of scopes as one host sees them.
 *
 * M1  A read that began before a broadcast says nothing about the time after it, so its answer is not remembered.
 */
export class ScopeMarks {
  readonly #transport: Transport;
  readonly #clock: Clock;
  /** The scopes that had no mark, with the time until which no look is needed. */
  readonly #unmarked = new Map<string, number>();
  #broadcasts = 0;

  constructor(parts: { transport: Transport; clock: Clock }) {
    this.#transport = parts.transport;
    this.#clock = parts.clock;
  }

  /** True when the scope was cancelled; a promise when the host must read the mark. @throws SwarmError `unavailable`. */
  isMarked(scope: string): boolean | Promise<boolean> {
    return (this.#unmarked.get(scope) ?? 0) > this.#clock.now() ? false : this.#look(scope);
  }

  async #look(scope: string): Promise<boolean> {
    const broadcasts = this.#broadcasts;
    const isMarked = await isScopeMarked(this.#transport, scope);
    if (!isMarked && broadcasts === this.#broadcasts) {
      this.#unmarked.delete(scope); // the newest last, so that the oldest are dropped
      this.#unmarked.set(scope, this.#clock.now() + UNMARKED_MS);
      dropOldest(this.#unmarked, MAX_UNMARKED);
    }
    return isMarked;
  }

  /** A broadcast told that a scope was cancelled; without a scope: broadcasts may have been lost. */
  forget(scope?: string): void {
    this.#broadcasts++; // M1
    if (scope === undefined) this.#unmarked.clear();
    else this.#unmarked.delete(scope);
  }
}
