// The stored logs of workflows. A message of a log holds one entry, or several, one in a line: the last message of a run that ended
// within seconds holds its whole log. A body over 256 KiB is an object beside the stream, which the message names.
// L1  An append is fenced by the last sequence of the log's subject: it is stored only on the log that the decider has seen.
// L2  An append without an answer is repeated unchanged until it is stored or refused. If the repetition is refused and the last message has
//     our chain, the first try was stored.
// L3  A large body is stored before the message that names it, and removed only when its log is gone.
// L4  A read ends at the messages that were there at its beginning. A roll-up during the read removes them, so a read that has not come as far as
//     the last message is made again.
import { backoffDelayMs, type Chance, type Clock, sleep, utf8Bytes, utf8Text } from "../../base/index.ts";
import { HEADERS, type Subjects, SwarmError } from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import { bodyHeaders } from "../../work/index.ts";
import type { RunSummary } from "../../workflow/index.ts";
import { readSummary, showSummary } from "./summary.ts";

/** The largest body that is in its message, in bytes. */
export const INLINE_ENTRY_BYTES = 256 * 1024;
/** The most reads of one log: a log is replaced once at its end, and at each `continueAs`. */
const MAX_READS = 10;
/** The waits between the repetitions of an append without an answer. They go on until the engine stops (L2). */
const REPEAT_BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 2_000, jitter: 0.2 };
/** On a message whose body is an object: the object's name. */
const OBJECT_HEADER = "Murmur-Object";
/** JetStream's header of a message that expires. */
const TTL_HEADER = "Nats-TTL";

/** A stored log. */
export interface StoredLog {
  /** The texts of its entries, in their order. Empty: the run was never started, or its log has expired. */
  readonly texts: readonly string[];
  /** The last sequence of its subject; 0 without one. */
  readonly tip: number;
  /** True: its one message expires, because the run has ended. The next append must replace it. */
  readonly isExpiring: boolean;
  /** The number of its messages. */
  readonly messages: number;
}

/** An entry to store. */
export interface LogAppend {
  /** The texts of the entries of this message. */
  readonly texts: readonly string[];
  /** The chain of the last of them. */
  readonly chain: string;
  readonly summary: RunSummary;
  /** The last sequence of the subject that the decider has seen (L1). */
  readonly tip: number;
  /** The message replaces all earlier ones. */
  readonly isRollup: boolean;
  /** The message expires after this time, in ms; null: never. */
  readonly ttlMs: number | null;
}

/** The logs of one swarm. */
export class LogStore {
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #clock: Clock;
  readonly #chance: Chance;

  constructor(parts: { transport: Transport; subjects: Subjects; clock: Clock; chance: Chance }) {
    this.#transport = parts.transport;
    this.#subjects = parts.subjects;
    this.#clock = parts.clock;
    this.#chance = parts.chance;
  }

  /** Reads a whole log. @throws SwarmError `unavailable`; `internal` when a large body is missing or damaged. */
  async read(workflowId: string): Promise<StoredLog> {
    for (let tries = 1; ; tries++) {
      const stored = await this.#readOnce(workflowId);
      if (stored !== null) return stored;
      if (tries === MAX_READS)
        throw new SwarmError(
          "unavailable",
          `the log of ${workflowId} was replaced during each of ${tries} reads`,
        );
    }
  }

  /** Null when an entry replaced the log during the read (L4). */
  async #readOnce(workflowId: string): Promise<StoredLog | null> {
    const subject = this.#subjects.workflow(workflowId);
    const log = this.#transport.log("workflows");
    // The last message alone tells of most logs: there is none, or it is the whole log.
    const last = await log.last(subject);
    if (last === null) return { texts: [], tip: 0, isExpiring: false, messages: 0 };
    const texts: string[] = [];
    let [tip, messages] = [0, 0];
    let isExpiring = false;
    const add = async (stored: Stored) => {
      texts.push(...(await this.#textsOf(stored)));
      tip = stored.seq;
      messages++;
      isExpiring = stored.header(TTL_HEADER) !== undefined;
    };
    if (last.header(TTL_HEADER) !== undefined) await add(last);
    else for await (const stored of log.read({ filter: subject })) await add(stored);
    return tip < last.seq ? null : { texts, tip, isExpiring, messages };
  }

  async #textsOf(stored: Stored): Promise<string[]> {
    const name = stored.header(OBJECT_HEADER);
    const data = name === undefined ? stored.data : await this.#transport.entries.get(name);
    if (data !== null) return utf8Text(data).split("\n");
    throw new SwarmError("internal", `the large entry ${name} of ${stored.subject} is missing`);
  }

  /** The summary of a run, from its last message; null without a log. @throws SwarmError `unavailable`. */
  async summary(workflowId: string): Promise<{ summary: RunSummary | null; storedAtMs: number } | null> {
    const last = await this.#transport.log("workflows").last(this.#subjects.workflow(workflowId));
    return last === null ? null : { summary: readSummary(last), storedAtMs: last.storedAtMs };
  }

  /** The last sequence of a log, from the stream's leader; 0 without one. @throws SwarmError `unavailable`. */
  async tip(workflowId: string): Promise<number> {
    const subject = this.#subjects.workflow(workflowId);
    return (await this.#transport.log("workflows").last(subject, { fresh: true }))?.seq ?? 0;
  }

  /**
   * Stores entries, and resolves with the sequence; null when another write came first. `signal` ends the repetitions.
   * @throws SwarmError of the append, but `conflict`; the signal's reason: the entries may be stored or not.
   */
  async append(workflowId: string, entries: LogAppend, signal: AbortSignal): Promise<number | null> {
    const subject = this.#subjects.workflow(workflowId);
    const body = utf8Bytes(entries.texts.join("\n"));
    const isLarge = body.length > INLINE_ENTRY_BYTES;
    const name = `${workflowId}.${entries.chain}`;
    const headers = {
      ...bodyHeaders("json"),
      [HEADERS.chain]: entries.chain,
      [HEADERS.run]: showSummary(entries.summary),
      ...(isLarge ? { [OBJECT_HEADER]: name } : {}),
    };
    const options = {
      headers,
      expectedLastSubjectSeq: entries.tip,
      ...(entries.isRollup ? { rollup: true } : {}),
      ...(entries.ttlMs === null ? {} : { ttlMs: entries.ttlMs }),
    };
    const log = this.#transport.log("workflows");
    let isBodyStored = !isLarge;
    for (let tries = 1, isUnsure = false; ; tries++) {
      try {
        if (!isBodyStored) await this.#transport.entries.put(name, body); // L3
        isBodyStored = true;
        return (await log.append(subject, isLarge ? new Uint8Array() : body, options)).seq;
      } catch (error) {
        if (!(error instanceof SwarmError)) throw error;
        if (error.code === "conflict") return isUnsure ? await this.#findOwn(subject, entries.chain) : null;
        if (error.code !== "unavailable") throw error;
        isUnsure = true; // L2
        await sleep(backoffDelayMs(REPEAT_BACKOFF, tries, this.#chance), { clock: this.#clock, signal });
      }
    }
  }

  /** The sequence of the last message if it has this chain; null otherwise (L2). */
  async #findOwn(subject: string, chain: string): Promise<number | null> {
    const last = await this.#transport.log("workflows").last(subject, { fresh: true });
    return last?.header(HEADERS.chain) === chain ? last.seq : null;
  }
}
