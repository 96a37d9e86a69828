// The slow check of a lane, in memory: it removes the shared values of runs whose log is gone.
import { expect, test, vi } from "vitest";
import { createMeter, ManualClock, seededChance, silentLogger } from "../../../src/base/index.ts";
import { Checker } from "../../../src/engine/check/checker.ts";
import { QUIET_RUN_MS } from "../../../src/engine/check/look.ts";
import { StuckRuns } from "../../../src/engine/check/stuck.ts";
import { LogStore } from "../../../src/engine/stores/log-store.ts";
import { createSubjects, encode, laneOf } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../src/transport/index.ts";
import { SharedStore } from "../../../src/work/index.ts";

test("shared values go with the log of their run: two looks in a row find no log, and other runs keep theirs", async () => {
  const clock = new ManualClock(1_700_000_000_000);
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer({ clock }) });
  await transport.init();
  const subjects = createSubjects("murmur");
  const lane = laneOf("gone");
  const here = Array.from({ length: 100 }, (_, at) => `here-${at}`).find((id) => laneOf(id) === lane)!;
  const logs = transport.log("workflows");
  await logs.append(subjects.workflow("gone"), encode({}), { ttlMs: 60_000 });
  await logs.append(subjects.workflow(here), encode({}));
  const values = new SharedStore({ transport, subjects });
  const by = { user: "ada", proven: true };
  for (const workflowId of ["gone", here]) await values.set({ workflowId, name: "count", value: 1, by });
  clock.advance(61_000); // The log of the ended run expires.

  const { signal } = new AbortController();
  const end = new AbortController();
  const shared = { transport, subjects, clock, chance: seededChance(1), log: silentLogger };
  const checker = new Checker({
    ...shared,
    meter: createMeter(),
    logs: new LogStore(shared),
    signal,
    stuck: new StuckRuns(),
    engines: () => 1,
    look: () => undefined,
  });
  const countValues = async () => (await transport.log("shared").info()).messages;
  checker.serve(lane, end.signal);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(await countValues(), "one look proves nothing: a log may be about to be stored").toBe(2);
  clock.advance(QUIET_RUN_MS);
  await vi.waitFor(async () => expect(await countValues()).toBe(1));
  expect(await values.get({ workflowId: here, name: "count" })).toMatchObject({ value: 1 });
  end.abort();
});
