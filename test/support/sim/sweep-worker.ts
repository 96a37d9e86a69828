// One thread of a sweep (sweep.ts): runs the seeds of each message and replies with their tally.

import { parentPort } from "node:worker_threads";
import { addRun, EMPTY_TALLY, type Seeds } from "./sweep.ts";
import { loadWorld } from "./worlds.ts";

parentPort?.on("message", async ({ world, from, to }: Seeds) => {
  const { run } = await loadWorld(world);
  let tally = EMPTY_TALLY;
  for (let seed = from; seed < to; seed++) tally = addRun(tally, await run(seed));
  parentPort?.postMessage(tally);
});
