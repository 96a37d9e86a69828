// The names of the consumers on the task stream: one for each capability and priority, and one for each host that takes
// placed tasks.
import type { Priority } from "../../protocol/index.ts";

/** The consumer of one capability's queue at one priority: `<capability>-<priority>`. */
export function queueConsumer(capability: string, priority: Priority): string {
  return `${capability}-${priority}`;
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
  return `placed-${hostId}`;
}
