// Checks at an interval that the control log is still the log that this coordinator read, records its last sequence,
// and reports a lost log. Decides how long a log may look wrong before it counts as lost; participation.ts
// then halts the member.

import type { Clock } from "../../base/index.ts";
import { readGenesis } from "../../consensus/index.ts";
import { isJsonObject } from "../../protocol/index.ts";
import { isStreamMissing, type Log } from "../../transport/index.ts";
import { readJson } from "./control-log.ts";
import { type Place, readChain } from "./start-point.ts";

/** The time between two checks of the log, in ms. */
const INSPECT_INTERVAL_MS = 2_000;
/**
 * The time that a log must look wrong before the coordinator treats it as lost, in ms. A stream leader that was cut off
 * from its group returned a stale last sequence for over 40 s (measured).
 */
export const DOUBT_MS = 45_000;

/** The most checks that the watch keeps while their entries are not applied yet: the checks of two minutes. */
const MAX_CHECKS_KEPT = 60;

/** The outcome of one check. */
type LogHealth =
  | { readonly type: "sound"; readonly lastSeq: number }
  /** Certain: it is another log, or it has a later epoch. */
  | { readonly type: "foreign"; readonly reason: string }
  /** The log is gone, or shorter than the part that was read. A server that is cut off may report this for a while. */
  | { readonly type: "doubtful"; readonly reason: string }
  /** The log did not answer, so this check decides nothing. */
  | { readonly type: "unreadable"; readonly reason: string };

/** The properties that the log must have. */
interface Expected {
  /** An entry that this coordinator has read: the log must still have the same entry there. */
  readonly anchor: Place;
  readonly epoch: number;
  readonly appliedSeq: number;
  /**
   * Returns the sequence that the log must reach back to. The check calls it after the log has answered, because a trim
   * may raise it in between.
   */
  readonly floorSeq: () => number;
}

/** Compares the log with the expected properties. */
async function inspect(log: Log, expected: Expected): Promise<LogHealth> {
  const { anchor, epoch, appliedSeq } = expected;
  const doubtful = (reason: string): LogHealth => ({ type: "doubtful", reason });
  const foreign = (reason: string): LogHealth => ({ type: "foreign", reason });
  try {
    const { messages, firstSeq, lastSeq } = await log.info();
    if (messages > 0) {
      const first = await log.get(firstSeq);
      const head = first === null ? {} : readJson(first);
      if (typeof head.logId === "string" && head.logId !== anchor.logId) {
        return foreign(`the log was replaced: it is ${head.logId}, and was ${anchor.logId}`);
      }
      const genesis = isJsonObject(head) ? readGenesis(head) : null;
      if (genesis?.ok && genesis.epoch > epoch)
        return foreign(`the log was recovered as epoch ${genesis.epoch}`);
    }
    if (lastSeq < appliedSeq)
      return doubtful(`the log ends at ${lastSeq}, below ${appliedSeq} that was read`);
    const floorSeq = expected.floorSeq();
    if (firstSeq > floorSeq) {
      return doubtful(`the log begins at ${firstSeq}: entries from ${floorSeq} on are gone`);
    }
    if (anchor.seq >= firstSeq) {
      const chain = await readChain(log, anchor.seq);
      if (chain === null) return doubtful(`entry ${anchor.seq} is gone`);
      if (chain !== anchor.chain) return foreign(`the log was replaced: entry ${anchor.seq} is another one`);
    }
    return { type: "sound", lastSeq };
  } catch (error) {
    return isStreamMissing(error)
      ? doubtful("the log's stream is gone")
      : { type: "unreadable", reason: (error as Error).message };
  }
}

/** The watch over one log. */
export class LogWatch {
  /** The highest sequence seen in the log, by a check or by an entry. */
  lastSeq = 0;
  /** The problem that the last check found; null when it found none. */
  problem: string | null = "not checked yet";
  readonly #parts;
  /** The last applied entry at the previous check: by now every replica of the stream has it. */
  #anchor: Place;
  #timer: NodeJS.Timeout | undefined;
  #doubtSinceMs: number | null = null;
  /**
   * The start time of each kept check, and the last sequence that it found. After `ageMs` has removed older checks, the
   * first one is the newest check whose entries are all applied.
   */
  readonly #checks: { readonly atMs: number; readonly lastSeq: number }[] = [];
  #isStopped = false;

  constructor(parts: {
    log: Log;
    epoch: number;
    /** The last entry that was applied. */
    place: () => Place;
    floorSeq: () => number;
    clock: Clock;
    doubtMs: number;
    /** Called when the log is lost, with the reason. */
    onLost: (reason: string) => void;
  }) {
    this.#parts = parts;
    this.#anchor = parts.place();
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), INSPECT_INTERVAL_MS);
    void this.check();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** The age, in ms, of the newest check whose entries are all applied now; Infinity without such a check. */
  get ageMs(): number {
    const { clock, place } = this.#parts;
    const { seq } = place();
    while ((this.#checks[1]?.lastSeq ?? Number.POSITIVE_INFINITY) <= seq) this.#checks.shift();
    const [newest] = this.#checks;
    return newest === undefined || newest.lastSeq > seq
      ? Number.POSITIVE_INFINITY
      : Math.max(0, clock.now() - newest.atMs);
  }

  /** Records that the log has an entry at `seq`. */
  note(seq: number): void {
    this.lastSeq = Math.max(this.lastSeq, seq);
  }

  /** Checks the log once; `start` repeats it at an interval. */
  async check(): Promise<void> {
    const { log, epoch, place, floorSeq, clock, doubtMs, onLost } = this.#parts;
    const atMs = clock.now();
    const anchor = this.#anchor;
    const applied = place();
    const health = await inspect(log, {
      anchor,
      epoch,
      appliedSeq: applied.seq,
      floorSeq,
    });
    if (this.#isStopped) return;
    if (health.type === "sound") {
      this.note(health.lastSeq);
      this.problem = null;
      this.#doubtSinceMs = null;
      this.#anchor = applied;
      this.#checks.push({ atMs, lastSeq: health.lastSeq });
      if (this.#checks.length > MAX_CHECKS_KEPT) this.#checks.splice(1, 1);
      return;
    }
    this.problem = health.reason;
    if (health.type === "unreadable") return;
    this.#doubtSinceMs ??= clock.now();
    if (health.type === "foreign" || clock.now() - this.#doubtSinceMs >= doubtMs) onLost(health.reason);
  }
}
