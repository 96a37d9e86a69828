// The front door's work for a host whose user may touch its own subjects only: the parts of the worker that need more rights.
import type { HostDoor } from "../ports.ts";
import { createDoorCaller } from "./caller.ts";
import { createDoorLaterStore } from "./later.ts";
import { createDoorShared } from "./shared.ts";
import { createDoorTrailReader, createDoorTrimmer } from "./trail.ts";

/** Makes the door of one host, over the connection of its user. */
export function createHostDoor(
  parts: Parameters<typeof createDoorCaller>[0],
): HostDoor & { readonly shared: ReturnType<typeof createDoorShared> } {
  const caller = createDoorCaller(parts);
  return {
    trail: createDoorTrailReader(caller),
    later: createDoorLaterStore(caller),
    trimmer: createDoorTrimmer(caller),
    shared: createDoorShared(caller),
  };
}
