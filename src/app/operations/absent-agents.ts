// The news that no agent takes a task, while its caller waits for the result. A task waits for an agent without an error, so that
// the caller would learn nothing from it. Best effort.
import { sleep } from "../../base/index.ts";
import type { AgentStatus, Task } from "../../protocol/index.ts";
import { listAgents } from "../agents/roster.ts";
import type { BallotNews } from "./ballot-news.ts";
import { yieldReports } from "./event-queue.ts";
import type { OperationContext } from "./operation.ts";

/** The time before the look, in ms: most tasks have ended by then, and a look costs a read of the office. */
const LOOK_AFTER_MS = 150;

/** Runs `work`, which ends with the task, and yields one piece of news when no agent takes the task's capability. */
export async function* noteAbsence<T>(
  { transport }: OperationContext,
  task: Task,
  work: () => Promise<T>,
): AsyncGenerator<BallotNews, T> {
  const ended = new AbortController();
  try {
    return yield* yieldReports<BallotNews, T>((report) => {
      if (task.notBefore === undefined) {
        sleep(LOOK_AFTER_MS, { signal: ended.signal })
          .then(() => listAgents(transport))
          .then((agents) => {
            const reason = describeAbsence(agents, task.capability);
            if (reason !== undefined && !ended.signal.aborted) report({ kind: "waits-for-agents", reason });
          })
          .catch(() => undefined); // The task is submitted, and a look that fails says nothing about it.
      }
      return work();
    });
  } finally {
    ended.abort();
  }
}

/** Why no agent takes tasks of a capability now; undefined when one does. */
export function describeAbsence(agents: readonly AgentStatus[], capability: string): string | undefined {
  const able = agents.filter(
    ({ capabilities, state }) =>
      capabilities.includes(capability) && state !== "stopped" && state !== "failed",
  );
  if (able.length === 0) {
    return `no agent of ${capability} runs now; the task waits for one (murmur agent ls lists the agents)`;
  }
  const idle = able.filter(({ state }) => state === "paused" || state === "draining");
  if (idle.length < able.length) return undefined;
  const states = idle.map(({ id, state }) => `${id} is ${state}`);
  const shown = states.slice(0, 3).join(", ");
  const more = states.length > 3 ? ` and ${states.length - 3} more` : "";
  return `no agent of ${capability} takes work now (${shown}${more}); the task waits`;
}
