// Ballots that wait for enough agents: since when, which stands in the log, and what they wait for, which is soft. Their
// tasks are in the queue, and the hosts that hold them ask again.
import { dropOldest } from "../../../base/index.ts";
import { toSwarmError } from "../../../protocol/index.ts";
import type { Office } from "../../office/office.ts";
import { Batch } from "../batch.ts";
import { MAX_WAITING } from "../state/bounds.ts";

/** After this long without being asked about a ballot nobody waits for it any more, in ms: twice the longest pause. */
const FORGOTTEN_AFTER_MS = 10_000;
/** What the log holds of one wait, in bytes, about. */
const WAIT_BYTES = 128;

/** Since when a ballot waits, and when its time is over; ms since 1970. */
interface Wait {
  readonly id: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** The ballots that wait, as the holder of the office knows them. */
export class WaitingBallots {
  readonly #office: Office;
  readonly #waits: Batch<Wait>;
  readonly #reasons = new Map<string, { readonly askedAtMs: number; readonly why: string }>();
  readonly #onWait: (id: string, why: string) => void;

  /** `onWait` is told each time that a ballot waits on. */
  constructor(office: Office, onWait: (id: string, why: string) => void) {
    this.#office = office;
    this.#waits = new Batch(office, (waits) => ({ type: "ballots-wait", waits }));
    this.#onWait = onWait;
  }

  /**
   * Opens the ballot, or notes why it waits. `open` is told since when it does: now, when it did not. The first time goes into
   * the log, so that the wait is as long whoever holds the office; without room there it is not counted yet.
   * @throws SwarmError what `open` throws; as {@link Batch.add} does.
   */
  async attempt<T>(
    { id, timeoutMs }: { id: string; timeoutMs: number },
    nowMs: number,
    open: (sinceMs: number) => T,
  ): Promise<T> {
    const { waiting } = this.#office.state.ballots;
    const sinceMs = waiting.get(id)?.sinceMs ?? nowMs;
    if (this.#reasons.size > 0) this.#reasons.delete(id);
    try {
      return open(sinceMs);
    } catch (error) {
      const { code, message: why } = toSwarmError(error);
      if (code !== "unavailable") throw error;
      this.#reasons.set(id, { askedAtMs: nowMs, why });
      dropOldest(this.#reasons, MAX_WAITING);
      this.#onWait(id, why);
      if (!waiting.has(id)) {
        await this.#waits.add({ id, sinceMs, untilMs: sinceMs + Math.ceil(timeoutMs) }, WAIT_BYTES);
      }
      throw error;
    }
  }

  /** What it waits for; undefined when it does not. */
  why(id: string, nowMs: number): string | undefined {
    const reason = this.#reasons.get(id);
    return reason !== undefined && nowMs <= reason.askedAtMs + FORGOTTEN_AFTER_MS ? reason.why : undefined;
  }

  clear(): void {
    this.#reasons.clear();
  }
}
