// Watches that the control log is still the one that was read: looks at it again and again, counts how far it goes, and
// says when it is lost. Owns the doubt; what is done about it is the driver's.

import type { Clock } from "../../base/index.ts";
import { readGenesis } from "../../consensus/index.ts";
import { isJsonObject } from "../../protocol/index.ts";
import { isStreamMissing, type Log } from "../../transport/index.ts";
import { readJson } from "./control-log.ts";
import { type Place, readChain } from "./start-point.ts";

/** How often a coordinator looks whether the log is still its log. */
const INSPECT_INTERVAL_MS = 2_000;
/**
 * How long a log must look wrong before it is believed: a stream leader that is cut off from its group answered a stale
 * tip for over 40 s.
 */
export const DOUBT_MS = 45_000;

/** Looks that are remembered while their entries are not applied yet: two minutes of them. */
const MAX_CHECKS_KEPT = 60;

/** What a look at the log shows. */
type LogHealth =
  | { readonly type: "sound"; readonly lastSeq: number }
  /** Certain: it is another log, or begins a later epoch. */
  | { readonly type: "foreign"; readonly reason: string }
  /** Gone, or less than what was read. A server that is cut off from its group may say so for a while. */
  | { readonly type: "doubtful"; readonly reason: string }
  | { readonly type: "unreadable"; readonly reason: string };

/** What the watched log must be. */
interface Expected {
  /** A place that was read. */
  readonly anchor: Place;
  readonly epoch: number;
  readonly appliedSeq: number;
  /** The log must reach back to this sequence, as it is known once the log has answered: it may be trimmed meanwhile. */
  readonly floorSeq: () => number;
}

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

/** A watch over one log. */
export class LogWatch {
  /** The last sequence that was seen, by whatever way. */
  lastSeq = 0;
  /** What the last look found wrong; null when nothing was. */
  problem: string | null = "not looked at yet";
  readonly #parts;
  /** Taken one look before it is compared: by then every replica has it. */
  #anchor: Place;
  #timer: NodeJS.Timeout | undefined;
  #doubtSinceMs: number | null = null;
  /** When looks began and how far the log went then; the first is the newest that is applied, if any is. */
  readonly #looks: { readonly atMs: number; readonly lastSeq: number }[] = [];
  #isStopped = false;

  constructor(parts: {
    log: Log;
    epoch: number;
    /** The last entry that was applied. */
    place: () => Place;
    floorSeq: () => number;
    clock: Clock;
    doubtMs: number;
    /** The log is lost, with the reason. */
    onLost: (reason: string) => void;
  }) {
    this.#parts = parts;
    this.#anchor = parts.place();
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), INSPECT_INTERVAL_MS);
    void this.look();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** How long ago a look at the log began that found no more than is applied now, in ms; Infinity when none did. */
  get ageMs(): number {
    const { clock, place } = this.#parts;
    const { seq } = place();
    while ((this.#looks[1]?.lastSeq ?? Number.POSITIVE_INFINITY) <= seq) this.#looks.shift();
    const [newest] = this.#looks;
    return newest === undefined || newest.lastSeq > seq
      ? Number.POSITIVE_INFINITY
      : Math.max(0, clock.now() - newest.atMs);
  }

  /** An entry is known to stand at `seq`. */
  note(seq: number): void {
    this.lastSeq = Math.max(this.lastSeq, seq);
  }

  /** Looks once; `start` does it again and again. */
  async look(): Promise<void> {
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
      this.#looks.push({ atMs, lastSeq: health.lastSeq });
      if (this.#looks.length > MAX_CHECKS_KEPT) this.#looks.splice(1, 1);
      return;
    }
    this.problem = health.reason;
    if (health.type === "unreadable") return;
    this.#doubtSinceMs ??= clock.now();
    if (health.type === "foreign" || clock.now() - this.#doubtSinceMs >= doubtMs) onLost(health.reason);
  }
}
