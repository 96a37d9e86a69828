// Named large bodies in an object store (ADR-20), so that `nats object` shows them. This file reads a body chunk by chunk
// from the stream's leader, so that it notices a missing chunk at once; a consumer would wait for the chunk in vain. It also
// writes bodies itself: the client library hashes in JavaScript and blocks the event loop.
import { createHash, type Hash } from "node:crypto";
import { newId, utf8Bytes, utf8Text } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import { MAX_OBJECT_BYTES, readBody } from "../object-body.ts";
import type { Objects } from "../ports.ts";
import { objectMetaSubject, objectStream, runWithin, toPaddedBase64Url } from "./blobs.ts";
import type { Link } from "./link.ts";
import { createNatsLog } from "./log.ts";

/** The time limit of one store or read: the largest object at 2 MiB/s. */
const OBJECT_TIMEOUT_MS = MAX_OBJECT_BYTES / ((2 * 1024 ** 2) / 1_000);
/** The size of a chunk. The server returns it as base64 in JSON, which must fit the default message limit of 1 MiB. */
const OBJECT_CHUNK_BYTES = 384 * 1024;
/** The most objects that are listed; a store here holds a few. */
const MAX_LISTED = 10_000;
const DIGEST_TYPE = "SHA-256=";

/** The part of ADR-20's object information that this file uses. `nuid` names the chunks. */
interface ObjectInfo {
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  readonly digest: string;
  readonly deleted?: boolean;
}

/** The objects in the object store named `name`. */
export function createNatsObjects(link: Link, name: string): Objects {
  const stream = objectStream(name);
  const log = createNatsLog(link, stream);
  const metaStart = `$O.${name}.M.`;
  const metaOf = (object: string) => objectMetaSubject(name, object);
  const chunksOf = ({ nuid }: Pick<ObjectInfo, "nuid">) => `$O.${name}.C.${nuid}`;

  async function findInfo(object: string): Promise<ObjectInfo | null> {
    const meta = await log.last(metaOf(object), { fresh: true });
    if (meta === null) return null;
    let info: Partial<ObjectInfo> | null;
    try {
      info = JSON.parse(utf8Text(meta.data)) as Partial<ObjectInfo> | null;
    } catch (cause) {
      throw createDamageError(object, "its description is not JSON", cause);
    }
    const { nuid, size, chunks } = info ?? {};
    if (isCount(size) && isCount(chunks) && typeof nuid === "string") return info as ObjectInfo;
    throw createDamageError(object, "its description has no valid size");
  }

  /** Like `findInfo`, but null for a damaged description, because the caller is about to replace or delete the object. */
  function findReadableInfo(object: string): Promise<ObjectInfo | null> {
    return findInfo(object).catch((error: unknown) => {
      if (error instanceof SwarmError && error.code === "internal") return null;
      throw error;
    });
  }

  async function readChunks(object: string, info: ObjectInfo): Promise<Buffer> {
    const hash = createHash("sha256");
    const body = Buffer.allocUnsafe(Math.min(info.size, MAX_OBJECT_BYTES));
    let bytes = 0;
    let seq = 0;
    for (let count = 0; count < info.chunks; count++) {
      const chunk = await log.next(chunksOf(info), seq + 1);
      if (chunk === null) throw createDamageError(object, `chunk ${count + 1} of ${info.chunks} is missing`);
      hash.update(chunk.data);
      body.set(chunk.data.subarray(0, body.length - bytes), bytes);
      bytes += chunk.data.length;
      seq = chunk.seq;
    }
    if (bytes !== body.length) throw createDamageError(object, `it has ${bytes} bytes, not ${info.size}`);
    const digest = digestOf(hash);
    if (digest !== info.digest)
      throw createDamageError(object, `its digest is ${digest}, not ${info.digest}`);
    return body;
  }

  /** Stores the chunks of a body and returns their description. */
  async function writeChunks(pieces: readonly Uint8Array[], size: number): Promise<ObjectInfo> {
    const hash = createHash("sha256");
    const nuid = newId();
    let chunks = 0;
    try {
      for (const chunk of cut(pieces)) {
        hash.update(chunk);
        await log.append(chunksOf({ nuid }), chunk);
        chunks++;
      }
    } catch (error) {
      await log.purge({ filter: chunksOf({ nuid }) }).catch(() => undefined);
      throw error;
    }
    return { nuid, size, chunks, digest: digestOf(hash) };
  }

  return {
    async put(object, data) {
      const { pieces, bytes } = readBody(object, data);
      await runWithin(`store object ${object}`, OBJECT_TIMEOUT_MS, async () => {
        const before = await findReadableInfo(object);
        const info = await writeChunks(pieces, bytes);
        const options = { max_chunk_size: OBJECT_CHUNK_BYTES };
        const meta = { name: object, bucket: name, ...info, mtime: new Date().toISOString(), options };
        // Without an answer the chunks stay: the name may be stored, and without chunks the object would be damaged.
        await log.append(metaOf(object), encodeJson(meta), { rollup: true });
        if (before !== null) await log.purge({ filter: chunksOf(before) });
      });
    },
    get: (object) =>
      runWithin(`read object ${object}`, OBJECT_TIMEOUT_MS, async () => {
        for (let info = await findInfo(object); ; ) {
          if (info === null || info.deleted === true) return null;
          const { nuid } = info;
          try {
            return await readChunks(object, info);
          } catch (error) {
            // A writer that replaces or deletes the object removes these chunks. Then there is another description, or none.
            info = await findInfo(object);
            if (info?.nuid === nuid) throw error;
          }
        }
      }),
    async names() {
      const subjects = await log.subjects(`${metaStart}>`, { max: MAX_LISTED });
      return [...subjects.keys()].map((subject) =>
        Buffer.from(subject.slice(metaStart.length), "base64url").toString("utf8"),
      );
    },
    async delete(object) {
      const info = await findReadableInfo(object);
      // The name goes first: chunks without a name only waste space, but a name without chunks would look damaged.
      await log.purge({ filter: metaOf(object) });
      if (info !== null) await log.purge({ filter: chunksOf(info) });
    },
  };
}

/** Cuts the pieces into chunks of {@link OBJECT_CHUNK_BYTES}; the last chunk may be shorter. */
function* cut(pieces: readonly Uint8Array[]): Generator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = [];
  let roomBytes = OBJECT_CHUNK_BYTES;
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; ) {
      const part = piece.subarray(from, from + roomBytes);
      parts.push(part);
      from += part.length;
      roomBytes -= part.length;
      if (roomBytes > 0) continue;
      yield Buffer.concat(parts);
      parts = [];
      roomBytes = OBJECT_CHUNK_BYTES;
    }
  }
  if (parts.length > 0) yield Buffer.concat(parts);
}

function digestOf(hash: Hash): string {
  return DIGEST_TYPE + toPaddedBase64Url(hash.digest());
}

function encodeJson(value: object): Uint8Array {
  return utf8Bytes(JSON.stringify(value));
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function createDamageError(object: string, reason: string, cause?: unknown): SwarmError {
  return new SwarmError("internal", `object ${object} is damaged: ${reason}`, { cause });
}
