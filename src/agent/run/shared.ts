// `ctx.shared` of one attempt: the shared values of the workflow that the task is a step of.
import { checkPlainData, type Json, NO_SCOPE, SwarmError } from "../../protocol/index.ts";
import type { AgentShared } from "../define/context.ts";
import type { SharedEntry, SharedPort } from "../ports/shared.ts";

/** The most tries of `update` while others change the value. Each loses to a change of another writer, so progress is made. */
const MAX_UPDATE_TRIES = 16;

/** Makes `ctx.shared`. */
export function createShared(parts: {
  readonly port: SharedPort | undefined;
  readonly agentId: string;
  readonly task: { readonly id: string; readonly scope: string };
  /** Waits as `ctx.waitFor` does. */
  readonly wait: <T>(promise: Promise<T>) => Promise<T>;
}): AgentShared {
  const { agentId, task, wait } = parts;

  function portOf(): SharedPort {
    if (task.scope === NO_SCOPE)
      throw new SwarmError(
        "invalid_input",
        `task ${task.id} is no step of a workflow, so it has no shared values; ctx.shared is for the steps of a run`,
        { field: "scope" },
      );
    if (parts.port !== undefined) return parts.port;
    throw new SwarmError("unavailable", `the host of agent ${agentId} gives its agents no shared values`);
  }

  const place = (name: string) => ({ workflowId: task.scope, name, task: task.id });

  async function get<T>(name: string): Promise<{ value: T; revision: number } | null> {
    const found: SharedEntry | null = await wait(portOf().get(place(name)));
    return found as { value: T; revision: number } | null;
  }

  async function set(name: string, value: unknown, { revision }: { revision?: number | undefined } = {}) {
    const port = portOf();
    checkPlainData(value, `shared value ${name}`);
    return wait(port.set({ ...place(name), value: value as Json, revision, agent: agentId }));
  }

  return {
    get,
    set,
    async update<T>(name: string, change: (value: T | undefined) => T) {
      for (let tries = 1; ; tries++) {
        const found = await get<T>(name);
        const value = change(found?.value);
        try {
          const { revision } = await set(name, value, { revision: found?.revision ?? 0 });
          return { value, revision };
        } catch (error) {
          const isOutrun = error instanceof SwarmError && error.code === "conflict";
          if (!isOutrun || tries >= MAX_UPDATE_TRIES) throw error;
        }
      }
    },
  };
}
