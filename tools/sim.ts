// The simulator on demand: `npm run sim -- --seeds 10000 [--from 1] [--world line|member]`. Without a world it runs both.
// Prints the first failing seed with its last lines and exits 1; so does a run in which a kind of fault never happened.
// `--seeds 1 --from N` replays seed N.

import { parseArgs } from "node:util";
import { BENCHES } from "../test/consensus/sim/benches.ts";
import {
  type Bench,
  describeFailure,
  listFaults,
  type RunReport,
  runSeed,
  sumFaults,
} from "../test/consensus/sim/world.ts";

/** Below this many seeds a fault that never happened says nothing. */
const ENOUGH_SEEDS = 100;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    world: { type: "string" },
  },
});
const seeds = readCount("seeds", values.seeds);
const from = readCount("from", values.from);
const worlds = values.world === undefined ? Object.keys(BENCHES) : [values.world];
for (const world of worlds) {
  const createBench = (BENCHES as Record<string, () => Bench>)[world];
  if (createBench === undefined) {
    console.error(`--world is one of ${Object.keys(BENCHES).join(", ")}; got ${world}`);
    process.exit(2);
  }
  await runWorld(world, createBench());
}

async function runWorld(world: string, bench: Bench): Promise<void> {
  const startedMs = performance.now();
  const reports: RunReport[] = [];
  for (let seed = from; seed < from + seeds; seed++) {
    const report = await runSeed(seed, bench);
    if (report.failure !== null) {
      console.log(`world "${world}", ${describeFailure(report)}`);
      process.exit(1);
    }
    reports.push(report);
  }
  const faults = listFaults(bench);
  const counts = sumFaults(reports, faults);
  for (const fault of faults) console.log(`${String(counts.get(fault)).padStart(10)}  ${fault}`);
  const total = (count: (report: RunReport) => number) =>
    reports.reduce((sum, report) => sum + count(report), 0);
  console.log(
    `world "${world}": ${seeds} seeds held: ${total(({ terms }) => terms)} terms, ` +
      `${total(({ answered }) => answered)} commands, ${total(({ lines }) => lines)} lines ` +
      `in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`,
  );
  if (seeds === 1) console.log(`digest ${reports[0]?.digest}`);
  const missing = faults.filter((fault) => counts.get(fault) === 0);
  if (seeds >= ENOUGH_SEEDS && missing.length > 0) {
    console.log(`never happened: ${missing.join(", ")}`);
    process.exit(1);
  }
}

function readCount(name: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  console.error(`--${name} is a whole number from 1 on; got ${text}`);
  process.exit(2);
}
