// A key-value bucket in the standard NATS layout (ADR-8), so that `nats kv` and every NATS client can read it. A read names
// its key in the subject of a direct get, so that a permission of NATS can bind the keys that a user reads. A replica may
// answer with an older entry; the compare-and-set of `update` notices that.
import { SwarmError } from "../../protocol/index.ts";
import { checkBucketKey } from "../bucket-key.ts";
import type { Bucket, Stored } from "../ports.ts";
import { follow } from "./follow.ts";
import type { Link } from "./link.ts";
import { createNatsLog } from "./log.ts";
import { headerOf } from "./message-headers.ts";

/** The header that distinguishes a deletion from a value (ADR-8). */
const OPERATION = "KV-Operation";

/** The name of the stream that holds a bucket. */
export function bucketStream(name: string): string {
  return `KV_${name}`;
}

/** Makes the bucket `name` over its stream, which init.ts creates. */
export function createNatsBucket(link: Link, name: string): Bucket {
  const stream = bucketStream(name);
  const log = createNatsLog(link, stream);
  const start = `$KV.${name}.`;
  const subjectOf = (key: string) => start + checkBucketKey(key);
  const last = (key: string) => log.last(subjectOf(key));
  return {
    async get(key) {
      const stored = await last(key);
      if (stored === null || isDeletion(stored)) return null;
      return { key, value: stored.data, revision: stored.seq };
    },
    async put(key, value) {
      return (await log.append(subjectOf(key), value)).seq;
    },
    async update(key, value, revision) {
      const append = async (expectedLastSubjectSeq: number) =>
        (await log.append(subjectOf(key), value, { expectedLastSubjectSeq })).seq;
      try {
        return await append(revision);
      } catch (error) {
        // Revision 0 expects an absent key. After a deletion the key is absent, but its last message is the deletion,
        // so the append must expect the sequence of the deletion.
        const found =
          revision === 0 && error instanceof SwarmError && error.code === "conflict" ? await last(key) : null;
        if (found === null || !isDeletion(found)) throw error;
        return append(found.seq);
      }
    },
    async delete(key) {
      await log.append(subjectOf(key), new Uint8Array(), { headers: { [OPERATION]: "DEL" } });
    },
    async keys() {
      const keys = new Set<string>();
      const following = await follow(link, {
        stream,
        filter: `${start}>`,
        headersOnly: true,
        onMessage: (message) => {
          const key = message.subject.slice(start.length);
          if (isDeletion({ header: (header) => headerOf(message, header) })) keys.delete(key);
          else keys.add(key);
        },
      });
      following.close();
      return [...keys];
    },
    watch: (onEntry) =>
      follow(link, {
        stream,
        filter: `${start}>`,
        onMessage: (message) => {
          const deleted = isDeletion({ header: (header) => headerOf(message, header) });
          onEntry(message.subject.slice(start.length), deleted ? null : message.data);
        },
      }),
  };
}

function isDeletion(message: Pick<Stored, "header">): boolean {
  return message.header(OPERATION) !== undefined;
}
