// The swarm's clock: this machine's clock, corrected to the time of the NATS server. All processes of a swarm read times
// that others wrote (messages, leases, schedules), and the server delivers schedules by its own clock. Without the
// correction, a machine whose clock is 40 s ahead would delay a retry of 12 s by 52 s.
// I1: the skew comes from measurements only. While it is unknown the clock is this machine's own.
// I2: a small skew is not corrected, so that machines with synchronised clocks never see a correction.
import { type Clock, type Logger, systemClock } from "../base/index.ts";

/** The smallest skew that is corrected, in ms (I2): far above the error of NTP and of a measurement. */
const CORRECT_FROM_MS = 500;
/** Below this skew, in ms, a correction ends. Lower than {@link CORRECT_FROM_MS}, so that it does not begin and end in turns. */
const CORRECT_TO_MS = 250;
/** A measurement with a longer round trip, in ms, says too little. */
const MAX_ROUND_TRIP_MS = 1_000;
/** The requests of one measurement; the fastest one counts, because its error is the smallest. */
const SAMPLES = 3;
/** How long a measurement is valid, in ms. A clock that NTP does not discipline drifts by at most 500 ppm: 15 ms in this time. */
const MEASUREMENT_VALID_MS = 30_000;
/** How often a kept clock compares this machine's two clocks, in ms, to notice that the wall clock was set. */
const CLOCK_CHECK_MS = 1_000;
/** When the difference between the two clocks changes by this much, in ms, the wall clock was set. */
const SET_FROM_MS = 250;

/** The smallest skew that people are warned of, in ms: leases and limits of the swarm have tolerances of a few seconds. */
export const SKEW_WARNING_MS = 2_000;

/** One answer of the server: its time, and this machine's wall clock before the request and after the answer. */
export interface TimeSample {
  readonly serverMs: number;
  readonly sentAtMs: number;
  readonly roundTripMs: number;
}

/**
 * The skew (this machine's clock minus the server's) by the fastest sample, in ms; null when no sample is good enough. The
 * error is at most half of that sample's round trip (Cristian's algorithm).
 */
export function skewOf(samples: readonly TimeSample[]): number | null {
  const good = samples.filter(({ roundTripMs }) => roundTripMs >= 0 && roundTripMs <= MAX_ROUND_TRIP_MS);
  const [best] = good.sort((one, other) => one.roundTripMs - other.roundTripMs);
  return best === undefined ? null : Math.round(best.sentAtMs + best.roundTripMs / 2 - best.serverMs);
}

/** The correction for a skew, in ms, when `present` is in force (I2). */
export function correctionOf(skewMs: number, present: number): number {
  const from = present === 0 ? CORRECT_FROM_MS : CORRECT_TO_MS;
  return Math.abs(skewMs) >= from ? -skewMs : 0;
}

/** A text for people about a skew of at least {@link SKEW_WARNING_MS}; null for a smaller or unknown one. */
export function describeSkew(skewMs: number | null): string | null {
  if (skewMs === null || Math.abs(skewMs) < SKEW_WARNING_MS) return null;
  return `this machine's clock is ${(Math.abs(skewMs) / 1_000).toFixed(1)} s ${skewMs > 0 ? "ahead of" : "behind"} the NATS server's; set it, for example with NTP`;
}

/**
 * Returns a function that takes each measured skew, in ms, and passes it on to `onSkew`. It logs one line when a skew of {@link describeSkew}
 * begins, and one when it ends.
 */
export function createSkewLog(
  log: Pick<Logger, "warn" | "info">,
  onSkew: (skewMs: number) => void,
): (skewMs: number) => void {
  let isTold = false;
  return (skewMs) => {
    onSkew(skewMs);
    const problem = describeSkew(skewMs);
    if ((problem !== null) === isTold) return;
    isTold = problem !== null;
    if (problem === null) log.info({ skewMs }, "this machine's clock agrees with the NATS server's again");
    else log.warn({ skewMs }, `${problem}; this process corrects its times until then`);
  };
}

/** The swarm's clock. */
export class SwarmClock implements Clock {
  readonly #readServer: () => Promise<number>;
  readonly #onSkew: (skewMs: number) => void;
  readonly #clock: Clock;
  readonly #steadyMs: () => number;
  #correctionMs = 0;
  #skewMs: number | null = null;
  #measuredAt: { wallMs: number; steadyMs: number } | undefined;
  #measuring: Promise<void> | undefined;
  #keepers = 0;
  #stopWatch: (() => void) | undefined;

  /**
   * @param parts.readServer asks the server for its time, Unix ms.
   * @param parts.onSkew gets each measured skew, in ms.
   * @param parts.steadyMs a clock that is never set, in ms; default the machine's.
   */
  constructor(parts: {
    readServer: () => Promise<number>;
    onSkew?: ((skewMs: number) => void) | undefined;
    clock?: Clock | undefined;
    steadyMs?: (() => number) | undefined;
  }) {
    this.#readServer = parts.readServer;
    this.#onSkew = parts.onSkew ?? (() => undefined);
    this.#clock = parts.clock ?? systemClock;
    this.#steadyMs = parts.steadyMs ?? (() => performance.now());
  }

  now(): number {
    return this.#clock.now() + this.#correctionMs;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(delayMs, run);
  }

  /** This machine's clock minus the server's, in ms, as last measured; null when it was not measured. */
  get skewMs(): number | null {
    return this.#skewMs;
  }

  /**
   * Measures the skew, unless a measurement is valid. Call it before `now` decides about a time that others read. Never
   * rejects: without an answer of the server the clock stays as it is.
   */
  sync(): Promise<void> {
    if (this.#isFresh()) return Promise.resolve();
    return this.#measure();
  }

  /** Keeps the skew measured until the returned function is called: every 30 s, and after the wall clock was set. */
  keep(): () => void {
    if (this.#keepers++ === 0) this.#watch();
    let isKept = true;
    return () => {
      if (!isKept) return;
      isKept = false;
      if (--this.#keepers === 0) this.#stopWatch?.();
    };
  }

  /** True while the last measurement holds: it is young, and the wall clock was not set since. */
  #isFresh(): boolean {
    if (this.#measuredAt === undefined) return false;
    const { wallMs, steadyMs } = this.#measuredAt;
    const passedMs = this.#steadyMs() - steadyMs;
    return passedMs < MEASUREMENT_VALID_MS && Math.abs(this.#clock.now() - wallMs - passedMs) < SET_FROM_MS;
  }

  #watch(): void {
    const timer = setInterval(() => void this.sync(), CLOCK_CHECK_MS);
    timer.unref();
    this.#stopWatch = () => clearInterval(timer);
  }

  #measure(): Promise<void> {
    this.#measuring ??= this.#measureNow().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async #measureNow(): Promise<void> {
    const samples: TimeSample[] = [];
    try {
      for (let count = 0; count < SAMPLES; count++) samples.push(await this.#sample());
    } catch {
      // The server did not answer. The samples so far count.
    }
    this.#measuredAt = { wallMs: this.#clock.now(), steadyMs: this.#steadyMs() };
    const skewMs = skewOf(samples);
    if (skewMs === null) return; // I1
    this.#skewMs = skewMs;
    this.#correctionMs = correctionOf(skewMs, this.#correctionMs);
    this.#onSkew(skewMs);
  }

  async #sample(): Promise<TimeSample> {
    const [sentAtMs, startMs] = [this.#clock.now(), this.#steadyMs()];
    const serverMs = await this.#readServer();
    return { serverMs, sentAtMs, roundTripMs: this.#steadyMs() - startMs };
  }
}
