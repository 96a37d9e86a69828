// Large bodies in an object store (ADR-20) whose object names are hashes, so that equal bodies are stored once.
import { jetstream } from "@nats-io/jetstream";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { sleep } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { blobHash, refuseOversize, verifyBlob } from "../blob-checks.ts";
import type { Blobs } from "../ports.ts";
import type { Link } from "./link.ts";

/** How long one store or read may take: 64 MiB at 2 MiB/s. */
const TIMEOUT_MS = 32_000;
/** One chunk of an object: larger than the client's 128 KiB, because each chunk waits for its acknowledgement. */
const CHUNK_BYTES = 512 * 1024;

/** The stream under an object store. */
export function objectStream(name: string): string {
  return `OBJ_${name}`;
}

/** The blobs in the object store named `name`; objects live for `ttlMs` after they were stored. */
export function createNatsBlobs(link: Link, name: string, ttlMs: number): Blobs {
  let opening: Promise<ObjectStore> | undefined;
  const open = () => {
    opening ??= new Objm(jetstream(link.nc)).open(name, true).catch((error: unknown) => {
      opening = undefined; // the next call looks again: `init` may have run meanwhile
      throw error;
    });
    return opening;
  };
  return {
    put: async (data) => {
      refuseOversize(data.length);
      const $blob = blobHash(data);
      await runWithin(`store blob ${$blob}`, TIMEOUT_MS, async () => {
        const store = await open();
        const known = await store.info($blob);
        // A blob in the second half of its life is stored anew, so that it outlives the task that names it.
        const ageMs = known === null ? 0 : Date.now() - Date.parse(known.mtime);
        if (known !== null && !known.deleted && known.size === data.length && ageMs < ttlMs / 2) return;
        await store.putBlob({ name: $blob, options: { max_chunk_size: CHUNK_BYTES } }, data);
      });
      return { $blob, bytes: data.length };
    },
    get: async (ref) => {
      const data = await runWithin(`read blob ${ref.$blob}`, TIMEOUT_MS, async () =>
        (await open()).getBlob(ref.$blob),
      );
      if (data === null)
        throw new SwarmError("not_found", `blob ${ref.$blob} is not stored; it may have expired`);
      verifyBlob(ref, data);
      return data;
    },
  };
}

/**
 * Runs `work`, at most `timeoutMs` long.
 * @throws SwarmError what `work` throws as one; `unavailable` for whatever else goes wrong in it.
 */
export async function runWithin<T>(doing: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const enough = new AbortController();
  const timeout = sleep(timeoutMs, { signal: enough.signal }).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([work(), timeout]);
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause;
    throw new SwarmError("unavailable", `${doing}: ${(cause as Error).message}`, { cause });
  } finally {
    timeout.catch(() => undefined);
    enough.abort();
  }
}
