// The facts about the streams of the swarm: the sequence, the bytes and the limit of each, and the delayed tasks.
import type { Meter } from "../../base/index.ts";
import { createSubjects, placedKey, type StreamKey, streamSpecs } from "../../protocol/index.ts";
import { isStreamMissing, type Transport } from "../../transport/index.ts";

/** One stream. */
export interface StreamFacts {
  readonly stream: string;
  readonly messages: number;
  readonly lastSeq: number;
  readonly bytes: number;
  /** Null: the stream has no limit of its own. */
  readonly limitBytes: number | null;
  /** True: a full stream refuses new messages. False: it drops its oldest ones. */
  readonly refusesWhenFull: boolean;
}

/** The streams, and the delayed tasks. */
export interface StreamsFacts {
  readonly streams: readonly StreamFacts[];
  /** Delayed tasks and long retries, due ones among them. */
  readonly later: number;
}

/** The oldest task that came due and waits for a mover. */
export interface DueFacts {
  /** When it came due, Unix ms. */
  readonly dueAtMs: number;
  /** The first look that found this task as the oldest one, Unix ms: movers take the oldest first, so a time long ago means that none moves. */
  readonly oldestSinceMs: number;
}

/** Reads all streams; a stream that does not exist is left out. @throws SwarmError `unavailable`. */
export async function readStreams(transport: Transport): Promise<StreamsFacts> {
  const classes = await transport.placedClasses();
  const refuses = new Map<StreamKey, boolean>([
    ...streamSpecs(transport.prefix).map(({ key, discard }): [StreamKey, boolean] => [
      key,
      discard === "new",
    ]),
    ...classes.map((name): [StreamKey, boolean] => [placedKey(name), true]),
  ]);
  const found = await Promise.all(
    [...refuses].map(([key, refusesWhenFull]) => readStream(transport, key, refusesWhenFull)),
  );
  const streams = found.filter((stream) => stream !== null);
  return { streams, later: streams.find(({ stream }) => stream === "later")?.messages ?? 0 };
}

/** Makes the reader of the oldest due task; it answers null while none waits. It remembers the task of its last look. */
export function createDueReader(transport: Transport): () => Promise<DueFacts | null> {
  let last: { seq: number; oldestSinceMs: number } | null = null;
  return async () => {
    const oldest = await readOldestDue(transport);
    if (oldest === null) {
      last = null;
      return null;
    }
    if (last?.seq !== oldest.seq) last = { seq: oldest.seq, oldestSinceMs: transport.clock.now() };
    return { dueAtMs: oldest.storedAtMs, oldestSinceMs: last.oldestSinceMs };
  };
}

async function readStream(
  transport: Transport,
  key: StreamKey,
  refusesWhenFull: boolean,
): Promise<StreamFacts | null> {
  try {
    const { messages, lastSeq, bytes, limitBytes } = await transport.log(key).info();
    return { stream: key, messages, lastSeq, bytes, limitBytes, refusesWhenFull };
  } catch (error) {
    if (isStreamMissing(error)) return null;
    throw error;
  }
}

async function readOldestDue(
  transport: Transport,
): Promise<{ readonly seq: number; readonly storedAtMs: number } | null> {
  const { allDue } = createSubjects(transport.prefix).filters;
  try {
    for await (const { seq, storedAtMs } of transport.log("later").read({ filter: allDue, limit: 1 }))
      return { seq, storedAtMs };
    return null;
  } catch (error) {
    if (isStreamMissing(error)) return null;
    throw error;
  }
}

/** Shows the streams in the gauges. A stream that is gone leaves them. */
export function showStreams(
  meter: Pick<Meter, "streamLastSeq" | "streamBytes" | "streamLimitBytes" | "laterPending">,
  { streams, later }: StreamsFacts,
): void {
  meter.streamLastSeq.replace(streams.map(({ stream, lastSeq }) => ({ labels: { stream }, value: lastSeq })));
  meter.streamBytes.replace(streams.map(({ stream, bytes }) => ({ labels: { stream }, value: bytes })));
  meter.streamLimitBytes.replace(
    streams.flatMap(({ stream, limitBytes }) =>
      limitBytes === null ? [] : [{ labels: { stream }, value: limitBytes }],
    ),
  );
  meter.laterPending.set(later);
}
