// The names of the consumers: one for each capability and priority on the task stream, and one for each host on the stream of
// the tasks that are placed on its class.
import { createSubjects, isName, PRIORITIES, type Priority, type Subjects } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** The consumer of one capability's queue at one priority: `<capability>-<priority>`. */
export function queueConsumer(capability: string, priority: Priority): string {
  return `${capability}-${priority}`;
}

/** The consumers of one capability: its queues, most urgent first. */
export function queueConsumersOf(
  subjects: Subjects,
  capability: string,
): { name: string; filter: string; priority: Priority }[] {
  return PRIORITIES.map((priority) => ({
    name: queueConsumer(capability, priority),
    filter: subjects.filters.tasks(capability, priority),
    priority,
  }));
}

/** The capability that a consumer's name (`<capability>-<priority>`) belongs to. */
export function capabilityOfConsumer(consumer: string): string {
  return consumer.slice(0, consumer.lastIndexOf("-"));
}

/** True for the filter of a queue's consumer, and false for the filter of a host's placed tasks. */
export function isQueueFilter(prefix: string, filter: string): boolean {
  return filter.startsWith(`${prefix}.task.`);
}

/** The consumer of the tasks that were placed on the agents of one host. */
export function placedConsumer(hostId: string): string {
  return `${PLACED}${hostId}`;
}

/** The host of such a consumer, from its name; null for every other name. */
export function hostOfConsumer(name: string): string | null {
  const host = name.startsWith(PLACED) ? name.slice(PLACED.length) : "";
  return isName(host) ? host : null;
}

const PLACED = "placed-";

/** The log line of a process that may not make its consumers; its facts are `missing` and `command`. */
export const MISSING_CONSUMERS = "waiting for missing consumers; the command makes them";

/** The command that makes these queue consumers, for people. */
export function commandForConsumers(names: readonly string[]): string {
  const capabilities = [...new Set(names.map(capabilityOfConsumer))].sort();
  return `murmur init --capabilities ${capabilities.join(",")}`;
}

/** Creates the missing queue consumers of these capabilities, and leaves an existing one as it is. @throws SwarmError `unavailable`. */
export async function createQueueConsumers(
  transport: Transport,
  capabilities: readonly string[],
): Promise<{
  created: string[];
  verified: string[];
  /** The consumers of another filter: they deliver other tasks. */
  different: { name: string; expected: string; found: string }[];
}> {
  const subjects = createSubjects(transport.prefix);
  const queue = transport.queue("tasks");
  const filters = new Map((await queue.consumers()).map(({ name, filter }) => [name, filter]));
  const [created, verified]: [string[], string[]] = [[], []];
  const different: { name: string; expected: string; found: string }[] = [];
  for (const capability of new Set(capabilities)) {
    for (const { name, filter } of queueConsumersOf(subjects, capability)) {
      const found = filters.get(name);
      if (found === filter) verified.push(name);
      else if (found !== undefined) different.push({ name, expected: filter, found });
      else {
        await queue.consumer({ name, filter });
        created.push(name);
      }
    }
  }
  return { created, verified, different };
}
