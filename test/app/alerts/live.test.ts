// Two faults beside a real Prometheus: the alert of each fires, no other one does, and both end with their fault. `npm run test:alerts` has
// the whole table.
import { expect, test } from "vitest";
import { FAULTS } from "../../../tools/rigs/alerts/faults.ts";
import { isInstalled } from "../../../tools/rigs/alerts/monitor.ts";
import { runFault } from "../../../tools/rigs/alerts/run.ts";
import { World } from "../../../tools/rigs/alerts/world.ts";

/** Windows and waits of the rules are this many times shorter: the window of new dead letters is ten scrapes. */
const FACTOR = 60;
const CHOSEN = ["no coordinator", "dead letter"];

test.skipIf(!isInstalled("prometheus"))(
  "a vacant office and a dead letter each fire their alert and no other (not checked without prometheus; Debian's package has it)",
  async () => {
    const world = await World.start({ coordinators: 1, factor: FACTOR, sends: false });
    try {
      expect(await world.monitor.firing()).toEqual([]);
      for (const name of CHOSEN) {
        const isLast = name === CHOSEN.at(-1);
        const outcome = await runFault(world, FAULTS.find((fault) => fault.name === name)!, { isLast });
        expect(outcome).toMatchObject({ fault: name, missing: [], foreign: [], unsent: [] });
        expect(outcome.error).toBe(undefined);
        expect(outcome.firedAfterSeconds).toBeLessThan(30);
      }
    } finally {
      await world.stop();
    }
  },
  120_000,
);
