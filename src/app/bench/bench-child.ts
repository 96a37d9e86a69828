// One process of a benchmark, seen from the process that measures: it gets orders and answers each one.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ProcessAnswer, ProcessOrder, ProcessSetup } from "./bench-process.ts";

/** The program of the child, as source or compiled. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "bench-process.ts" : "bench-process.js", import.meta.url),
);

/** A child that runs bench-process.ts. */
export class BenchProcess {
  readonly #child: ChildProcess;
  #waiting: { resolve(answer: ProcessAnswer): void; reject(error: Error): void } | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message: { answer?: ProcessAnswer; error?: string }) => {
      if (message.answer !== undefined) this.#waiting?.resolve(message.answer);
      if (message.error !== undefined) this.#waiting?.reject(new Error(message.error));
    });
    child.on("exit", (code, signal) =>
      this.#waiting?.reject(
        new Error(
          `expected an answer, but a process of the benchmark ended (${signal ?? code}); its messages are above`,
        ),
      ),
    );
  }

  static open(setup: ProcessSetup): Promise<BenchProcess> {
    const child = fork(PROGRAM, [JSON.stringify(setup)], {
      env: { ...process.env, MURMUR_ECHO_SLOTS: String(setup.inFlight) },
    });
    const part = new BenchProcess(child);
    return new Promise((resolve, reject) => {
      child.once("message", () => resolve(part));
      child.once("exit", (code) =>
        reject(
          new Error(`a process of the benchmark did not start (exit code ${code}); its messages are above`),
        ),
      );
    });
  }

  ask(order: ProcessOrder): Promise<ProcessAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.send(order);
    });
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
