// Named large bodies in an object store (ADR-20), so that `nats object` shows them. Bodies are read chunk by chunk from
// the stream's leader: a chunk that is missing is noticed at once, where a consumer would wait for it in vain.
import { createHash } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { SwarmError } from "../../protocol/index.ts";
import { MAX_OBJECT_BYTES, refuseLargeObject } from "../object-rules.ts";
import type { Objects } from "../ports.ts";
import { bounded, objectStream } from "./blobs.ts";
import type { Link } from "./link.ts";
import { createNatsLog } from "./log.ts";

/** How long one store or read may take: the largest object at 2 MiB/s. */
const TIMEOUT_MS = MAX_OBJECT_BYTES / ((2 * 1024 ** 2) / 1_000);
/** One chunk: the server gives it back as base64 in JSON, which must fit the default 1 MiB of a message. */
const CHUNK_BYTES = 384 * 1024;
/** Objects that are listed at most; a store here holds a handful. */
const MAX_LISTED = 10_000;
const DIGEST_TYPE = "SHA-256=";

/** The part of ADR-20's object information that is read here. */
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
  const metaOf = (object: string) => metaStart + toPaddedBase64Url(Buffer.from(object));

  async function findInfo(object: string): Promise<ObjectInfo | null> {
    const meta = await log.last(metaOf(object), { fresh: true });
    if (meta === null) return null;
    try {
      return JSON.parse(new TextDecoder().decode(meta.data)) as ObjectInfo;
    } catch (cause) {
      throw damaged(object, "its description is no JSON", cause);
    }
  }

  async function readChunks(object: string, info: ObjectInfo): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let seq = 0;
    while (chunks.length < info.chunks) {
      const chunk = await log.next(`$O.${name}.C.${info.nuid}`, seq + 1);
      if (chunk === null) throw damaged(object, `chunk ${chunks.length + 1} of ${info.chunks} is missing`);
      chunks.push(chunk.data);
      seq = chunk.seq;
    }
    return Buffer.concat(chunks);
  }

  return {
    async put(object, data) {
      refuseLargeObject(object, data.length);
      await bounded(`store object ${object}`, TIMEOUT_MS, async () => {
        const store = await new Objm(jetstream(link.nc)).open(name, true);
        await store.putBlob({ name: object, options: { max_chunk_size: CHUNK_BYTES } }, data);
      });
    },
    get: (object) =>
      bounded(`read object ${object}`, TIMEOUT_MS, async () => {
        const info = await findInfo(object);
        if (info === null || info.deleted === true) return null;
        const data = await readChunks(object, info);
        const digest = DIGEST_TYPE + toPaddedBase64Url(createHash("sha256").update(data).digest());
        if (digest !== info.digest) throw damaged(object, `its digest is ${digest}, not ${info.digest}`);
        return data;
      }),
    async names() {
      const subjects = await log.subjects(`${metaStart}>`, { max: MAX_LISTED });
      return [...subjects.keys()].map((subject) =>
        Buffer.from(subject.slice(metaStart.length), "base64url").toString("utf8"),
      );
    },
    async delete(object) {
      const info = await findInfo(object).catch((error: unknown) => {
        if (error instanceof SwarmError && error.code === "internal") return null;
        throw error;
      });
      // The name first: chunks without a name are waste, a name without chunks would look like damage.
      await log.purge({ filter: metaOf(object) });
      if (info !== null) await log.purge({ filter: `$O.${name}.C.${info.nuid}` });
    },
  };
}

function damaged(object: string, what: string, cause?: unknown): SwarmError {
  return new SwarmError("internal", `object ${object} is damaged: ${what}`, { cause });
}

/** ADR-20 writes names and digests in the URL's alphabet and with padding. */
function toPaddedBase64Url(bytes: Buffer): string {
  const text = bytes.toString("base64url");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}
