// The scenario `steps`: recorded steps against a loop that makes the same appends.
import type { BenchProcess } from "./bench-child.ts";
import type { ProcessOrder } from "./bench-process.ts";
import { cpuTimes, MICROSECONDS } from "./cpu-times.ts";
import { type BenchFigure, STEPS_PER_TASK } from "./figure.ts";
import { PairedFigures } from "./paired-figures.ts";
import type { ScenarioTools } from "./scenario.ts";

/** The number of tasks with steps in flight. */
const STEPPERS_IN_FLIGHT = 64;

/** Measures recorded steps against a loop that makes the same appends, with many tasks in flight and with one. */
export async function measureSteps(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { names, open } = tools;
  const [bare, publisher, stepper] = await Promise.all([
    open("bare-stepper", names.bare),
    open("publisher", names.murmur),
    open("stepper", names.murmur, { inFlight: STEPPERS_IN_FLIGHT }),
  ]);
  const run = async (order: ProcessOrder & { count: number }, serving: BenchProcess, asked: BenchProcess) => {
    const before = await cpuTimes([serving], tools.serverPid);
    const { seconds, medianMs } = await asked.ask(order);
    const server = (await cpuTimes([], tools.serverPid)).server - before.server;
    const after = await serving.ask({ op: "usage" });
    const unit = MICROSECONDS / (order.count * STEPS_PER_TASK);
    return {
      rate: (order.count * STEPS_PER_TASK) / seconds,
      medianMs: asked === serving ? medianMs : after.medianMs,
      worker: (after.cpuSeconds - before.worker) * unit,
      server: server * unit,
    };
  };
  const compareSteps = async (count: number, inFlight: number) => {
    const order = { op: "steps", count, inFlight } as const;
    const figures = {
      rate: new PairedFigures(),
      medianMs: new PairedFigures(),
      worker: new PairedFigures(),
      server: new PairedFigures(),
    };
    for (let round = 0; round <= tools.rounds; round++) {
      tools.onProgress(`steps, ${inFlight} tasks in flight: round ${round} of ${tools.rounds}`);
      const theirs = await run(order, bare, bare);
      const ours = await run(order, stepper, publisher);
      if (round === 0) continue; // it warms up both
      for (const key of ["rate", "medianMs", "worker", "server"] as const)
        figures[key].add(ours[key], theirs[key]);
    }
    return figures;
  };
  const scenario = "steps" as const;
  const many = await compareSteps(
    Math.max(STEPPERS_IN_FLIGHT, Math.floor(tools.tasks / 50)),
    STEPPERS_IN_FLIGHT,
  );
  const alone = await compareSteps(Math.max(5, Math.floor(tools.tasks / 2_000)), 1);
  const cpu = (name: string) => ({ scenario, name: `CPU time per step, ${name}`, unit: "µs", goal: null });
  return [
    many.rate.figure(
      {
        scenario,
        name: `steps, ${STEPPERS_IN_FLIGHT} tasks in flight`,
        unit: "steps/s",
        goal: "≥ 0.5 × bare",
      },
      (ratio) => ratio >= 0.5,
    ),
    many.worker.figure(cpu("worker")),
    ...(Number.isFinite(many.server.murmur) ? [many.server.figure(cpu("nats-server"))] : []),
    alone.medianMs.figure(
      { scenario, name: "a step, one task in flight, median", unit: "ms", goal: "≤ 0.5 ms" },
      (_ratio, medianMs) => medianMs <= 0.5,
    ),
  ];
}
