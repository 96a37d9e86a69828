// A stand-in for the office, for tests of what hosts do with its choices.
import {
  createSubjects,
  decode,
  encode,
  type Placement,
  type PlaceReply,
  type PlaceRequest,
  placeRequestSchema,
  SwarmError,
} from "../../src/protocol/index.ts";
import type { Stored, Transport } from "../../src/transport/index.ts";
import { errorReply } from "../../src/work/index.ts";

/** Where a task shall go: an agent, or a refusal. */
export type Choice = { host: string; agent: string } | SwarmError;

/** Answers `office.place` with what `choose` says. */
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

/** Takes a placed task away from its agent, as the office does: first to its queue, then out of its place. */
export async function bringBack(transport: Transport, stored: Stored): Promise<void> {
  const subjects = createSubjects(transport.prefix);
  const at = subjects.readPlaced(stored.subject);
  if (at === null) throw new Error(`not placed: ${stored.subject}`);
  const { capability, priority } = JSON.parse(stored.header("Murmur-Placement") ?? "{}") as Placement;
  const { scope, taskId } = at;
  await transport.log("tasks").append(subjects.task({ capability, priority, scope, taskId }), stored.data, {
    headers: {
      "Content-Type": stored.header("Content-Type") ?? "application/json",
      "Murmur-Attempt": "1",
      "Murmur-Returned": String(stored.seq),
    },
  });
  await transport.log("tasks").delete(stored.seq);
}
