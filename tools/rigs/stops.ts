// Stops every kind of process against every peer that misbehaves: node tools/rigs/stops.ts [--help]. Exit code 1 if one ends
// too late, or not cleanly.
import { availableParallelism } from "node:os";
import { runStop, STOP_PEERS, STOP_PROCESSES, type Stop } from "../../test/support/stops.ts";
import { makeFigure } from "./office/figures.ts";
import { printReport, readFlags, tellProgress } from "./office/flags.ts";

const flags = readFlags(
  "node tools/rigs/stops.ts: each process is told to stop while its NATS server misbehaves; a command has a timeout instead.",
  {
    peers: { type: "names", names: STOP_PEERS, about: "the peers" },
    processes: { type: "names", names: STOP_PROCESSES, about: "the processes" },
    rounds: { type: "count", default: 3, about: "number of runs of each pair" },
    "grace-ms": { type: "count", default: 1_000, about: "drain grace of the daemons" },
    "timeout-ms": { type: "count", default: 1_000, about: "--timeout of the commands" },
    parallel: { type: "count", default: availableParallelism(), about: "number of runs at the same time" },
  },
);

const isOneOf = <T extends string>(all: readonly T[], names: readonly string[]) =>
  all.filter((name) => names.includes(name));
const pairs = Array.from({ length: flags.count("rounds") }).flatMap(() =>
  isOneOf(STOP_PROCESSES, flags.names("processes")).flatMap((process) =>
    isOneOf(STOP_PEERS, flags.names("peers")).map((peer) => ({ peer, process })),
  ),
);
const stops: Stop[] = [];
let next = 0;
tellProgress(`${pairs.length} stops`);

async function work(): Promise<void> {
  for (let pair = pairs[next++]; pair !== undefined; pair = pairs[next++]) {
    const stop = await runStop({
      ...pair,
      graceMs: flags.count("grace-ms"),
      timeoutMs: flags.count("timeout-ms"),
    });
    stops.push(stop);
    if (!stop.isGood) {
      const took = `${Math.round(stop.elapsedMs)} of ${stop.limitMs} ms, exit code ${stop.exitCode}`;
      tellProgress(`${stop.process} × ${stop.peer}: ${took}\n${stop.stderr.slice(-1_500)}`);
    }
    if (stops.length % 20 === 0) tellProgress(`${stops.length} of ${pairs.length}`);
  }
}

await Promise.all(Array.from({ length: flags.count("parallel") }, work));
const processes = [...new Set(stops.map(({ process }) => process))];
printReport(
  flags,
  processes.map((process) =>
    makeFigure({
      name: `end of ${process}`,
      unit: "ms",
      values: stops.filter((stop) => stop.process === process).map(({ elapsedMs }) => elapsedMs),
    }),
  ),
  {
    "ended too late": stops.filter(({ elapsedMs, limitMs }) => elapsedMs > limitMs).length,
    "ended with a failure": stops.filter(({ isGood, elapsedMs, limitMs }) => !isGood && elapsedMs <= limitMs)
      .length,
  },
);
tellProgress(`${stops.filter(({ isGood }) => isGood).length} of ${stops.length} ended as they must`);
