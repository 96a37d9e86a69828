// Large bodies in an object store (ADR-20). Each object is named by its hash, so that equal bodies are stored once.
import type { ObjectStore } from "@nats-io/obj";
import { sleep } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { blobHash, refuseOversize, verifyBlob } from "../blob-checks.ts";
import type { Blobs } from "../ports.ts";
import type { Link } from "./link.ts";

/** The time limit of one store or read: 64 MiB at 2 MiB/s. */
const BLOB_TIMEOUT_MS = 32_000;
/** The size of an object's chunk: larger than the client's 128 KiB, because each chunk waits for its acknowledgement. */
const BLOB_CHUNK_BYTES = 512 * 1024;

/** The name of the stream that holds an object store. */
export function objectStream(name: string): string {
  return `OBJ_${name}`;
}

/** The blobs in the object store named `name`; the server drops an object `ttlMs` after it was stored. */
export function createNatsBlobs(link: Link, name: string, ttlMs: number): Blobs {
  let opening: Promise<ObjectStore> | undefined;
  const open = () => {
    opening ??= openStore(link, name).catch((error: unknown) => {
      opening = undefined; // the next call tries again: `init` may have run by then
      throw error;
    });
    return opening;
  };
  return {
    put: async (data) => {
      refuseOversize(data.length);
      const $blob = blobHash(data);
      await runWithin(`store blob ${$blob}`, BLOB_TIMEOUT_MS, async () => {
        const store = await open();
        const existing = await store.info($blob);
        // A blob in the second half of its life is stored again, so that it outlives the task that refers to it.
        const ageMs = existing === null ? 0 : Date.now() - Date.parse(existing.mtime);
        if (existing !== null && !existing.deleted && existing.size === data.length && ageMs < ttlMs / 2)
          return;
        await store.putBlob({ name: $blob, options: { max_chunk_size: BLOB_CHUNK_BYTES } }, data);
      });
      return { $blob, bytes: data.length };
    },
    get: async (ref) => {
      const data = await runWithin(`read blob ${ref.$blob}`, BLOB_TIMEOUT_MS, async () =>
        (await open()).getBlob(ref.$blob),
      );
      if (data === null)
        throw new SwarmError("not_found", `blob ${ref.$blob} is not stored; it may have expired`);
      verifyBlob(ref, data);
      return data;
    },
  };
}

/** Loads the client of object stores at the first blob, because most programs never need one (60 ms of CPU time). */
async function openStore(link: Link, name: string): Promise<ObjectStore> {
  const [{ jetstream }, { Objm }] = await Promise.all([import("@nats-io/jetstream"), import("@nats-io/obj")]);
  return new Objm(jetstream(link.nc)).open(name, true);
}

/**
 * Runs `work` for at most `timeoutMs`.
 * @throws SwarmError the SwarmError that `work` throws; `unavailable` for any other error, and after the timeout.
 */
export async function runWithin<T>(doing: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const finished = new AbortController();
  const timeout = sleep(timeoutMs, { signal: finished.signal }).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([work(), timeout]);
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause;
    throw new SwarmError("unavailable", `${doing}: ${(cause as Error).message}`, { cause });
  } finally {
    timeout.catch(() => undefined);
    finished.abort();
  }
}
