// The shared values of workflows through the front door, for a host whose user may touch its own subjects only: the api process checks that
// the caller's class has a task in the run, and proves the author.
import { z } from "zod";
import { type Json, parse } from "../../protocol/index.ts";
import type { DoorCaller } from "./caller.ts";

/** The longest wait for an api process, in ms: longer than the election of a stream's leader (4–9 s). */
const SHARED_TIMEOUT_MS = 15_000;

const shownSchema = z.object({
  value: z.custom<Json>((value) => value !== undefined).nullable(),
  revision: z.int(),
});
const setSchema = z.object({ revision: z.int() });

/** The shared values, as the user of `door` may touch them: of the run that its task belongs to. */
export function createDoorShared(door: Pick<DoorCaller, "call">) {
  const call = (operation: string, input: object) =>
    door.call(operation, input, { timeoutMs: SHARED_TIMEOUT_MS });
  return {
    async get({ workflowId: id, name, task }: { workflowId: string; name: string; task: string }) {
      const shown = parse(
        shownSchema,
        await call("workflow-shared-show", { id, name, task }),
        "shared value",
      );
      return shown.revision === 0 ? null : { value: shown.value, revision: shown.revision };
    },
    async set(write: {
      workflowId: string;
      name: string;
      value: Json;
      revision?: number | undefined;
      task: string;
    }) {
      const { workflowId: id, name, value, revision, task } = write;
      const input = { id, name, value, task, ...(revision === undefined ? {} : { revision }) };
      return parse(setSchema, await call("workflow-shared-set", input), "shared value");
    },
  };
}
