// Writers without pause, and a check of everything that was confirmed to them. Owns the load and its judgement by the
// control log: no command lost, none applied twice. (tools/rigs/chaos.ts judges the observed order.)
import { newId, sleep } from "../../../src/base/index.ts";
import type { OfficeClient } from "../../../src/coordinator/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { PATIENCE_MS } from "./world.ts";

const WRITERS = 4;
/** Names that are written: below the number of values that a swarm may hold. */
const NAMES = 500;
/** The prefix of callers' keys in the log. */
const OUTSIDE = "c.";

/** The findings. */
export interface Kept {
  readonly acknowledged: number;
  /** Commands that were confirmed but are not in the log. */
  readonly lost: number;
  readonly appliedTwice: number;
}

/** Running writers. */
export interface Promises {
  /** Stops the writers after their current commands. */
  pause(): Promise<void>;
  /** Judges the run; the writers must have stopped. */
  judge(): Promise<Kept>;
}

/** Starts writers of values; no other code may write values, except {@link writeProbe}. */
export async function startPromises(transport: Transport, office: OfficeClient): Promise<Promises> {
  const log = transport.log("office");
  const keys = new Set<string>();
  let heardSeq = 0;
  // Copied as it grows, because the log is trimmed after snapshots.
  const tail = await log.tail({
    afterSeq: 0,
    onStored({ seq, data }) {
      heardSeq = seq;
      const { commands = [] } = JSON.parse(new TextDecoder().decode(data)) as {
        commands?: { key: string }[];
      };
      for (const { key } of commands) if (key.startsWith(OUTSIDE)) keys.add(key);
    },
  });
  const revisions = new Map<string, number>();
  const stopping = new AbortController();
  const writing = Array.from({ length: WRITERS }, async () => {
    for (let index = 0; !stopping.signal.aborted; index++) {
      const key = newId();
      const body = { name: `n${index % NAMES}`, value: key };
      const { revision } = await office.write("config-set", body, { key, timeoutMs: PATIENCE_MS });
      revisions.set(key, revision);
    }
  });
  return {
    async pause() {
      stopping.abort();
      await Promise.all(writing);
    },
    async judge() {
      const last = await writeProbe(office);
      const { lastSeq } = await log.info();
      while (heardSeq < lastSeq) await sleep(50);
      tail.close();
      const lost = [...revisions.keys()].filter((key) => !keys.has(`${OUTSIDE}${key}`)).length;
      const answeredTwice = revisions.size - new Set(revisions.values()).size;
      // Each decision uses one revision: a key that was applied twice used two.
      return { acknowledged: revisions.size, lost, appliedTwice: last - keys.size + answeredTwice };
    },
  };
}

/** Has one value written; returns its revision. */
export async function writeProbe(office: OfficeClient): Promise<number> {
  const { revision } = await office.write(
    "config-set",
    { name: "probe", value: newId() },
    { timeoutMs: PATIENCE_MS },
  );
  return revision;
}
