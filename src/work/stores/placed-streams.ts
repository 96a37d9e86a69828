// The streams of placed tasks, one for each agent class, for readers that do not know the class of a task: looks up, purges and
// lists in all of them. A process that knows the class of a task opens the stream of that class by itself.

import { placedKey, type Subjects, SwarmError } from "../../protocol/index.ts";
import type { Log, QueueConsumerInfo, Stored, Transport } from "../../transport/index.ts";
import type { PlacedAt } from "../ports.ts";
import { readPlacedTask } from "./messages.ts";

/** The stream of placed tasks of one class. */
export interface PlacedStream {
  readonly class: string;
  readonly log: Log;
}

/** All streams of placed tasks, in the order of their classes. @throws SwarmError `unavailable`. */
export async function placedStreams(transport: Transport): Promise<PlacedStream[]> {
  const classes = await transport.placedClasses();
  return classes.map((name) => ({ class: name, log: transport.log(placedKey(name)) }));
}

/** The last message that fits the filter in each stream that has one. @throws SwarmError `unavailable`. */
export async function lastPlaced(
  transport: Transport,
  filter: string,
  options: { fresh?: boolean } = {},
): Promise<Stored[]> {
  const streams = await placedStreams(transport);
  const found = await Promise.all(streams.map(({ log }) => log.last(filter, options)));
  return found.filter((stored) => stored !== null);
}

/** Removes the messages that fit the filter from all streams. @throws SwarmError `unavailable`. */
export async function purgePlaced(transport: Transport, filter: string): Promise<void> {
  await Promise.all((await placedStreams(transport)).map(({ log }) => log.purge({ filter })));
}

/** The consumers of the queues and of the placed tasks. Hosts of one name in two classes have consumers of one name. */
export async function allConsumers(transport: Transport): Promise<QueueConsumerInfo[]> {
  const classes = await transport.placedClasses();
  const lists = await Promise.all([
    transport.queue("tasks").consumers(),
    ...classes.map((name) => transport.queue(placedKey(name)).consumers()),
  ]);
  return lists.flat();
}

/**
 * The name of a placed message in the header `Murmur-Returned`, and in message ids: its class and its sequence. Sequences of
 * two streams cannot be compared.
 */
export function placedName(subjects: Subjects, { subject, seq }: { subject: string; seq: number }): string {
  const at = subjects.readPlaced(subject);
  if (at === null) throw new SwarmError("internal", `${subject} is no subject of a placed task`);
  return `${at.class}.${seq}`;
}

/** A placed message of a task, as far as a hand-over needs it. A message that is no placed task counts as the oldest one. */
export function placedAt(subjects: Subjects, stored: Stored): PlacedAt {
  const handOff = readPlacedTask(subjects, stored)?.placement.handOff ?? 0;
  return { name: placedName(subjects, stored), handOff };
}
