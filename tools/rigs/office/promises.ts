// Writers that never pause, and what became of everything that was confirmed to them. Owns the load and its judgement by
// the control log: nothing lost, nothing applied twice. (What order was seen is judged by tools/rigs/chaos.ts.)
import { newId, sleep } from "../../../src/base/index.ts";
import type { OfficeClient } from "../../../src/coordinator/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { PATIENCE_MS } from "./world.ts";

const WRITERS = 4;
/** Names that are written to: below the number of values that a swarm may hold. */
const NAMES = 500;
/** What keys of outsiders begin with in the log. */
const OUTSIDE = "c.";

/** What was found. */
export interface Kept {
  readonly acknowledged: number;
  /** Confirmed, and not in the log. */
  readonly lost: number;
  readonly appliedTwice: number;
}

/** Running writers. */
export interface Promises {
  /** Lets the writers finish. */
  pause(): Promise<void>;
  /** Judges everything; the writers must have finished. */
  judge(): Promise<Kept>;
}

/** Starts writers of values; nobody else may write any, but with {@link writeProbe}. */
export async function startPromises(transport: Transport, office: OfficeClient): Promise<Promises> {
  const log = transport.log("office");
  const keys = new Set<string>();
  let heardSeq = 0;
  // Written down as it grows: the log is trimmed behind snapshots.
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
      // Each decision uses one revision: a key that was applied twice would have used two.
      return { acknowledged: revisions.size, lost, appliedTwice: last - keys.size + answeredTwice };
    },
  };
}

/** Has one value written; gives its revision. */
export async function writeProbe(office: OfficeClient): Promise<number> {
  const { revision } = await office.write(
    "config-set",
    { name: "probe", value: newId() },
    { timeoutMs: PATIENCE_MS },
  );
  return revision;
}
