// Ballots that wait for enough agents: since when, and what they wait for. Soft: their tasks are in the queue, and the hosts
// that hold them ask again; with another holder of the office their time begins anew.
import { toSwarmError } from "../../protocol/index.ts";

/** Ballots that are remembered as waiting; of one that is forgotten the time begins anew. The oldest makes room. */
const MAX_WAITING = 4_096;
/** After this long without being asked about a ballot nobody waits for it any more, in ms: twice the longest pause. */
const FORGOTTEN_AFTER_MS = 10_000;

interface Waiting {
  readonly sinceMs: number;
  readonly askedAtMs: number;
  readonly why: string;
}

/** The ballots that wait, as the holder of the office knows them. */
export class WaitingBallots {
  readonly #waiting = new Map<string, Waiting>();

  readonly #onWait: (id: string, why: string) => void;

  /** `onWait` is told each time that a ballot waits on. */
  constructor(onWait: (id: string, why: string) => void) {
    this.#onWait = onWait;
  }

  /** Opens the ballot, or notes why it waits. `open` is told since when it does: now, when it did not. */
  attempt<T>(id: string, nowMs: number, open: (sinceMs: number) => T): T {
    const sinceMs = this.#find(id, nowMs)?.sinceMs ?? nowMs;
    this.#waiting.delete(id);
    try {
      return open(sinceMs);
    } catch (error) {
      const why = toSwarmError(error).message;
      this.#waiting.set(id, { sinceMs, askedAtMs: nowMs, why });
      if (this.#waiting.size > MAX_WAITING) this.#waiting.delete(this.#waiting.keys().next().value as string);
      this.#onWait(id, why);
      throw error;
    }
  }

  /** What it waits for; undefined when it does not. */
  why(id: string, nowMs: number): string | undefined {
    return this.#find(id, nowMs)?.why;
  }

  clear(): void {
    this.#waiting.clear();
  }

  #find(id: string, nowMs: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    return waiting === undefined || nowMs > waiting.askedAtMs + FORGOTTEN_AFTER_MS ? undefined : waiting;
  }
}
