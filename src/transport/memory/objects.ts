// Named large bodies in memory.
import { readBody } from "../object-body.ts";
import type { Objects } from "../ports.ts";
import type { StoredBlob } from "./blobs.ts";

/** The objects of one swarm. `open` returns the store, or throws when `init` has not created it. */
export function createMemoryObjects(options: {
  open: () => Map<string, StoredBlob>;
  now: () => number;
}): Objects {
  const { open, now } = options;
  return {
    async put(name, data) {
      const { pieces } = readBody(name, data);
      open().set(name, { data: Buffer.concat(pieces), storedAtMs: now() });
    },
    get: async (name) => open().get(name)?.data ?? null,
    names: async () => [...open().keys()],
    async delete(name) {
      open().delete(name);
    },
  };
}
