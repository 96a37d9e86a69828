// Breaks a swarm's brain in every way that is known, under load, and judges what was seen:
//   node tools/chaos.ts [--minutes 10] [--seed 1] [--faults a,b] [--one-at-a-time] [--rounds N] [--json]
// Three coordinators and three nats-servers as processes. Exit code 1 when anything was lost, repeated, out of order or
// untrue. `--one-at-a-time` lets everything recover after each fault and reports what each one cost.
import { parseArgs } from "node:util";
import { runChaos } from "../test/support/office/chaos.ts";
import { FAULT_NAMES, FAULTS, type FaultName } from "../test/support/office/faults.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    faults: { type: "string" },
    rounds: { type: "string" },
    "one-at-a-time": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const faults = (values.faults?.split(",") ?? FAULT_NAMES) as FaultName[];
const unknown = faults.filter((name) => !FAULT_NAMES.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`--faults: ${unknown.join(", ")} is none of ${FAULT_NAMES.join(", ")}\n`);
  process.exit(2);
}
const startedMs = performance.now();
const report = await runChaos({
  seed: Number(values.seed),
  durationMs: Number(values.minutes) * 60_000,
  rounds: values.rounds === undefined ? undefined : Number(values.rounds),
  faults,
  oneAtATime: values["one-at-a-time"],
  onProgress: (text) =>
    process.stderr.write(`${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(7)}  ${text}\n`),
});
if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
else {
  const { counts, ...found } = report.audit;
  for (const name of faults) {
    const cost = report.costs?.[name];
    const shown =
      cost === undefined
        ? ""
        : `; without an answer p50 ${cost.outageMs.p50} ms, max ${cost.outageMs.max} ms`;
    console.log(`${String(report.faults[name]).padStart(5)}  ${FAULTS[name].about}${shown}`);
  }
  console.log(JSON.stringify(counts));
  console.log(
    `refused appends ${report.refusedAppends}, unknown ${report.unknownAppends}, longest outage ${report.longestOutageMs} ms`,
  );
  for (const [what, list] of Object.entries(found))
    for (const each of list.slice(0, 10)) console.log(`${what}: ${each}`);
  console.log(report.sound ? "sound" : `NOT SOUND (seed ${report.seed})`);
}
process.exit(report.sound ? 0 : 1);
