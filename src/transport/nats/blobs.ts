// Large bodies in an object store (ADR-20), so that `nats object` and every NATS client can read them. Each object is named by
// its hash, so that equal bodies are stored once.
// B1  Every read of a body of our own names its exact subject, so that a permission of NATS can bind it: a reader must know the
//     hash, and gets no list. A write needs no other right than to publish on the store's subjects; nothing is purged.
// B2  So each chunk has a subject of its own, `$O.<store>.C.<id>.<number>`, and the description names all of them as
//     `<id>.*`. Other clients read chunks with a consumer, which takes that name as a filter.
// B3  Other clients store all chunks on one subject. Such a body is read chunk by chunk with the subject in the body of the
//     request, which no role of a swarm with permissions may: there other clients store bodies through the front door.
import { newId, sleep, utf8Bytes, utf8Text } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { blobHash, refuseOversize, verifyBlob } from "../blob-checks.ts";
import type { Blobs, Stored } from "../ports.ts";
import type { Link } from "./link.ts";
import { createNatsLog } from "./log.ts";

/** The time limit of one store or read: 64 MiB at 2 MiB/s. */
const BLOB_TIMEOUT_MS = 32_000;
/** The size of a chunk. Each chunk is one message, so it must fit NATS's default limit of 1 MiB with room for headers. */
const BLOB_CHUNK_BYTES = 512 * 1024;
/** The chunks in flight of one store or read: 4 MiB, enough to fill a network, and no burst for the server. */
const CHUNKS_IN_FLIGHT = 8;
/** The most chunks of a blob of ours or of another client: 64 MiB in chunks of 1 KiB. A larger number is damage. */
const MAX_CHUNKS = 65_536;
/**
 * The waits before a body that is not found is looked for again in a cluster, in ms: a replica that answers may lag behind the
 * server that acknowledged the body.
 */
const LAG_WAITS_MS = [50, 250, 1_000];
/** The part behind the id in the description of chunks with a subject each (B2). */
const EACH = ".*";

/** The part of ADR-20's object information that this file uses. `nuid` names the chunks. */
interface BlobInfo {
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  readonly mtime: string;
  readonly deleted?: boolean;
}

/** The name of the stream that holds an object store. */
export function objectStream(name: string): string {
  return `OBJ_${name}`;
}

/** The subject of the description of an object: its name in URL-safe base64 with padding (ADR-20). */
export function objectMetaSubject(store: string, object: string): string {
  return `$O.${store}.M.${toPaddedBase64Url(Buffer.from(object))}`;
}

/** Encodes names and digests as ADR-20 does: in the URL-safe alphabet, with padding. */
export function toPaddedBase64Url(bytes: Buffer): string {
  const text = bytes.toString("base64url");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/** The blobs in the object store named `name`; the server drops an object `ttlMs` after it was stored. */
export function createNatsBlobs(link: Link, name: string, ttlMs: number): Blobs {
  const log = createNatsLog(link, objectStream(name));
  const chunkSubject = (id: string, number: number) => `$O.${name}.C.${id}.${number}`;

  /** The description of a blob; null when there is none, or when it is no description: then a put writes a new one. */
  async function findInfo(hash: string): Promise<BlobInfo | null> {
    const meta = await log.last(objectMetaSubject(name, hash));
    return meta === null ? null : readInfo(meta);
  }

  /** The chunks of a blob in their order; null when one is missing. */
  async function readChunks(info: BlobInfo): Promise<Uint8Array[] | null> {
    if (!info.nuid.endsWith(EACH)) return readForeignChunks(info);
    const id = info.nuid.slice(0, -EACH.length);
    const chunks: Uint8Array[] = [];
    while (chunks.length < info.chunks) {
      const count = Math.min(CHUNKS_IN_FLIGHT, info.chunks - chunks.length);
      const subjects = Array.from({ length: count }, (_, index) =>
        chunkSubject(id, chunks.length + index + 1),
      );
      for (const stored of await Promise.all(subjects.map((subject) => log.last(subject)))) {
        if (stored === null) return null;
        chunks.push(stored.data);
      }
    }
    return chunks;
  }

  /** The chunks that another client stored on one subject (B3). */
  async function readForeignChunks({ nuid, chunks: count }: BlobInfo): Promise<Uint8Array[] | null> {
    const chunks: Uint8Array[] = [];
    for (let seq = 0; chunks.length < count; ) {
      const stored = await log.next(`$O.${name}.C.${nuid}`, seq + 1);
      if (stored === null) return null;
      chunks.push(stored.data);
      seq = stored.seq;
    }
    return chunks;
  }

  /** The bytes of a blob; null when it is not stored, or not wholly. */
  async function read(hash: string): Promise<Uint8Array | null> {
    const info = await findInfo(hash);
    if (info === null || info.deleted === true) return null;
    const chunks = await readChunks(info);
    return chunks === null ? null : Buffer.concat(chunks);
  }

  /** As {@link read}; in a cluster it looks again, because the replica that answered may lag. */
  async function readPatiently(hash: string): Promise<Uint8Array | null> {
    const waits = link.nc.info?.cluster === undefined ? [] : LAG_WAITS_MS;
    for (const waitMs of waits) {
      const data = await read(hash);
      if (data !== null) return data;
      await sleep(waitMs);
    }
    return read(hash);
  }

  async function write(hash: string, data: Uint8Array): Promise<void> {
    const id = newId();
    const chunks = Math.ceil(data.length / BLOB_CHUNK_BYTES);
    for (let first = 0; first < chunks; first += CHUNKS_IN_FLIGHT) {
      const count = Math.min(CHUNKS_IN_FLIGHT, chunks - first);
      const numbers = Array.from({ length: count }, (_, index) => first + index + 1);
      await Promise.all(
        numbers.map((number) => {
          const chunk = data.subarray((number - 1) * BLOB_CHUNK_BYTES, number * BLOB_CHUNK_BYTES);
          return log.append(chunkSubject(id, number), chunk);
        }),
      );
    }
    const info = {
      name: hash,
      bucket: name,
      nuid: `${id}${EACH}`,
      size: data.length,
      chunks,
      digest: `SHA-256=${toPaddedBase64Url(Buffer.from(hash, "hex"))}`,
      mtime: new Date().toISOString(),
      options: { max_chunk_size: BLOB_CHUNK_BYTES },
    };
    // Readers take the newest description. No roll-up removes the older one: with permissions the store refuses roll-ups.
    await log.append(objectMetaSubject(name, hash), utf8Bytes(JSON.stringify(info)));
  }

  /** A blob in the second half of its time is stored again, so that it outlives the task that refers to it. */
  const isFresh = ({ mtime }: BlobInfo) => Date.now() - Date.parse(mtime) < ttlMs / 2;

  return {
    ttlMs,
    put: async (data) => {
      refuseOversize(data.length);
      const $blob = blobHash(data);
      await runWithin(`store blob ${$blob}`, BLOB_TIMEOUT_MS, async () => {
        const existing = await findInfo($blob);
        const isWhole = existing?.deleted !== true && existing?.size === data.length;
        if (isWhole && existing.nuid.endsWith(EACH) && isFresh(existing)) return;
        await write($blob, data);
      });
      return { $blob, bytes: data.length };
    },
    renew: (ref) =>
      runWithin(`renew blob ${ref.$blob}`, 2 * BLOB_TIMEOUT_MS, async () => {
        const existing = await findInfo(ref.$blob);
        if (existing === null || existing.deleted === true) return "missing";
        if (isFresh(existing)) return "fresh";
        const data = await readPatiently(ref.$blob);
        if (data === null) return "missing"; // it expired since the look
        verifyBlob(ref, data);
        await write(ref.$blob, data);
        return "renewed";
      }),
    get: async (ref) => {
      const data = await runWithin(`read blob ${ref.$blob}`, BLOB_TIMEOUT_MS, () => readPatiently(ref.$blob));
      if (data === null)
        throw new SwarmError("not_found", `blob ${ref.$blob} is not stored; it may have expired`);
      verifyBlob(ref, data);
      return data;
    },
  };
}

/** Parses the description of an object; null for damage. */
function readInfo(meta: Stored): BlobInfo | null {
  try {
    const info = JSON.parse(utf8Text(meta.data)) as Partial<BlobInfo> | null;
    const { nuid, chunks, size } = info ?? {};
    const isUsable = typeof nuid === "string" && isCount(chunks) && isCount(size) && chunks <= MAX_CHUNKS;
    return isUsable ? (info as BlobInfo) : null;
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
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
