// A stand-in for the office, for tests of hosts that act on its choices.
import {
  createSubjects,
  decode,
  encode,
  HEADERS,
  type PlaceReply,
  type PlaceRequest,
  placeRequestSchema,
  readPlacement,
  SwarmError,
  toSwarmError,
} from "../../src/protocol/index.ts";
import type { Stored, Transport } from "../../src/transport/index.ts";
import { errorReply } from "../../src/work/index.ts";

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
    [HEADERS.returned]: String(stored.seq),
  };
  const subject = subjects.task({ capability, priority, scope, taskId });
  try {
    await transport.log("tasks").append(subject, stored.data, { headers });
    return true;
  } catch (error) {
    if (toSwarmError(error).code !== "conflict") throw error;
    const queued = await transport.log("tasks").last(subject, { fresh: true });
    return queued?.header(HEADERS.returned) === String(stored.seq);
  }
}

/** Reclaims a placed task from its agent: publishes it to its queue, then deletes the placed message. */
export async function bringBack(transport: Transport, stored: Stored): Promise<void> {
  if (!(await publishBack(transport, stored))) throw new Error("the hand-over of the task has not ended yet");
  await transport.log("tasks").delete(stored.seq);
}
