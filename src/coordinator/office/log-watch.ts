// Watches that the control log is still the one that was read: looks at it again and again, counts how far it goes, and
// says when it is lost. Owns the doubt; what is done about it is the driver's.
import type { Clock } from "../../base/index.ts";
import type { Genesis } from "../../consensus/index.ts";
import type { Log } from "../../transport/index.ts";
import { inspectLog } from "./control-log.ts";

/** How often a coordinator looks whether the log is still its log. */
const INSPECT_INTERVAL_MS = 2_000;
/**
 * How long a log must look wrong before it is believed: a stream leader that is cut off from its group answered a stale
 * tip for over 40 s.
 */
export const DOUBT_MS = 45_000;

/** A watch over one log. */
export class LogWatch {
  /** The last sequence that was seen, by whatever way. */
  lastSeq = 0;
  /** What the last look found wrong; null when nothing was. */
  problem: string | null = "not looked at yet";
  readonly #parts;
  #timer: NodeJS.Timeout | undefined;
  #doubtSinceMs: number | null = null;
  #isStopped = false;

  constructor(parts: {
    log: Log;
    genesis: Genesis;
    appliedSeq: () => number;
    clock: Clock;
    doubtMs: number;
    /** The log is lost, with the reason. */
    onLost: (reason: string) => void;
  }) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#look(), INSPECT_INTERVAL_MS);
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** An entry is known to stand at `seq`. */
  note(seq: number): void {
    this.lastSeq = Math.max(this.lastSeq, seq);
  }

  async #look(): Promise<void> {
    const { log, genesis, appliedSeq, clock, doubtMs, onLost } = this.#parts;
    const health = await inspectLog(log, genesis, appliedSeq());
    if (this.#isStopped) return;
    if (health.type === "sound") {
      this.note(health.lastSeq);
      this.problem = null;
      this.#doubtSinceMs = null;
      return;
    }
    this.problem = health.reason;
    if (health.type === "unreadable") return;
    this.#doubtSinceMs ??= clock.now();
    if (health.type === "foreign" || clock.now() - this.#doubtSinceMs >= doubtMs) onLost(health.reason);
  }
}
