// Finds the class of an agent whose id alone is known: the class is a part of the subject of the agent's mailbox. The office
// knows it; without an office, a roll call of the processes tells it (docs/decisions/0019-agent-classes.md).
import type { FindClass } from "../../agent/index.ts";
import { dropOldest } from "../../base/index.ts";
import { createOfficeClient } from "../../coordinator/index.ts";
import { classOf, DEFAULT_CLASS, toSwarmError } from "../../protocol/index.ts";
import { NoSubscriberError, type Transport } from "../../transport/index.ts";
import { callRoll } from "./roll-call.ts";

/** The most agents whose class is remembered: more than one process asks by name, at about 100 bytes each. */
const MAX_FOUND_CLASSES = 10_000;

/**
 * Makes a finder that remembers the answers of the office. A first call asks only the office, so that a swarm of one class
 * waits for no roll call; a repeated call (`isAgain`) asks the office, then the processes.
 */
export function createClassFinder(transport: Transport): FindClass {
  const office = createOfficeClient({ transport });
  const found = new Map<string, string>();

  async function askOffice(agentId: string): Promise<string | undefined> {
    try {
      const shown = await office.readNow("agent", { agent: agentId });
      return shown?.agent === null || shown === null ? undefined : classOf(shown.agent);
    } catch (error) {
      // The agent may have started a moment ago, so the office's "no such agent" is not the last word.
      if (["not_found", "unavailable"].includes(toSwarmError(error).code)) return undefined;
      throw error;
    }
  }

  async function askProcesses(agentId: string): Promise<string | undefined> {
    const agent = (await callRoll(transport)).find(({ id }) => id === agentId);
    return agent === undefined ? undefined : classOf(agent);
  }

  return async (agentId, { isAgain }) => {
    if (isAgain) found.delete(agentId);
    const known = found.get(agentId);
    if (known !== undefined) return known;
    const name = (await askOffice(agentId)) ?? (isAgain ? await askProcesses(agentId) : undefined);
    if (name !== undefined) found.set(agentId, name);
    dropOldest(found, MAX_FOUND_CLASSES);
    return name;
  };
}

/**
 * Makes a request to an agent whose class is not known: first in the class that the office names, or in `default` while none
 * does; when no agent of that class subscribes, in the class that the processes name.
 */
export async function askInClass<T>(
  find: FindClass,
  agentId: string,
  ask: (agentClass: string) => Promise<T>,
): Promise<T> {
  const known = (await find(agentId, { isAgain: false })) ?? DEFAULT_CLASS;
  try {
    return await ask(known);
  } catch (error) {
    if (!(error instanceof NoSubscriberError)) throw error;
    const other = await find(agentId, { isAgain: true });
    if (other === undefined || other === known) throw error;
    return ask(other);
  }
}
