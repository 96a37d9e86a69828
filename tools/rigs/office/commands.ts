// Measures how fast the office decides: one command at a time, and many in flight.
import type { OfficeClient } from "../../../src/coordinator/index.ts";
import { type Figure, makeFigure } from "./figures.ts";
import { tellProgress } from "./flags.ts";

const ONE_AT_A_TIME = 1_000;
const IN_FLIGHT = 64;
/** Runs of the throughput; their median counts. */
const RUNS = 3;
const NAMES = 500;

/** Both figures. */
export async function measureCommands(office: OfficeClient, seconds: number): Promise<Figure[]> {
  const set = (index: number) => office.write("config-set", { name: `n${index % NAMES}`, value: index });
  const times: number[] = [];
  for (let index = 0; index < ONE_AT_A_TIME; index++) {
    const startedMs = performance.now();
    await set(index);
    times.push(performance.now() - startedMs);
  }
  tellProgress(`${ONE_AT_A_TIME} commands one at a time`);
  const perSecond: number[] = [];
  for (let run = 1; run <= RUNS; run++) {
    const endMs = performance.now() + seconds * 1_000;
    let done = 0;
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (performance.now() < endMs) await set(done++);
      }),
    );
    perSecond.push(done / seconds);
    tellProgress(`${IN_FLIGHT} commands in flight, run ${run} of ${RUNS}: ${Math.round(done / seconds)}/s`);
  }
  return [
    makeFigure({
      ...{ name: "a command, one at a time", unit: "ms", values: times },
      goal: { text: "p50 ≤ 3 ms", holds: ({ p50 }) => p50 <= 3 },
    }),
    makeFigure({
      ...{ name: `commands, ${IN_FLIGHT} in flight`, unit: "1/s", values: perSecond },
      goal: { text: "median ≥ 3000 1/s", holds: ({ p50 }) => p50 >= 3_000 },
    }),
  ];
}
