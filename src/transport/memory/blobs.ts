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
  const find = ($blob: string): StoredBlob | undefined => {
    const stored = open().get($blob);
    return stored === undefined || (ttlMs > 0 && now() - stored.storedAtMs >= ttlMs) ? undefined : stored;
  };
  return {
    ttlMs,
    async put(data) {
      refuseOversize(data.length);
      const $blob = blobHash(data);
      open().set($blob, { data: new Uint8Array(data), storedAtMs: now() });
      return { $blob, bytes: data.length };
    },
    async get(ref) {
      const stored = find(ref.$blob);
      if (stored === undefined)
        throw new SwarmError("not_found", `blob ${ref.$blob} is not stored; it may have expired`);
      verifyBlob(ref, stored.data);
      return stored.data;
    },
    async renew(ref) {
      const stored = find(ref.$blob);
      if (stored === undefined) return "missing";
      if (now() - stored.storedAtMs < ttlMs / 2) return "fresh";
      verifyBlob(ref, stored.data);
      open().set(ref.$blob, { data: stored.data, storedAtMs: now() });
      return "renewed";
    },
  };
}
