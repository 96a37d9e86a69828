// The backlog of ballots that wait for enough agents. The control log holds the time since each one waits; the reason is
// only in memory. The ballots' tasks stay in the queue, and the hosts that received them ask again and again.
import { dropOldest } from "../../../base/index.ts";
import { toSwarmError } from "../../../protocol/index.ts";
import type { Office } from "../../office/office.ts";
import { Batch } from "../batch.ts";
import { MAX_WAITING } from "../state/bounds.ts";
import { AgentsMissing } from "./prepare.ts";

/** A ballot that no host asked for in this time does not wait any more; in ms. Twice the longest pause between two asks. */
const STALE_AFTER_MS = 10_000;
/** The bytes that one wait takes in the control log, about. */
const WAIT_BYTES = 128;

/** A ballot that waits: since when, and until when it may; ms since 1970. */
interface Wait {
  readonly id: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** The reason why a ballot waits, when a host last asked. */
interface Reason {
  readonly askedAtMs: number;
  readonly why: string;
  /** The capability of each seat without an agent. */
  readonly vacant: readonly string[];
}

/** The ballots that wait for agents, as the coordinator in office knows them. */
export class BallotBacklog {
  readonly #office: Office;
  readonly #waits: Batch<Wait>;
  readonly #reasons = new Map<string, Reason>();
  readonly #onWait: (id: string, why: string) => void;

  /** `onWait` is called each time that a ballot could not be opened because of too few agents. */
  constructor(office: Office, onWait: (id: string, why: string) => void) {
    this.#office = office;
    this.#waits = new Batch(office, (waits) => ({ type: "ballots-wait", waits }));
    this.#onWait = onWait;
  }

  /**
   * Opens the ballot, or notes why it waits. `open` gets the time since the ballot waits, which is now for a ballot that did
   * not wait before. The control log keeps that time, so that a change of leader does not restart the wait. While the
   * control log has no room for it, the wait has not begun.
   * @throws SwarmError the error of `open`, or of {@link Batch.add}.
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
      const vacant = error instanceof AgentsMissing ? error.vacant : [];
      this.#reasons.set(id, { askedAtMs: nowMs, why, vacant });
      dropOldest(this.#reasons, MAX_WAITING);
      this.#onWait(id, why);
      if (!waiting.has(id)) {
        await this.#waits.add({ id, sinceMs, untilMs: sinceMs + Math.ceil(timeoutMs) }, WAIT_BYTES);
      }
      throw error;
    }
  }

  /** The reason why a ballot waits; undefined when it does not wait. */
  whyWaiting(id: string, nowMs: number): string | undefined {
    const reason = this.#reasons.get(id);
    return reason !== undefined && nowMs <= reason.askedAtMs + STALE_AFTER_MS ? reason.why : undefined;
  }

  /** The seats without an agent of the ballots that wait now, counted by capability. */
  countVacancies(nowMs: number): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { askedAtMs, vacant } of this.#reasons.values()) {
      if (nowMs > askedAtMs + STALE_AFTER_MS) continue;
      for (const capability of vacant) counts.set(capability, (counts.get(capability) ?? 0) + 1);
    }
    return counts;
  }

  /** Forgets all reasons. */
  clear(): void {
    this.#reasons.clear();
  }
}
