// A stand-in for the office, for tests of hosts that act on its choices.
import {
  createSubjects,
  DEFAULT_CLASS,
  decode,
  encode,
  HEADERS,
  type PlaceReply,
  type PlaceRequest,
  placedKey,
  placeRequestSchema,
  readPlacement,
  SwarmError,
  toSwarmError,
} from "../../src/protocol/index.ts";
import type { Log, Stored, Transport } from "../../src/transport/index.ts";
import { errorReply, placedConsumer, placedName } from "../../src/work/index.ts";

/** The office's choice for a task: an agent, or a refusal. */
export type Choice = { host: string; agent: string } | SwarmError;

/** Answers `office.place` with the choice of `choose`. */
export async function openOffice(
  transport: Transport,
  choose: (request: PlaceRequest) => Choice,
): Promise<{ requests: PlaceRequest[]; close(): void }> {
  const requests: PlaceRequest[] = [];
  const subject = createSubjects(transport.prefix).office("place");
  const subscription = transport.bus.subscribe(subject, (message) => {
    const request = placeRequestSchema.parse(decode(message.data).value);
    requests.push(request);
    const choice = choose(request);
    if (choice instanceof SwarmError) {
      const { body, headers } = errorReply(choice, "json");
      message.respond(body, headers);
      return;
    }
    const reply: PlaceReply = { ...choice, score: 1, reasons: [{ what: "named by the test", value: "yes" }] };
    message.respond(encode(reply), { "Content-Type": "application/json" });
  });
  await transport.bus.flush();
  return { requests, close: () => subscription.close() };
}

/**
 * The first half of reclaiming a placed task as the office does it: publishes the task to its queue. False when the message
 * that it was placed from is still in the queue: then the task must stay where it is for now.
 */
export async function publishBack(transport: Transport, stored: Stored): Promise<boolean> {
  const subjects = createSubjects(transport.prefix);
  const at = subjects.readPlaced(stored.subject);
  if (at === null) throw new Error(`not placed: ${stored.subject}`);
  const { capability, priority } = readPlacement(stored.header(HEADERS.placement));
  const { scope, taskId } = at;
  const headers = {
    [HEADERS.contentType]: stored.header(HEADERS.contentType) ?? "application/json",
    [HEADERS.attempt]: "1",
    [HEADERS.returned]: placedName(subjects, stored),
  };
  const subject = subjects.task({ capability, priority, scope, taskId });
  try {
    await transport.log("tasks").append(subject, stored.data, { headers });
    return true;
  } catch (error) {
    if (toSwarmError(error).code !== "conflict") throw error;
    const queued = await transport.log("tasks").last(subject, { fresh: true });
    return queued?.header(HEADERS.returned) === placedName(subjects, stored);
  }
}

/** Reclaims a placed task from its agent: publishes it to its queue, then deletes the placed message. */
export async function bringBack(transport: Transport, stored: Stored): Promise<void> {
  if (!(await publishBack(transport, stored))) throw new Error("the hand-over of the task has not ended yet");
  await placedLog(transport).delete(stored.seq);
}

/** The stream of the tasks placed on the hosts of the class `default`. */
export function placedLog(transport: Transport): Log {
  return transport.log(placedKey(DEFAULT_CLASS));
}

/** Makes the consumer of placed tasks of a host, as the office does it. */
export async function makePlacedConsumer(transport: Transport, host: string): Promise<void> {
  const filter = createSubjects(transport.prefix).filters.placedOnHost({ class: DEFAULT_CLASS, host });
  await transport.queue(placedKey(DEFAULT_CLASS)).consumer({ name: placedConsumer(host), filter });
}

/** The number of stored tasks, queued and placed. */
export async function countTasks(transport: Transport): Promise<number> {
  const infos = await Promise.all([transport.log("tasks").info(), placedLog(transport).info()]);
  return infos.reduce((sum, { messages }) => sum + messages, 0);
}
