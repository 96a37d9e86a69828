import { describe, expect, test, vi } from "vitest";
import { sealEntry } from "../../../src/consensus/index.ts";
import type { EntryBody } from "../../../src/consensus/internal.ts";
import { type OfficeOptions, planRecovery } from "../../../src/coordinator/index.ts";
import { readJson } from "../../../src/coordinator/office/control-log.ts";
import { hashBytes, listSnapshots, nameSnapshot } from "../../../src/coordinator/office/snapshot-store.ts";
import { encode } from "../../../src/protocol/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { collectLines } from "../log-lines.ts";
import { SOON, setupOffice, takeLock } from "../support.ts";

const often = { snapshotInterval: { entries: 20, bytes: 1e9 }, doubtMs: 0 };
const three = ["c1", "c2", "c3"];
const patient = { timeoutMs: 60_000 };

/** A swarm whose coordinators make snapshots often, with a held lock and a value. */
async function setup(options: { nats?: boolean; ids?: readonly string[]; interval?: object } = {}) {
  const swarm = await setupOffice(options.nats === undefined ? {} : { nats: options.nats });
  const { transport, client } = swarm;
  const { log, find } = collectLines();
  const ids = options.ids ?? ["c1"];
  const start = (id: string, extra: Partial<OfficeOptions> = {}) =>
    swarm.start(id, ids, { log, ...often, ...options.interval, ...extra }, { placement: false });
  const coordinators = await Promise.all(ids.map((id) => start(id)));
  const lock = (name: string) => takeLock(client, { name, ...patient });
  const token = await lock("l");
  const { revision } = await client.write("config-set", { name: "a", value: 1 }, { ...patient, key: "k" });
  const write = async (count: number) => {
    for (let made = 0; made < count; made++)
      await client.write("config-set", { name: "n", value: made }, patient);
  };
  return {
    ...{ ...swarm, start, coordinators, token, revision, lock, write, find },
    office: transport.log("office"),
    plan: async () => planRecovery(transport, await client.listCoordinators()),
    /** Resolves when there are this many snapshots; a change of the office may have added one. */
    made: (count: number) =>
      vi.waitFor(() => expect(find(/^made a snapshot/).length).toBeGreaterThanOrEqual(count), SOON),
  };
}

describe("a recovery", () => {
  test("of a sound log is refused", async () => {
    const { plan } = await setup();
    await expect(plan()).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(/sound up to its end at \d+: there is nothing to recover/),
    });
  });

  test.each([1, 3])(
    "of an emptied log continues from the newest snapshot, and %i coordinators follow it by themselves",
    { timeout: 120_000 },
    async (count) => {
      const swarm = await setup({ nats: true, ids: three.slice(0, count) });
      const { office, write, plan, client, coordinators, token, revision, lock, made, find } = swarm;
      await write(25);
      await made(1);
      await write(5);
      const before = await client.tenure(patient);
      const { lastSeq } = await office.info();
      await office.purge();
      await vi.waitFor(
        () => expect(coordinators.every((each) => each.office.status().role === "halted")).toBe(true),
        SOON,
      );
      const { recovery, perform } = await plan();
      const [snapshot] = await listSnapshots(swarm.transport.snapshots);
      expect(recovery).toMatchObject({
        problem: expect.stringMatching(/the log is empty/),
        snapshotSeq: snapshot!.seq,
        keptSeq: snapshot!.seq,
        knownSeq: lastSeq,
        discarded: 0,
        epoch: 2,
      });
      expect(recovery.firstSeq).toBeGreaterThan(lastSeq);
      await perform();

      const after = await client.tenure(patient);
      expect(after.term).toBeGreaterThan(before.term);
      expect(after.logSeq).toBeGreaterThan(recovery.firstSeq);
      expect(
        await client.write("config-set", { name: "a", value: 2 }, { ...patient, key: "k" }),
      ).toMatchObject({
        revision,
      });
      expect((await client.read("locks")).locks).toMatchObject([{ name: "l", token }]);
      expect(await lock("m")).toBeGreaterThan(token + 1_000_000);
      const { revision: next } = await client.write("config-set", { name: "b", value: 1 });
      expect(next).toBeGreaterThan(revision + 1_000_000);
      await vi.waitFor(() => {
        const [first, ...others] = coordinators.map((each) => each.office.status());
        expect(first).toMatchObject({ halted: null, epoch: 2 });
        for (const other of others) expect(other.stateHash).toBe(first!.stateHash);
      }, SOON);
      await expect(plan()).rejects.toMatchObject({ code: "conflict" });
      await write(50); // and more, with snapshots of the new epoch and a trimmed log
      await vi.waitFor(async () => {
        expect((await office.info()).firstSeq).toBeGreaterThan(recovery.firstSeq);
        const ids = await listSnapshots(swarm.transport.snapshots);
        expect(ids.every(({ epoch }) => epoch === 2)).toBe(true);
      }, SOON);
      expect(find(/^snapshot failed|^control log not trimmed/)).toEqual([]);
    },
  );

  test("creates a deleted stream again", async () => {
    const swarm = await setup({ nats: true });
    const { server, write, made, plan, client } = swarm;
    await write(25);
    await made(1);
    const { connect } = await import("@nats-io/transport-node");
    const admin = await connect({ servers: server!.url });
    await admin.request("$JS.API.STREAM.DELETE.MURMUR_OFFICE_LOG");
    await admin.close();
    const { recovery, perform } = await plan();
    expect(recovery).toMatchObject({ problem: expect.stringMatching(/stream is gone/), epoch: 2 });
    await perform();
    expect((await client.tenure(patient)).logSeq).toBeGreaterThan(recovery.firstSeq);
  });

  test("keeps the entries after the snapshot up to the first bad one", async () => {
    const { office, write, made, plan, client, coordinators } = await setup();
    await write(25);
    await made(1);
    await write(3);
    await client.write("config-set", { name: "late", value: true });
    const { lastSeq } = await office.info();
    for (const data of ["{}", "nonsense"])
      await office.append("murmur.log.office", new TextEncoder().encode(data));
    await vi.waitFor(() => expect(coordinators[0]!.office.status().role).toBe("halted"), SOON);
    const { recovery, perform } = await plan();
    expect(recovery).toMatchObject({
      problem: expect.stringMatching(/entry \d+: entry version undefined|entry \d+: /),
      keptSeq: lastSeq,
      knownSeq: lastSeq + 2,
      discarded: 2,
    });
    await perform();
    expect((await client.read("config", {}, patient)).values).toContainEqual({
      ...{ name: "late", value: true, revision: expect.any(Number) },
    });
  });

  test("of a log without snapshots keeps the entries that can be read", async () => {
    const { office, write, plan, client } = await setup({
      interval: { snapshotInterval: { entries: 1e9, bytes: 1e9 } },
    });
    await write(5);
    const { lastSeq } = await office.info();
    await office.append("murmur.log.office", new TextEncoder().encode('{"v":1}'));
    const { recovery, perform } = await plan();
    expect(recovery).toMatchObject({ snapshotSeq: null, keptSeq: lastSeq, discarded: 1 });
    await perform();
    expect((await client.read("locks", {}, patient)).locks).toMatchObject([{ name: "l" }]);
  });

  test("of a log that a newer version wrote is refused, because that version can read it", async () => {
    const { office, plan } = await setup();
    await office.append("murmur.log.office", new TextEncoder().encode('{"v":3}'));
    await expect(plan()).rejects.toThrow(/version 3 is unknown.*run that version instead/);
  });

  test.each([
    ["a kind of entry", { type: "merger" }, /entry type is unknown/],
    [
      "a command",
      { type: "commands", commands: [{ key: "k", command: { type: "dance" } }] },
      /"dance" is unknown/,
    ],
  ] as const)(
    "is refused over %s that is unknown here, if its entry is undamaged",
    async (_what, changes, fault) => {
      const { office, plan, coordinators } = await setup();
      await coordinators[0]!.stop();
      const info = await office.info();
      const { chain, ...last } = readJson((await office.get(info.lastSeq))!);
      const newer = { ...last, ...changes } as unknown as EntryBody<unknown>;
      await office.append("murmur.log.office", encode(sealEntry(newer, chain as string)));
      await expect(plan()).rejects.toMatchObject({ code: "conflict", message: expect.stringMatching(fault) });
      await expect(plan()).rejects.toThrow(
        /another version wrote it.*run that version instead of recovering/,
      );
    },
  );

  test("discards an unknown command in a damaged entry", async () => {
    const { office, plan, coordinators } = await setup();
    await coordinators[0]!.stop();
    const last = readJson((await office.get((await office.info()).lastSeq))!);
    const commands = [{ key: "k", command: { type: "dance" } }];
    await office.append("murmur.log.office", encode({ ...last, type: "commands", commands }));
    expect((await plan()).recovery).toMatchObject({ discarded: 1 });
  });

  test("is refused over a snapshot of a newer version, and takes no older one instead", async () => {
    const { office, write, made, plan, transport, coordinators } = await setup();
    await write(25);
    await made(1);
    await coordinators[0]!.stop();
    const [id] = await listSnapshots(transport.snapshots);
    const known = JSON.parse(new TextDecoder().decode((await transport.snapshots.get(nameSnapshot(id!)))!));
    const seq = id!.seq + 1;
    const newer = encode({ ...known, seq, state: { ...known.state, "a-newer-part": {} } });
    await transport.snapshots.put(nameSnapshot({ ...id!, seq, hash: await hashBytes(newer) }), [newer]);
    await office.purge();
    await expect(plan()).rejects.toThrow(
      /parts that this version does not know: a-newer-part.*run that version instead/,
    );
  });

  test("without a log and a snapshot has nothing to start from", async () => {
    const { office, plan } = await setup();
    await office.purge();
    await expect(plan()).rejects.toMatchObject({ code: "not_found" });
  });

  test("treats a readable log that ends below the entries of a coordinator as lost", async () => {
    const { plan, office, client, transport } = await setup();
    const [told] = await client.listCoordinators();
    const { lastSeq } = await office.info();
    const ahead = { ...told!, id: "c9", appliedSeq: lastSeq + 100, term: 70 };
    const { recovery } = await planRecovery(transport, [ahead]);
    expect(recovery).toMatchObject({
      problem: expect.stringMatching(/c9 has read/),
      knownSeq: lastSeq + 100,
    });
    expect(recovery.term).toBeGreaterThan(70);
    await expect(plan()).rejects.toMatchObject({ code: "conflict" });
  });
});

describe("a crash during a recovery", () => {
  test.each(["put", "get", "init", "purge", "genesis", "snapshot"] as const)(
    "at the step %s leaves a log that halts or works, and the next try completes the recovery",
    async (step) => {
      const { office, write, made, transport, client, token, lock, coordinators, start } = await setup();
      await write(25);
      await made(1);
      await coordinators[0]!.stop();
      await office.purge();
      const fail = () => Promise.reject(new Error("crash"));
      const dying: Transport = {
        ...transport,
        init: step === "init" ? fail : transport.init,
        snapshots: {
          ...transport.snapshots,
          put: step === "put" ? fail : transport.snapshots.put,
          // The first read is of the snapshot that is gone on from.
          get: step === "get" ? failSecond(transport.snapshots.get, fail) : transport.snapshots.get,
        },
        log: () => ({
          ...office,
          purge: step === "purge" ? fail : office.purge,
          append: (subject, data, options) =>
            new TextDecoder().decode(data).includes(`"type":"${step}"`)
              ? fail()
              : office.append(subject, data, options),
        }),
      };
      const first = await planRecovery(dying, []);
      await expect(first.perform()).rejects.toThrow(/crash/);
      if (step === "snapshot")
        await expect(planRecovery(transport, [])).rejects.toMatchObject({ code: "conflict" });
      else await (await planRecovery(transport, [])).perform();
      await start("c1");
      expect((await client.read("locks", {}, patient)).locks).toMatchObject([{ name: "l", token }]);
      expect(await lock("m")).toBeGreaterThan(token + 1_000_000);
    },
  );
});

function failSecond<A extends unknown[], R>(call: (...args: A) => Promise<R>, fail: () => Promise<never>) {
  let calls = 0;
  return (...args: A): Promise<R> => (calls++ === 0 ? call(...args) : fail());
}
