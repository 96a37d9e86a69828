// Whether a process can do its work. Questions to NATS are asked in the background, so that a probe is answered at once, also
// while NATS is away or slow; kubelet gives up after 1 s.
// I1: `report` waits for nothing.
import type { Meter } from "../../base/index.ts";

/** One condition of readiness. Each look or question gives null when the condition holds, else the problem and what to do. */
export type Check = {
  /** A short word: it names the condition in `/readyz`, and is the label of `murmur_ready`. */
  name: string;
  /** True: a problem is a warning, and the process is ready all the same. */
  isWarning?: true;
} & (
  | { /** Reads the state of this process, whenever the probe asks. */ look(): string | null }
  | { /** Asks NATS, in the background; it is skipped without a connection. */ ask(): Promise<string | null> }
);
type Question = Extract<Check, { ask(): Promise<string | null> }>;

/** The time between two questions after a good answer, in ms; kubelet asks every few seconds. */
const GOOD_INTERVAL_MS = 5_000;
/** The time between two questions after a problem, in ms. */
const BAD_INTERVAL_MS = 1_000;
/** The longest wait for an answer, in ms; then the question counts as unanswered, and is asked again. */
const CHECK_TIMEOUT_MS = 2_000;
const SKIPPED = "skipped: not connected to NATS";

interface Answer {
  problem: string | null;
  atMs: number;
}

/** The conditions of one process, and the last answers. */
export class Readiness {
  readonly #checks: Check[] = [];
  readonly #answers = new Map<Question, Answer>();
  readonly #inFlight = new Set<Question>();
  readonly #meter: Pick<Meter, "ready">;
  readonly #isConnected: () => boolean;
  readonly #nowMs: () => number;

  constructor(parts: {
    meter: Pick<Meter, "ready">;
    isConnected: () => boolean;
    nowMs?: () => number;
  }) {
    this.#meter = parts.meter;
    this.#isConnected = parts.isConnected;
    this.#nowMs = parts.nowMs ?? (() => performance.now());
  }

  add(...checks: readonly Check[]): void {
    this.#checks.push(...checks);
    this.measure();
  }

  /** The state of all conditions, one line each (I1). */
  report(): { isReady: boolean; text: string } {
    const lines = this.#checks.map((check) => {
      const problem = this.#problemOf(check);
      if (problem === null) return { isGood: true, line: `ok   ${check.name}` };
      return check.isWarning === true
        ? { isGood: true, line: `warn ${check.name}: ${problem}` }
        : { isGood: false, line: `FAIL ${check.name}: ${problem}` };
    });
    this.measure();
    return {
      isReady: lines.every(({ isGood }) => isGood),
      text: `${lines.map(({ line }) => line).join("\n")}\n`,
    };
  }

  /** Sets `murmur_ready` of each condition: 1 while it holds. */
  measure(): void {
    for (const check of this.#checks) {
      this.#meter.ready.set({ check: check.name }, this.#problemOf(check) === null ? 1 : 0);
    }
  }

  #problemOf(check: Check): string | null {
    if ("look" in check) return check.look();
    if (!this.#isConnected()) return SKIPPED;
    const answer = this.#answers.get(check);
    return answer === undefined ? "not checked yet" : answer.problem;
  }

  /** Asks all questions now, and resolves when all are answered or late. */
  async refresh(): Promise<void> {
    await Promise.all(this.#checks.filter((check) => "ask" in check).map((check) => this.#ask(check)));
    this.measure();
  }

  /** Asks in the background until the returned function is called. */
  keep(): () => void {
    const timer = setInterval(() => {
      const due = this.#checks.filter((check) => "ask" in check).filter((check) => this.#isDue(check));
      void Promise.all(due.map((check) => this.#ask(check))).then(() => this.measure());
    }, BAD_INTERVAL_MS);
    timer.unref();
    return () => clearInterval(timer);
  }

  #isDue(check: Question): boolean {
    if (!this.#isConnected()) return false;
    const answer = this.#answers.get(check);
    return answer === undefined || answer.problem !== null || this.#nowMs() - answer.atMs >= GOOD_INTERVAL_MS;
  }

  async #ask(check: Question): Promise<void> {
    if (this.#inFlight.has(check)) return;
    this.#inFlight.add(check);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(
        () => resolve(`NATS did not answer within ${CHECK_TIMEOUT_MS} ms`),
        CHECK_TIMEOUT_MS,
      );
    });
    try {
      const problem = await Promise.race([check.ask(), late]);
      this.#answers.set(check, { problem, atMs: this.#nowMs() });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#answers.set(check, { problem, atMs: this.#nowMs() });
    } finally {
      clearTimeout(timer);
      this.#inFlight.delete(check);
    }
  }
}
