// A log in a real server that no coordinator wrote: forked, with a gap, or of an unknown version.
import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { createMeter, type Meter } from "../../../src/base/index.ts";
import { type LogEntry, sealEntry } from "../../../src/consensus/index.ts";
import type { EntryBody } from "../../../src/consensus/internal.ts";
import { createOffice } from "../../../src/coordinator/index.ts";
import { decode, encode } from "../../../src/protocol/index.ts";
import { collectLines } from "../log-lines.ts";
import { SOON, setupOffice } from "../support.ts";

type Sealed = LogEntry<unknown>;

/** A coordinator in office that has decided some commands, and functions that damage its log. */
async function setup() {
  const swarm = await setupOffice({ nats: true });
  const { log, find } = collectLines();
  const office = swarm.transport.log("office");
  const running = await swarm.start("c1", ["c1"], { log }, { placement: false });
  const set = (value: number) =>
    swarm.client.write("config-set", { name: "a", value }, { timeoutMs: 60_000 });
  for (const value of [1, 2, 3]) await set(value);
  const entries = async () => {
    const all: Sealed[] = [];
    for await (const { data } of office.read()) all.push(decode(data).value as Sealed);
    return all;
  };
  const append = (entry: object) => office.append("murmur.log.office", encode(entry));
  return {
    ...{ running, entries, append },
    /** Appends an entry that fits the last one, except for `changes`. */
    async appendNext(changes: object) {
      const { chain, ...last } = (await entries()).at(-1) as Sealed;
      return append(sealEntry({ ...last, type: "barrier", ...changes } as EntryBody<unknown>, chain));
    },
    /** Creates the stream again with these entries, and then deletes the entry `lost`, if given. */
    async replace(kept: readonly object[], { lost }: { lost?: number } = {}) {
      await running.stop();
      const admin = await connect({ servers: swarm.server!.url });
      const { config } = (await admin.request("$JS.API.STREAM.INFO.MURMUR_OFFICE_LOG")).json<{
        config: object;
      }>();
      await admin.request("$JS.API.STREAM.DELETE.MURMUR_OFFICE_LOG");
      const made = { ...config, deny_delete: false };
      await admin.request("$JS.API.STREAM.CREATE.MURMUR_OFFICE_LOG", JSON.stringify(made));
      await admin.close();
      for (const entry of kept) await append(entry);
      if (lost !== undefined) expect(await office.delete(lost)).toBe(true);
    },
    /** Starts a coordinator that will not take part. */
    async begin() {
      const meter = createMeter();
      const own = { transport: await swarm.connect(), log, meter, version: "1.0.0", seed: 1 };
      const made = createOffice({ ...own, id: "c1", members: ["c1"] });
      onTestFinished(() => made.service.stop());
      made.measure();
      expect(await countHalted(meter)).toBe(0);
      await made.service.start();
      return Object.assign(made, { meter });
    },
    /** Resolves when `made` has halted for `reason`, and logged it once, with an alert and the runbook. */
    halted: (made: { findProblem(): string | null; status(): { role: string } }, reason: RegExp) =>
      vi.waitFor(() => {
        expect(made.findProblem()).toMatch(reason);
        expect(made.findProblem()).toMatch(/see docs\/coordinator.md, section “When a coordinator halts”$/);
        expect(made.status().role).toBe("halted");
        expect(find(/^coordinator halted/)).toMatchObject([
          {
            level: "error",
            alert: "coordinator_halted",
            reason: expect.stringMatching(reason),
            runbook: expect.stringMatching(/^docs\/coordinator.md/),
          },
        ]);
      }, SOON),
  };
}

/** The value of murmur_office_halted. */
const countHalted = async (meter: Meter) => (await meter.officeHalted.get()).values[0]?.value;

test("an entry that does not follow the last one halts a coordinator that reads it, running or starting", async () => {
  const { running, append, entries, halted, begin } = await setup();
  const [, , ...later] = await entries();
  await append(later[0] as Sealed);
  const fork = /entry \d+: chain hash is [0-9a-f]{64}, expected [0-9a-f]{64}/;
  await halted(running.office, fork);
  await running.stop();
  const next = await begin();
  await vi.waitFor(() => expect(next.status()).toMatchObject({ halted: expect.stringMatching(fork) }), SOON);
  next.measure();
  expect(await countHalted(next.meter)).toBe(1);
});

test("a log with entries of another log halts a starting coordinator", async () => {
  const { entries, replace, halted, begin } = await setup();
  const [genesis, ...rest] = await entries();
  await replace([{ ...genesis, logId: "other" }, ...rest]);
  await halted(await begin(), /entry 2: entry is not of log "other"/);
});

test("a log with a missing entry halts a starting coordinator at the entry after the gap", async () => {
  const { entries, replace, halted, begin } = await setup();
  const all = await entries();
  await replace(all.toSpliced(2, 1));
  await halted(await begin(), /entry 3: chain hash is [0-9a-f]{64}, expected [0-9a-f]{64}/);
});

test("a log that lost an entry in its middle halts a starting coordinator", async () => {
  const { entries, replace, halted, begin } = await setup();
  const all = await entries();
  await replace(all, { lost: 3 });
  await halted(await begin(), /entry 3 is missing;/);
});

test("a log without its beginning halts a starting coordinator", async () => {
  const { entries, replace, halted, begin } = await setup();
  await replace((await entries()).slice(1));
  const made = await begin();
  await halted(made, /the log begins at 1, after its genesis, and there is no snapshot/);
  made.measure();
  expect(await countHalted(made.meter)).toBe(1);
});

test("an entry of an unknown version halts the coordinator, which names the known versions", async () => {
  const { running, appendNext, halted } = await setup();
  await appendNext({ v: 99 });
  await halted(running.office, /entry \d+: entry version 99 is unknown; known: 1, 2/);
});

test("an entry of an unknown type, or with an unknown command, halts the coordinator", async () => {
  for (const [changes, reason] of [
    [{ type: "merger" }, /entry \d+: entry type is unknown/],
    [
      { type: "commands", commands: [{ key: "k", command: { type: "dance" } }] },
      /entry \d+: entry holds a bad command: command type "dance" is unknown/,
    ],
  ] as const) {
    const { running, appendNext, halted } = await setup();
    await appendNext(changes);
    await halted(running.office, reason);
  }
});
