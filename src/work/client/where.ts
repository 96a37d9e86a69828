// Asks the hosts, and for an open ballot the office, for the running attempt of a task.
import {
  decode,
  encode,
  HEADERS,
  parse,
  type Subjects,
  type WhereReply,
  whereReplySchema,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** How long hosts have to report a running attempt, in ms. They answer from memory, so a network round trip is enough. */
const HOST_REPLY_TIMEOUT_MS = 150;

/** The running attempt of a task, or null when no process reports one in time. */
export async function findAttempt(
  { transport, subjects }: { transport: Transport; subjects: Subjects },
  taskId: string,
): Promise<WhereReply | null> {
  const options = { timeoutMs: HOST_REPLY_TIMEOUT_MS, max: 1 };
  const [reply] = await transport.bus.scatter(subjects.where(taskId), encode({}), options);
  if (reply === undefined) return null;
  const { value } = decode(reply.data, reply.header(HEADERS.contentType));
  return parse(whereReplySchema, value, "where reply");
}
