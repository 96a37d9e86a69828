// Causes every known fault in a swarm's coordinators under load, and judges the result: node tools/rigs/chaos.ts [--help].
// Three coordinators and three nats-servers as processes. Exit code 1 when an answer was lost, repeated, out of order or
// false.
import { type ChaosReport, runChaos } from "../../test/support/office/chaos.ts";
import { FAULT_NAMES, FAULTS, type FaultName } from "../../test/support/office/faults.ts";
import { readFlags, tellProgress } from "./office/flags.ts";

const flags = readFlags(
  "node tools/rigs/chaos.ts: three coordinators and three nats-servers as processes, broken again and again under load.",
  {
    minutes: { type: "count", default: 10, about: "how long faults come" },
    seed: { type: "count", default: 1, about: "decides their order, and what clients ask" },
    seeds: { type: "count", default: 1, about: "runs, each with the next seed" },
    rounds: { type: "count", default: 1_000_000, about: "ends sooner: when each fault came so often" },
    faults: { type: "names", names: FAULT_NAMES, about: "faults" },
    "one-at-a-time": {
      type: "switch",
      about: "let everything recover after each fault, and tell what each one cost",
    },
  },
);
const faults = flags.names("faults") as FaultName[];
const reports: ChaosReport[] = [];
for (let seed = flags.count("seed"); seed < flags.count("seed") + flags.count("seeds"); seed++) {
  tellProgress(`seed ${seed}`);
  const report = await runChaos({
    seed,
    faults: {
      durationMs: flags.count("minutes") * 60_000,
      rounds: flags.count("rounds"),
      faults,
      oneAtATime: flags.has("one-at-a-time"),
    },
    onProgress: tellProgress,
  });
  reports.push(report);
  if (!flags.json) print(report);
}
if (flags.json) process.stdout.write(`${JSON.stringify(reports, null, 2)}\n`);
process.exit(reports.every(({ sound }) => sound) ? 0 : 1);

function print(report: ChaosReport): void {
  const { counts, ...found } = report.audit;
  for (const name of faults) {
    const cost = report.costs?.[name];
    const shown =
      cost === undefined ? "" : `; lasted ${tell(cost.lastedMs)}, without an answer ${tell(cost.outageMs)}`;
    console.log(`${String(report.faults[name]).padStart(5)}  ${FAULTS[name].about}${shown}`);
  }
  console.log(JSON.stringify(counts));
  console.log(
    `refused appends ${report.refusedAppends}, unknown ${report.unknownAppends}, longest outage ${report.longestOutageMs} ms`,
  );
  for (const [what, list] of Object.entries(found))
    for (const each of list.slice(0, 10)) console.log(`${what}: ${each}`);
  console.log(`seed ${report.seed}: ${report.sound ? "sound" : "NOT SOUND"}`);
}

/** Seconds. */
function tell({ p50, max }: { p50: number; max: number }): string {
  return `p50 ${(p50 / 1_000).toFixed(1)} s, max ${(max / 1_000).toFixed(1)} s`;
}
