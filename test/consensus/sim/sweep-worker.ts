// One thread of a sweep (sweep.ts): runs the seeds of each message and replies with their tally.

import { parentPort } from "node:worker_threads";
import { benchOf } from "./benches.ts";
import { addRun, EMPTY_TALLY, type Seeds } from "./sweep.ts";
import { runSeed } from "./world.ts";

parentPort?.on("message", async ({ world, from, to }: Seeds) => {
  const bench = benchOf(world);
  let tally = EMPTY_TALLY;
  for (let seed = from; seed < to; seed++) tally = addRun(tally, await runSeed(seed, bench));
  parentPort?.postMessage(tally);
});
