import { expect, test } from "vitest";
import { scaled } from "../../support/scale.ts";
import { runStop, STOP_PEERS, STOP_PROCESSES, type StopPeer, type StopProcess } from "../../support/stops.ts";

/** The pairs of the short run: each pair where a process once outlived its peer. The rig `stops.ts` runs all. */
const SHORT: [StopProcess, StopPeer][] = [
  ["agent", "silent"],
  ["agent", "stopped-after"],
  ["coordinator", "half"],
  ["task-ls", "silent"],
  ["wait", "mute"],
];
const ALL = STOP_PROCESSES.flatMap((process) =>
  STOP_PEERS.map((peer): [StopProcess, StopPeer] => [process, peer]),
);
const PAIRS = [...SHORT, ...ALL].slice(0, scaled(SHORT.length, SHORT.length + ALL.length));
/** The suite runs beside other tests, so it allows more than the limit, which the rig measures. Before, it took 40 s and more. */
const LOADED_FACTOR = 4;

test.each(PAIRS)("%s ends in time although its server is %s", { timeout: 120_000 }, async (process, peer) => {
  const stop = await runStop({ process, peer, graceMs: 1_000, timeoutMs: 1_000 });
  expect(stop.stderr).not.toMatch(/uncaught exception|unhandled rejection/);
  expect(stop.elapsedMs).toBeLessThan(LOADED_FACTOR * stop.limitMs);
  expect(stop.exitCode).toBe(stop.isCommand ? 3 : 0);
});
