// Facts about the swarm that a process keeps: it reads them from NATS in the background, so that a scrape, a probe or a request waits
// for nothing, also while NATS is away. The last value stays with its age until the next one is there.
// K1: a fact has at most one read in flight.
// K2: reads take at most a fifth of the time, or the share of the fact: a slow server is asked less often.
import { createService, type Logger, type Meter, type Service } from "../../base/index.ts";

/** The shortest time between two reads of a fact, in ms: a problem is to be seen within 5 s, and a read takes some 10 ms. */
export const FACTS_INTERVAL_MS = 2_000;
/** The time between two looks for facts that are due, and for the ages of all, in ms. */
const FACTS_LOOK_MS = 500;
/** The share of the time that the reads of a fact may take (K2). */
const DUTY_SHARE = 1 / 5;

/** One kept fact. */
export interface Kept<T> {
  /** The last value; null before the first read. */
  readonly value: T | null;
  /** When the last value was read, by `performance.now()`. */
  readonly readAtMs: number;
  /** The reason why the last read failed; null after a good one. */
  readonly problem: string | null;
}

/** A fact that is read again and again. */
export class KeptFact<T> implements Kept<T> {
  readonly name: string;
  readonly #read: () => Promise<T>;
  readonly #show: (value: T) => void;
  readonly #nowMs: () => number;
  readonly #intervalMs: number;
  readonly #dutyShare: number;
  value: T | null = null;
  readAtMs = Number.NEGATIVE_INFINITY;
  problem: string | null = null;
  #reading: Promise<void> | null = null;
  #dueAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: {
    /** A short word: the label of `murmur_facts_age_seconds`. */
    name: string;
    read: () => Promise<T>;
    /** Hears of each new value, for the gauges. */
    show?: (value: T) => void;
    /** The shortest time from the start of a read to that of the next one, in ms; default {@link FACTS_INTERVAL_MS}. */
    intervalMs?: number;
    /** The share of the time that the reads may take; default {@link DUTY_SHARE}. */
    dutyShare?: number;
    nowMs?: () => number;
  }) {
    this.name = parts.name;
    this.#read = parts.read;
    this.#show = parts.show ?? (() => undefined);
    this.#intervalMs = parts.intervalMs ?? FACTS_INTERVAL_MS;
    this.#dutyShare = parts.dutyShare ?? DUTY_SHARE;
    this.#nowMs = parts.nowMs ?? (() => performance.now());
  }

  /** The age of the value in seconds; null before the first read. */
  get ageSeconds(): number | null {
    return this.value === null ? null : Math.max(0, this.#nowMs() - this.readAtMs) / 1_000;
  }

  get isDue(): boolean {
    return this.#nowMs() >= this.#dueAtMs;
  }

  /** Reads the fact now, or waits for the read in flight (K1). Never rejects. */
  refresh(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const startedMs = this.#nowMs();
    try {
      const value = await this.#read();
      this.value = value;
      this.readAtMs = this.#nowMs();
      this.problem = null;
      this.#show(value);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    const tookMs = this.#nowMs() - startedMs;
    this.#dueAtMs = startedMs + Math.max(this.#intervalMs, tookMs / this.#dutyShare); // K2
  }
}

/** The part of a fact that its keeper needs. */
type KeepableFact = Pick<KeptFact<unknown>, "name" | "ageSeconds" | "isDue" | "problem" | "refresh">;

/** Keeps these facts while it runs, and `murmur_facts_age_seconds` of each. */
export function keepFacts(parts: {
  facts: readonly KeepableFact[];
  meter: Pick<Meter, "factsAgeSeconds">;
  isConnected: () => boolean;
  log: Logger;
}): Service {
  const { facts, meter, isConnected, log } = parts;
  const told = new Map<string, string | null>();
  let timer: NodeJS.Timeout | undefined;
  const showAges = () =>
    meter.factsAgeSeconds.replace(
      facts.flatMap((fact) =>
        fact.ageSeconds === null ? [] : [{ labels: { facts: fact.name }, value: fact.ageSeconds }],
      ),
    );
  const look = () => {
    for (const fact of facts) {
      if (!isConnected() || !fact.isDue) continue;
      void fact.refresh().then(() => {
        if (fact.problem !== null && told.get(fact.name) !== fact.problem)
          log.warn({ facts: fact.name, problem: fact.problem }, "facts not read; keeping the last ones");
        told.set(fact.name, fact.problem);
      });
    }
    showAges();
  };
  return createService({
    name: "facts",
    start() {
      timer = setInterval(look, FACTS_LOOK_MS);
      look();
    },
    async stop() {
      clearInterval(timer);
    },
  });
}
