import { connect } from "@nats-io/transport-node";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createMeter } from "../../../src/base/index.ts";
import { saveFold } from "../../../src/consensus/index.ts";
import {
  createOffice,
  foundOffice,
  type OfficeOptions,
  planRecovery,
} from "../../../src/coordinator/index.ts";
import {
  listSnapshots,
  nameSnapshot,
  type SnapshotId,
} from "../../../src/coordinator/office/snapshot-store.ts";
import { findStartPoint } from "../../../src/coordinator/office/start-point.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { collectLines } from "../log-lines.ts";
import { type Coordinator, SOON, setupOffice, takeLock } from "../support.ts";

const three = ["c1", "c2", "c3"];
/** Small, so that one test makes several snapshots. */
const often = { snapshotInterval: { entries: 20, bytes: 1e9 } };
const bare = { placement: false };

/** A swarm whose coordinators make snapshots often, and the functions of the tests. */
async function setup(options: { nats?: boolean } = {}) {
  const swarm = await setupOffice({ nats: true, ...options });
  const { transport, client } = swarm;
  const { log, lines, find } = collectLines();
  const office = transport.log("office");
  let writes = 0;
  return {
    ...swarm,
    office,
    lines,
    find,
    start: (id = "c1", members: readonly string[] = ["c1"], extra: Partial<OfficeOptions> = {}) =>
      swarm.start(id, members, { log, ...often, ...extra }, bare),
    /** Starts a coordinator that may never take part. */
    async begin(extra: Partial<OfficeOptions> = {}) {
      const own = { transport: await swarm.connect(), log, meter: createMeter(), version: "1.0.0", seed: 1 };
      const made = createOffice({ ...own, id: "c1", members: ["c1"], ...often, ...extra });
      onTestFinished(() => made.service.stop());
      await made.service.start();
      return made;
    },
    /** Has `count` entries written, one at a time. */
    async write(count: number) {
      for (let made = 0; made < count; made++) {
        await client.write("config-set", { name: `n${writes++ % 7}`, value: writes }, { timeoutMs: 60_000 });
      }
    },
    list: () => listSnapshots(transport.snapshots),
    /** Resolves when the last checkpoint has its snapshot. */
    settled: () =>
      vi.waitFor(async () => {
        let last: object = {};
        for await (const { data } of office.read()) {
          const entry = JSON.parse(new TextDecoder().decode(data)) as { type: string };
          if (entry.type === "checkpoint" || entry.type === "snapshot") last = entry;
        }
        expect(last).toMatchObject({ type: "snapshot" });
      }, SOON),
    /** Resolves when the log was trimmed after `seq`. */
    trimmed: (seq = 1) =>
      vi.waitFor(async () => expect((await office.info()).firstSeq).toBeGreaterThan(seq), SOON),
  };
}

const damage = (transport: Transport, id: SnapshotId) =>
  transport.snapshots.put(nameSnapshot(id), new TextEncoder().encode("{}"));

const stateOf = ({ office }: Coordinator) => {
  const { appliedSeq, stateHash, halted } = office.status();
  return { appliedSeq, stateHash, halted };
};

describe("a snapshot", () => {
  test("is made after a number of entries; the log is trimmed after the last but one, and a start uses it", async () => {
    const { start, write, settled, trimmed, list, office, client, find } = await setup();
    const first = await start();
    const token = await takeLock(client, { name: "l" });
    await client.write("config-set", { name: "kept", value: 1 }, { key: "k" });
    await write(70);
    await settled();
    await trimmed();
    await vi.waitFor(async () => {
      const { firstSeq } = await office.info();
      expect((await list()).at(-1)!.seq).toBeGreaterThanOrEqual(firstSeq);
    }, SOON);
    await first.stop();
    const { firstSeq, lastSeq } = await office.info();
    const snapshots = await list();
    expect(lastSeq - firstSeq).toBeLessThan(60);
    expect(snapshots.at(-1)!.seq).toBeGreaterThanOrEqual(firstSeq);
    expect(snapshots.length).toBeLessThanOrEqual(3);

    const second = await start();
    const [, read] = find(/^read the control log/);
    expect(read).toMatchObject({ snapshotSeq: snapshots[0]!.seq });
    expect(read!.entries).toBeLessThan(40);
    expect((await client.read("locks")).locks).toMatchObject([{ name: "l", token }]);
    expect(await client.write("config-set", { name: "kept", value: 2 }, { key: "k" })).toEqual({
      name: "kept",
      revision: 1,
    });
    expect(second.office.status().halted).toBeNull();
  });

  test("is made after a number of bytes", async () => {
    const { start, client, list } = await setup();
    await start("c1", ["c1"], { snapshotInterval: { entries: 1e9, bytes: 10_000 } });
    for (let index = 0; index < 4; index++) {
      await client.write("config-set", { name: "a", value: `${index}`.repeat(3_000) });
    }
    await vi.waitFor(async () => expect(await list()).not.toEqual([]), SOON);
  });

  test("agrees with the state of every follower", async () => {
    const { start, write, trimmed, find } = await setup();
    const all = await Promise.all(three.map((id) => start(id, three)));
    await write(70);
    await trimmed();
    await vi.waitFor(() => {
      const [one, ...others] = all.map(stateOf);
      expect(others).toEqual([one, one]);
      expect(one!.halted).toBeNull();
    }, SOON);
    expect(find(/^coordinator halted/)).toEqual([]);
  });

  test("with another state than a follower's halts that follower, and no other coordinator", async () => {
    const { start, write, list, find } = await setup();
    const all = await Promise.all(three.map((id) => start(id, three)));
    await write(3);
    const odd = all.find(({ office }) => office.tenure === null)!;
    odd.office.state.config.byName.set("forged", { value: 1, revision: 1 });
    await write(30);
    await vi.waitFor(() => expect(odd.office.status().halted).toMatch(/by the log's snapshot/), SOON);
    expect(find(/^coordinator halted/)).toHaveLength(1);
    expect(await list()).not.toEqual([]);
    expect(all.filter(({ office }) => office.status().role === "halted")).toEqual([odd]);
  });

  test("that cannot be stored leaves the log complete, and is retried later", async () => {
    const { start, write, office, connect, find } = await setup();
    const own = await connect();
    let fails = true;
    const put = async (name: string, data: Uint8Array) => {
      if (fails) throw new Error("away");
      await own.snapshots.put(name, data);
    };
    let skippedMs = 0;
    const clock = {
      now: () => Date.now() + skippedMs,
      after: (delayMs: number, run: () => void) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    };
    await start("c1", ["c1"], { transport: { ...own, snapshots: { ...own.snapshots, put } }, clock });
    await write(50);
    await vi.waitFor(() => expect(find(/^snapshot failed/)).toHaveLength(1), SOON);
    expect((await office.info()).firstSeq).toBe(1);
    fails = false;
    skippedMs = 60_000;
    await write(3);
    await vi.waitFor(() => expect(find(/^made a snapshot/)).toHaveLength(1), SOON);
  });
});

describe("a start", () => {
  /** Three snapshots, the last two of them needed by the log, and no running coordinator. */
  async function setupHistory(writes = 70) {
    const swarm = await setup();
    const first = await swarm.start();
    await swarm.write(writes);
    if (writes >= 70) await swarm.trimmed();
    await swarm.settled();
    const state = stateOf(first);
    await first.stop();
    return { ...swarm, state, snapshots: await swarm.list() };
  }

  test("falls back to the snapshot before when the newest is damaged or gone", async () => {
    for (const isGone of [false, true]) {
      const { transport, snapshots, start, find, client } = await setupHistory();
      const [newest, before] = snapshots;
      if (isGone) await transport.snapshots.delete(nameSnapshot(newest!));
      else await damage(transport, newest!);
      const { office } = await start();
      expect(find(/^read the control log/).at(-1)).toMatchObject({ snapshotSeq: before!.seq });
      expect(find(/^snapshot not usable/)).toHaveLength(isGone ? 0 : 1);
      expect((await client.read("config")).values).toHaveLength(7);
      expect(office.status().halted).toBeNull();
    }
  });

  test("falls back to the beginning of the log while the log has it", async () => {
    const { transport, snapshots, start, find, client } = await setupHistory(30);
    expect(snapshots).toHaveLength(1);
    await damage(transport, snapshots[0]!);
    await start();
    expect(find(/^read the control log/).at(-1)).toMatchObject({ snapshotSeq: null });
    expect((await client.read("config")).values).toHaveLength(7);
  });

  test("halts when no snapshot can be read and the log's beginning is trimmed", async () => {
    const { transport, snapshots, begin } = await setupHistory();
    for (const id of snapshots) await damage(transport, id);
    const office = await begin();
    await vi.waitFor(
      () => expect(office.findProblem()).toMatch(/after its genesis.*docs\/coordinator.md/),
      SOON,
    );
    expect(office.status()).toMatchObject({ role: "halted", halted: expect.stringMatching(/genesis/) });
    await expect(planRecovery(transport, [])).rejects.toMatchObject({ code: "not_found" });
  });

  test("halts when the log ends below a snapshot, was emptied or is gone; and init starts no new log", async () => {
    const { transport, server, office: log, begin } = await setupHistory();
    const admin = await connect({ servers: server!.url });
    onTestFinished(() => admin.close());
    const stored: Uint8Array[] = [];
    for await (const { data } of log.read()) stored.push(data);
    await log.purge();
    const emptied = await begin();
    await vi.waitFor(
      () => expect(emptied.findProblem()).toMatch(/the log is empty after \d+, but there is/),
      SOON,
    );
    await expect(foundOffice(transport)).rejects.toThrow(/murmur office recover/);

    await admin.request("$JS.API.STREAM.DELETE.MURMUR_OFFICE_LOG");
    const gone = await begin();
    await vi.waitFor(
      () => expect(gone.findProblem()).toMatch(/stream is gone, but there is a snapshot/),
      SOON,
    );
    await transport.init();
    await expect(foundOffice(transport)).rejects.toThrow(/there is a snapshot of it .*murmur office recover/);

    for (const data of stored.slice(0, 3)) await log.append("murmur.log.office", data);
    const rewound = await begin();
    await vi.waitFor(() => expect(rewound.findProblem()).toMatch(/the log ends at 3, below \d+/), SOON);
  });

  test("halts when the log is not the log of the snapshots", async () => {
    const { transport, snapshots, begin } = await setupHistory();
    const log = transport.log("office");
    await transport.snapshots.put(nameSnapshot({ ...snapshots[0]!, logId: "other" }), new Uint8Array());
    const other = await begin();
    await vi.waitFor(() => expect(other.findProblem()).toMatch(/is of log other/), SOON);
    await transport.snapshots.delete(nameSnapshot({ ...snapshots[0]!, logId: "other" }));
    await log.purge({ beforeSeq: 1_000 });
    for (let index = 0; index < 3; index++) {
      const entry = { v: 1, type: "barrier", logId: snapshots[0]!.logId, term: 1, at: 0, chain: "0" };
      await log.append("murmur.log.office", new TextEncoder().encode(JSON.stringify(entry)));
    }
    const forked = await begin();
    await vi.waitFor(() => expect(forked.findProblem()).toMatch(/after its genesis/), SOON);
  });

  test("of a follower that the log was trimmed beyond uses a snapshot", async () => {
    const { start, write, trimmed, connect: link, find } = await setup();
    const own = await link();
    const held = { isHolding: false };
    const log: Transport["log"] = (key) => ({
      ...own.log(key),
      tail: ({ afterSeq, onStored }) =>
        own.log(key).tail({
          afterSeq,
          onStored: (stored) => {
            if (!held.isHolding) onStored(stored);
          },
        }),
    });
    const transport = { ...own, log };
    const all = await Promise.all(three.map((id) => start(id, three, id === "c3" ? { transport } : {})));
    await write(5);
    const behind = all[2]!;
    if (behind.office.tenure !== null) await behind.office.handOver(20_000);
    held.isHolding = true;
    const { appliedSeq } = behind.office;
    await write(70);
    await trimmed(appliedSeq + 1);
    held.isHolding = false;
    await write(1);
    await vi.waitFor(() => {
      expect(find(/; starting again$/)).toHaveLength(1);
      expect(stateOf(behind)).toEqual(stateOf(all[0]!));
    }, SOON);
    expect(find(/^coordinator halted/)).toEqual([]);
  });
});

describe("a crash during a snapshot", () => {
  const STEPS = ["put", "get", "append", "answer", "purge", "delete"] as const;

  test.each(STEPS)(
    "at the step %s loses nothing, and the next coordinator continues",
    { timeout: 120_000 },
    async (step) => {
      const {
        start,
        write,
        trimmed,
        list,
        office,
        transport,
        client,
        connect: link,
      } = await setup({ nats: false });
      const before = await start();
      await write(step === "put" || step === "get" || step === "append" || step === "answer" ? 5 : 30);
      await before.stop();

      const own = await link();
      const crash = Promise.withResolvers<void>();
      let isDead = false;
      const die = (): Promise<never> => {
        isDead = true;
        crash.resolve();
        return new Promise(() => undefined);
      };
      const guard =
        <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> =>
          isDead || name === step ? die() : call(...args);
      const ownLog = own.log("office");
      const dying: Transport = {
        ...own,
        snapshots: {
          ...own.snapshots,
          put: guard("put", own.snapshots.put),
          get: guard("get", own.snapshots.get),
          delete: guard("delete", own.snapshots.delete),
        },
        log: () => ({
          ...ownLog,
          purge: guard("purge", ownLog.purge),
          async append(subject, data, options) {
            const isNews = new TextDecoder().decode(data).includes('"type":"snapshot"');
            if (isDead || (isNews && step === "append")) return die();
            const stored = await ownLog.append(subject, data, options);
            return isNews && step === "answer" ? die() : stored;
          },
        }),
      };
      const victim = await start("c1", ["c1"], { transport: dying });
      const writing = write(200).catch(() => undefined);
      await crash.promise;
      await victim.stop();

      const { fold } = await findStartPoint({ log: office, snapshots: transport.snapshots });
      expect(fold.seq).toBeLessThanOrEqual((await office.info()).lastSeq);
      const next = await start();
      await writing;
      await trimmed(1);
      const { values } = await client.read("config");
      expect(values).toHaveLength(7);
      await vi.waitFor(async () => expect((await list()).length).toBeLessThanOrEqual(3), SOON);
      await next.stop();
      const last = await start();
      await client.tenure({ timeoutMs: 60_000 });
      expect((await client.read("config")).values).toEqual(values);
      expect(last.office.status().halted).toBeNull();
      expect(saveFold(fold)).toContain(fold.logId);
    },
  );
});
