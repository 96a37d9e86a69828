// One process of a benchmark, seen from the process that measures: it gets orders and answers each one.
// W1: every wait is bounded. A process must start within START_LIMIT_MS, and a job of an order must end within STALL_LIMIT_MS after the
//     one before; else the benchmark fails, because a message that was lost would let it wait for ever.
// W2: a process that ends by itself fails the whole benchmark: the process that waits is often another one.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { untilAborted } from "../../base/index.ts";
import type { ProcessAnswer, ProcessMessage, ProcessOrder, ProcessSetup } from "./bench-process.ts";

/** The program of the child, as source or compiled. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "bench-process.ts" : "bench-process.js", import.meta.url),
);

/** The longest start of a process, in ms (W1): on a busy machine a process needs 10 s to load, and a coordinator 9 s for the office. */
const START_LIMIT_MS = 60_000;
/**
 * The longest time without the end of a job, in ms (W1). A redelivery takes the ack-wait (10 s; 30 s in a bare loop), and the election of
 * a stream's leader up to 9 s more.
 */
const STALL_LIMIT_MS = 60_000;

/** The rest of the benchmark, as one of its processes sees it. */
interface BenchLife {
  /** Ends every wait for the process. */
  readonly signal: AbortSignal;
  /** Called when the process ends without `close` (W2). */
  onEnded(error: Error): void;
  /** Default {@link STALL_LIMIT_MS}. */
  readonly stallLimitMs?: number | undefined;
}

/** A child that runs bench-process.ts. */
export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #kind: ProcessSetup["kind"];
  readonly #life: BenchLife;
  #waiting:
    | { onJobs(jobs: number): void; resolve(answer: ProcessAnswer): void; reject(error: Error): void }
    | undefined;
  #isClosed = false;

  private constructor(child: ChildProcess, kind: ProcessSetup["kind"], life: BenchLife) {
    this.#child = child;
    this.#kind = kind;
    this.#life = life;
    child.on("message", (message: ProcessMessage) => {
      if ("jobs" in message) this.#waiting?.onJobs(message.jobs);
      else if ("answer" in message) this.#waiting?.resolve(message.answer);
      else if ("error" in message) this.#waiting?.reject(new Error(message.error));
    });
    child.on("exit", (code, signal) => {
      if (this.#isClosed) return;
      const end = `the process ${kind} of the benchmark ended (${signal ?? code}); its messages are above`;
      life.onEnded(new Error(`expected it to run until the end, but ${end}`));
    });
  }

  /** Starts a process. @throws Error when it ends first, or is not ready in time (W1); the reason of the signal. */
  static async open(setup: ProcessSetup, life: BenchLife): Promise<BenchProcess> {
    const child = fork(PROGRAM, [JSON.stringify(setup)], {
      env: { ...process.env, MURMUR_ECHO_SLOTS: String(setup.inFlight) },
    });
    const part = new BenchProcess(child, setup.kind, life);
    const ready = Promise.withResolvers<void>();
    child.once("message", () => ready.resolve());
    const late = setTimeout(() => {
      const message = `the process ${setup.kind} of the benchmark was not ready within ${START_LIMIT_MS / 1000} s; run the benchmark again on a machine with less work`;
      ready.reject(new Error(message));
    }, START_LIMIT_MS);
    try {
      await untilAborted(ready.promise, life.signal);
      return part;
    } catch (error) {
      await part.close();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /** Gives an order and resolves to the answer. @throws Error of the process, or when its jobs do not end (W1); the reason of the signal. */
  async ask(order: ProcessOrder): Promise<ProcessAnswer> {
    const { signal, stallLimitMs = STALL_LIMIT_MS } = this.#life;
    const answer = Promise.withResolvers<ProcessAnswer>();
    let jobs = 0;
    const stalled = setTimeout(() => {
      const done = "count" in order ? `after ${jobs} of ${order.count} jobs, ` : "";
      const message = `the process ${this.#kind} of the benchmark: ${done}no job of ${order.op} ended for ${stallLimitMs / 1000} s, so a message was lost, or its other side hangs; run the benchmark again`;
      answer.reject(new Error(message));
    }, stallLimitMs);
    const onJobs = (now: number) => {
      if (now > jobs) stalled.refresh();
      jobs = now;
    };
    this.#waiting = { onJobs, resolve: answer.resolve, reject: answer.reject };
    try {
      this.#child.send(order);
      return await untilAborted(answer.promise, signal);
    } finally {
      clearTimeout(stalled);
      this.#waiting = undefined;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
