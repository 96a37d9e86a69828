// Large bodies in memory.

import { SwarmError } from "../../protocol/index.ts";
import { blobHash, refuseOversize, verifyBlob } from "../blob-checks.ts";
import type { Blobs } from "../ports.ts";

/** A blob with the time of its latest `put`. */
export interface StoredBlob {
  readonly data: Uint8Array;
  readonly storedAtMs: number;
}

/** The blobs of one swarm. `open` returns the store, or throws when `init` has not created it. */
export function createMemoryBlobs(options: {
  open: () => Map<string, StoredBlob>;
  ttlMs: number;
  now: () => number;
}): Blobs {
  const { open, ttlMs, now } = options;
  return {
    async put(data) {
      refuseOversize(data.length);
      const $blob = blobHash(data);
      open().set($blob, { data: new Uint8Array(data), storedAtMs: now() });
      return { $blob, bytes: data.length };
    },
    async get(ref) {
      const stored = open().get(ref.$blob);
      if (stored === undefined || (ttlMs > 0 && now() - stored.storedAtMs >= ttlMs))
        throw new SwarmError("not_found", `blob ${ref.$blob} is not stored; it may have expired`);
      verifyBlob(ref, stored.data);
      return stored.data;
    },
  };
}
