// A comparison of two sides in alternate rounds, so that a machine that becomes slower slows both down.
import type { BenchProcess } from "./bench-child.ts";
import type { ProcessAnswer, ProcessOrder } from "./bench-process.ts";
import { cpuTimes, MICROSECONDS } from "./cpu-times.ts";
import type { BenchFigure } from "./figure.ts";
import { PairedFigures } from "./paired-figures.ts";
import type { BenchOptions } from "./scenario.ts";

/** A comparison. */
export interface Comparison {
  order: ProcessOrder;
  figure: Pick<BenchFigure, "scenario" | "name" | "unit" | "goal">;
  read(answer: ProcessAnswer): number;
  /** Whether the goal is met, given the ratio to the bare loop and the figure of Murmur. */
  met(ratio: number, figure: number): boolean;
  /** Also measures the CPU time for each of the `jobs` of one round, in the serving processes and in the server. */
  cpu?: {
    jobs: number;
    job: string;
    worker: { name: string; goal?: string; met?(ratio: number): boolean };
  };
}

/** One side of a comparison: the process that measures, the processes that serve it, and their server. */
export interface Side {
  readonly publisher: BenchProcess;
  readonly serving: readonly BenchProcess[];
  readonly serverPid: number | null;
}

/** Runs the rounds of both sides alternately. */
export async function alternate(
  { rounds, onProgress }: Pick<BenchOptions, "rounds" | "onProgress">,
  what: Comparison,
  { bare, murmur }: { bare: Side; murmur: Side },
): Promise<BenchFigure[]> {
  const rates = new PairedFigures();
  const workerCpu = new PairedFigures();
  const serverCpu = new PairedFigures();
  const run = async ({ publisher, serving, serverPid }: Side) => {
    const before = await cpuTimes(serving, serverPid);
    const figure = what.read(await publisher.ask(what.order));
    const after = await cpuTimes(serving, serverPid);
    return { figure, worker: after.worker - before.worker, server: after.server - before.server };
  };
  // Round 0 warms up both and is not counted.
  for (let round = 0; round <= rounds; round++) {
    onProgress(`${what.figure.name}: round ${round} of ${rounds}`);
    const theirs = await run(bare);
    const ours = await run(murmur);
    if (round === 0) continue;
    rates.add(ours.figure, theirs.figure);
    const unit = MICROSECONDS / (what.cpu?.jobs ?? 1);
    workerCpu.add(ours.worker * unit, theirs.worker * unit);
    serverCpu.add(ours.server * unit, theirs.server * unit);
  }
  const figures = [rates.figure(what.figure, what.met)];
  if (what.cpu === undefined) return figures;
  const { job, worker } = what.cpu;
  const { scenario } = what.figure;
  const cpu = (name: string) => ({ scenario, name: `CPU time per ${job}, ${name}`, unit: "µs" });
  figures.push(workerCpu.figure({ ...cpu(worker.name), goal: worker.goal ?? null }, worker.met));
  if (Number.isFinite(serverCpu.murmur))
    figures.push(serverCpu.figure({ ...cpu("nats-server"), goal: null }));
  return figures;
}
