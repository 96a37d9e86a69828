// The shared log and the object store behind the ports of the coordinators: the view of a replica, which may be stale,
// and objects that may be lost or damaged. Nothing here takes time.

import { genesisBody } from "../../../src/consensus/index.ts";
import { type JsonObject, SwarmError } from "../../../src/protocol/index.ts";
import type { Log, Objects, Stored, Transport } from "../../../src/transport/index.ts";
import type { SharedLog } from "./shared-log.ts";

/** JetStream's error code for a missing stream. */
const STREAM_NOT_FOUND = 10_059;

/** The methods that read a log. */
type LogReading = Pick<Log, "info" | "get">;

/** The log as a replica with entries up to `lastSeq` shows it. Default: all entries. */
export function viewLog(log: SharedLog, lastSeq = Number.POSITIVE_INFINITY): Log {
  const checkExists = () => {
    if (log.exists) return;
    throw new SwarmError("unavailable", "the stream does not exist", {
      cause: { code: 404, err_code: STREAM_NOT_FOUND },
    });
  };
  const reading: LogReading = {
    async info() {
      checkExists();
      const last = Math.min(lastSeq, log.lastSeq);
      const { firstSeq } = log;
      return { messages: last - firstSeq + 1, bytes: 0, firstSeq, lastSeq: last, limitBytes: null };
    },
    async get(seq) {
      checkExists();
      if (seq < log.firstSeq || seq > Math.min(lastSeq, log.lastSeq)) return null;
      const { origin } = log.lineage;
      return toStored(seq, seq === origin.seq ? genesisBody(origin) : log.read(seq));
    },
  };
  return reading as Log;
}

function toStored(seq: number, value: unknown): Stored {
  return {
    seq,
    storedAtMs: 0,
    subject: "office.log",
    data: new TextEncoder().encode(JSON.stringify(value)),
    header: () => undefined,
  };
}

/** The object store. The driver may damage its texts. */
export class ObjectStore {
  readonly texts = new Map<string, string>();

  /** The store behind the port of the coordinators. */
  get port(): Objects {
    return {
      put: async (name, data) => {
        const body = data instanceof Uint8Array ? data : Buffer.concat(data);
        this.texts.set(name, new TextDecoder().decode(body));
      },
      get: async (name) => {
        const text = this.texts.get(name);
        return text === undefined ? null : new TextEncoder().encode(text);
      },
      names: async () => [...this.texts.keys()],
      delete: async (name) => {
        this.texts.delete(name);
      },
    };
  }
}

/** Takes the writes of a recovery: the new genesis, and the first entry after it. */
export interface RecoveryWriter {
  genesis(seq: number): void;
  entry(value: JsonObject): void;
}

/** The transport of the operator who recovers the log. */
export function recoveryTransport(log: SharedLog, store: ObjectStore, writer: RecoveryWriter): Transport {
  const view = viewLog(log);
  const port: Log = {
    ...view,
    async *read({ fromSeq = 1 } = {}) {
      for (let seq = Math.max(fromSeq, log.firstSeq); seq <= log.lastSeq; seq++) yield (await view.get(seq))!;
    },
    async purge() {
      return 0;
    },
    async append(_subject, data, { expectedLastSeq = 0 } = {}) {
      const value = JSON.parse(new TextDecoder().decode(data)) as JsonObject;
      if (value.type === "genesis") writer.genesis(expectedLastSeq + 1);
      else writer.entry(value);
      return { seq: expectedLastSeq + 1, duplicate: false };
    },
  };
  const transport: Pick<Transport, "prefix" | "log" | "snapshots" | "init"> = {
    prefix: "murmur",
    log: () => port,
    snapshots: store.port,
    init: async () => ({ created: [], applied: [], verified: [], differences: [], warnings: [] }),
  };
  return transport as Transport;
}
