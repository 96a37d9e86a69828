// The connection to the shared log and back. It is slow, and sometimes the answer to an append is lost.

import type { Append, AppendOutcome, SharedLog } from "./shared-log.ts";
import type { Stage } from "./stage.ts";

/** The faults of the connection to the log. */
export const WIRE_FAULTS = [
  "unknown append stored",
  "unknown append stored late",
  "unknown append never stored",
  "append refused",
  "log slow",
] as const;

/** The reply to an append, as the node gets it. */
export type AppendReply = Exclude<AppendOutcome, "gone"> | "unknown";

/** A connection with fault rates drawn from the seed. */
export class LogWire {
  readonly #stage: Stage;
  readonly #log: SharedLog;
  readonly #unknown: number;
  readonly #delayMax: number;
  #slowUntil = 0;

  constructor(stage: Stage, log: SharedLog) {
    this.#stage = stage;
    this.#log = log;
    this.#unknown = stage.pick([0, 0.1, 0.3, 0.6]);
    this.#delayMax = stage.pick([1, 3, 8]);
  }

  slowDown(until: number): void {
    this.#slowUntil = until;
  }

  /** Sends an append to the log. `tell` is called once with the reply. */
  ask(append: Append, tell: (reply: AppendReply) => void): void {
    const stage = this.#stage;
    if (!stage.strikes(this.#unknown)) {
      stage.at(this.#delay(), () => {
        const outcome = this.#store(append);
        stage.at(this.#delay(), () => tell(outcome === "gone" ? "unknown" : outcome));
      });
      return;
    }
    const fate = stage.between(1, 3);
    stage.at(this.#delay(), () => {
      if (fate === 1 && isAccepted(this.#store(append))) stage.count("unknown append stored");
      if (fate === 2) stage.count("unknown append never stored");
      stage.at(1, () => tell("unknown"));
    });
    if (fate !== 3) return;
    stage.at(this.#delay() + stage.between(1, 30), () => {
      if (isAccepted(this.#store(append))) stage.count("unknown append stored late");
    });
  }

  #store(append: Append): AppendOutcome {
    const outcome = this.#log.append(append);
    if (outcome !== "gone" && "refused" in outcome) this.#stage.count("append refused");
    return outcome;
  }

  #delay(): number {
    if (this.#stage.isHealed) return 1;
    const isSlow = this.#slowUntil > this.#stage.now;
    if (isSlow) this.#stage.count("log slow");
    return this.#stage.between(1, isSlow ? 40 : this.#delayMax);
  }
}

function isAccepted(outcome: AppendOutcome): boolean {
  return outcome !== "gone" && "accepted" in outcome;
}
