// Reads the trails of tasks through the front door, and trims the journals of ended ones, for a host whose user may touch its own subjects
// only.

import { z } from "zod";
import { journalRecordSchema, parse } from "../../protocol/index.ts";
import type { JournalTrimmer, TrailReader } from "../ports.ts";
import type { DoorCaller } from "./caller.ts";

/** The longest wait for an api process, in ms: longer than the election of a stream's leader (4–9 s). Then JetStream redelivers the task. */
const TRAIL_TIMEOUT_MS = 15_000;

/** The longest wait for an api process that removes records, in ms: the end of the task is stored, and its slot waits. */
const TRIM_TIMEOUT_MS = 5_000;

const replySchema = z.object({
  records: z.array(z.object({ seq: z.int(), record: journalRecordSchema })),
  places: z
    .object({
      placed: z.array(z.object({ name: z.string(), handOff: z.int() })),
      isLater: z.boolean(),
      isQueued: z.boolean(),
    })
    .nullable(),
});

/** The reader of the user of `door`. Its methods also throw `not_permitted`, for a capability that is not the user's. */
export function createDoorTrailReader(door: Pick<DoorCaller, "call">): TrailReader {
  const ask = async (input: object) =>
    parse(
      replySchema,
      await door.call("journal-read", input, { timeoutMs: TRAIL_TIMEOUT_MS }),
      "trail of a task",
    );
  return {
    records: async ({ capability, taskId }) => (await ask({ capability, task: taskId })).records,
    async places({ capability, taskId, priority, scope }) {
      const { places } = await ask({ capability, task: taskId, places: { priority, scope } });
      return places ?? { placed: [], isLater: false, isQueued: false };
    },
  };
}

/** The trimmer of the user of `door`. */
export function createDoorTrimmer(door: Pick<DoorCaller, "call">): JournalTrimmer {
  return {
    async trim({ capability, taskId: task }) {
      await door.call("journal-trim", { capability, task }, { timeoutMs: TRIM_TIMEOUT_MS });
    },
  };
}
