// The simulator on demand: `npm run sim -- --seeds 10000 [--from 1]`. Prints the first failing seed with its last
// lines and exits 1; so does a run in which a kind of fault never happened. `--seeds 1 --from N` replays seed N.

import { parseArgs } from "node:util";
import { createElectionNode } from "../src/consensus/index.ts";
import { describeFailure, FAULTS, type RunReport, runSeed, sumFaults } from "../test/consensus/sim/world.ts";

/** Below this many seeds a fault that never happened says nothing. */
const ENOUGH_SEEDS = 100;

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "200" }, from: { type: "string", default: "1" } },
});
const seeds = Number(values.seeds);
const from = Number(values.from);
const startedMs = performance.now();
const reports: RunReport[] = [];
for (let seed = from; seed < from + seeds; seed++) {
  const report = runSeed(seed, () => createElectionNode());
  if (report.failure !== null) {
    console.log(describeFailure(report));
    process.exit(1);
  }
  reports.push(report);
}

const faults = sumFaults(reports);
for (const fault of FAULTS) console.log(`${String(faults.get(fault)).padStart(9)}  ${fault}`);
const total = (count: (report: RunReport) => number) =>
  reports.reduce((sum, report) => sum + count(report), 0);
console.log(
  `${seeds} seeds held: ${total(({ terms }) => terms)} terms, ${total(({ answered }) => answered)} commands, ` +
    `${total(({ lines }) => lines)} lines in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`,
);
if (seeds === 1) console.log(`digest ${reports[0]?.digest}`);
const missing = FAULTS.filter((fault) => faults.get(fault) === 0);
if (seeds >= ENOUGH_SEEDS && missing.length > 0) {
  console.log(`never happened: ${missing.join(", ")}`);
  process.exit(1);
}
