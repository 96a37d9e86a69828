// Delays tasks through the front door, for a host whose user may not write to the stream of delayed tasks: its subjects name no
// capability, and nats-server allows roll-ups there, so one message could remove all of them.
import { z } from "zod";
import { toIsoTime } from "../../base/index.ts";
import { CONTENT_TYPES, HEADERS, parse } from "../../protocol/index.ts";
import type { LaterStore } from "../ports.ts";
import { DELAYED_HEADERS } from "../stores/later.ts";
import type { DoorCaller } from "./caller.ts";

/** The longest wait for an api process, in ms: longer than the election of a stream's leader (4–9 s). Then JetStream redelivers the task. */
const DELAY_TIMEOUT_MS = 15_000;

const replySchema = z.object({ isStored: z.boolean() });

/** The store of the user of `door`. It also throws `not_permitted`, for a capability that is not the user's. */
export function createDoorLaterStore(door: Pick<DoorCaller, "call">): LaterStore {
  return {
    async store({ capability, priority, scope, taskId: task }, message, dueMs, { attempt } = {}) {
      const headers: Record<string, string> = {
        [HEADERS.contentType]: message.header(HEADERS.contentType) ?? CONTENT_TYPES.json,
      };
      for (const name of DELAYED_HEADERS) {
        const value = message.header(name);
        if (value !== undefined) headers[name] = value;
      }
      const dueAt = toIsoTime(dueMs);
      const input = { capability, task, priority, scope, dueAt, attempt, headers, data: message.data };
      const answer = await door.call("task-delay", input, {
        timeoutMs: DELAY_TIMEOUT_MS,
        encoding: "msgpack",
      });
      return parse(replySchema, answer, "answer about a delayed task").isStored;
    },
  };
}
