// The names that the tables of permissions are made of, for one swarm: its streams, buckets and patterns of subjects. Pure.
import {
  type BucketKey,
  bucketSpecs,
  createSubjects,
  placedKey,
  type StreamKey,
  type SubjectName,
  streamSpecs,
  subjectPattern,
} from "../../protocol/index.ts";
import {
  bucketStream,
  bucketSubject,
  jetStreamApi,
  objectStream,
  objectSubjects,
} from "../../transport/index.ts";

/** The names of one swarm. */
export type Names = ReturnType<typeof createNames>;

/** Makes the names of the swarm named `prefix`, with the streams of placed tasks of these classes. */
export function createNames(prefix: string, classes: readonly string[]) {
  const streams = new Map(streamSpecs(prefix, {}, classes).map(({ key, name }) => [key, name]));
  const buckets = new Map(bucketSpecs(prefix).map(({ key, kind, name }) => [key, { kind, name }]));
  const stream = (key: StreamKey) => streams.get(key)!;
  const bucketName = (key: BucketKey) => buckets.get(key)!.name;
  /** The stream that holds a bucket. */
  const storeOf = (key: BucketKey) => {
    const { kind, name } = buckets.get(key)!;
    return kind === "kv" ? bucketStream(name) : objectStream(name);
  };
  return {
    prefix,
    /** The filters that subscribers and consumers use; a permission must cover them as they are. */
    filters: createSubjects(prefix).filters,
    stream,
    /** The keys of the streams of placed tasks. */
    placedKeys: classes.map(placedKey),
    storeOf,
    /** All streams, those of buckets too. */
    allStreams: [...streams.values(), ...[...buckets.keys()].map(storeOf)],
    subject: (name: SubjectName, tokens?: Readonly<Record<string, string>>) =>
      subjectPattern(prefix, name, tokens),
    /** The keys of a key-value bucket that begin with `start`; all without it. */
    keys: (key: BucketKey, start?: string) =>
      bucketSubject(bucketName(key), start === undefined ? ">" : `${start}.>`),
    /** One key of a key-value bucket, or keys with wildcards. */
    key: (key: BucketKey, name: string) => bucketSubject(bucketName(key), name),
    /** The descriptions and the chunks of an object store. */
    objects: (key: BucketKey) => {
      const { meta, chunks, sharedChunks } = objectSubjects(bucketName(key));
      return [meta, key === "blobs" ? chunks : sharedChunks];
    },
    /** Reads by subject from a stream, which a permission binds. */
    reads: (key: StreamKey, subjects: readonly string[]) =>
      subjects.map((subject) => jetStreamApi.directGetOf(stream(key), subject)),
  };
}
