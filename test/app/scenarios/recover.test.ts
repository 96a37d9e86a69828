// A control log that was lost under running coordinators, and `office recover`: as processes, as an operator meets it.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectAdmin } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { setupOffice, takeLock } from "../../coordinator/support.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { createCoordinator } from "../../support/office/process.ts";
import { eventually, setupWorld } from "../support.ts";

const members = ["a", "b", "c"];
const PATIENT = { timeoutMs: 60_000 };
const SNAPSHOT_INTERVAL = { entries: 20, bytes: 1e9 };

/** A log line of a coordinator. */
interface Line {
  readonly msg: string;
  readonly alert?: string;
  readonly reason?: string;
  readonly runbook?: string;
  readonly metrics?: string;
}

/** Three coordinators behind a snapshot with a lock and values in it, and a copy of the log from before. */
async function setup() {
  const server = await startNatsServer();
  const swarm = await setupOffice({ at: server });
  const { transport, client } = swarm;
  const directory = mkdtempSync(join(tmpdir(), "murmur-recover-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const stream = join(server.dir, "store/jetstream/$G/streams/MURMUR_OFFICE_LOG");
  const copy = join(directory, "copy");

  const founder = await swarm.start(
    "a",
    ["a"],
    { snapshotInterval: SNAPSHOT_INTERVAL },
    { placement: false },
  );
  const acquire = (name: string) => takeLock(client, { name, ttlMs: 600_000, ...PATIENT });
  const token = await acquire("l");
  const set = (value: number, key?: string) =>
    client.write("config-set", { name: "n", value }, key === undefined ? PATIENT : { ...PATIENT, key });
  await server.kill();
  cpSync(stream, copy, { recursive: true });
  await server.restart();
  const acknowledged = await set(1, "k");
  for (let value = 2; value < 30; value++) await set(value);
  await vi.waitFor(async () => expect(await transport.snapshots.names()).toHaveLength(1), {
    timeout: 60_000,
  });
  await founder.stop();

  const logOf = (id: string) => join(directory, `${id}.log`);
  const coordinators = members.map((id) =>
    createCoordinator({ id, members, server: server.url, logFile: logOf(id) }),
  );
  onTestFinished(async () => void (await Promise.all(coordinators.map((each) => each.kill()))));
  for (const each of coordinators) each.start();
  const linesOf = (id: string) =>
    readFileSync(logOf(id), "utf8")
      .trimEnd()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line);
  const world = setupWorld({ MURMUR_SERVER: server.url });
  return {
    ...{ ...swarm, server, world, token, set, acquire, acknowledged, coordinators, linesOf },
    /** The answer of `office …`, and its exit code. */
    async office(command: string) {
      const ran = await world.call(`office ${command} --json`);
      return { exitCode: ran.exitCode, ...ran.json() };
    },
    /** The reason why a coordinator is not ready; null when it is ready. */
    async problemOf(id: string) {
      const { metrics } = linesOf(id).findLast((line) => line.metrics !== undefined) ?? {};
      if (metrics === undefined) return undefined;
      // A coordinator that was killed has told the address of its new process only when that is ready.
      const answer = await fetch(metrics.replace("metrics", "readyz")).catch(() => undefined);
      if (answer === undefined) return undefined;
      return answer.ok ? null : await answer.text();
    },
    async request(subject: string) {
      const admin = await connectAdmin({ servers: server.url });
      await admin.request(subject);
      await admin.close();
    },
    async restoreCopy() {
      await server.kill();
      rmSync(stream, { recursive: true });
      cpSync(copy, stream, { recursive: true });
      await server.restart();
    },
  };
}

test("a log that was restored from an old copy, or deleted and created again, halts coordinators until it is recovered", {
  timeout: 240_000,
}, async () => {
  const swarm = await setup();
  const { world, client, office, coordinators, linesOf, problemOf, set, acquire, acknowledged } = swarm;
  let { token } = swarm;
  let epoch = 1;
  const disasters = [
    swarm.restoreCopy,
    async () => {
      await swarm.request("$JS.API.STREAM.DELETE.MURMUR_OFFICE_LOG");
      const init = await world.call("init --json");
      expect(init.exitCode).not.toBe(0);
      expect(init.stdout).toMatch(/murmur office recover/);
    },
  ];
  for (const loseLog of disasters) {
    await client.tenure(PATIENT);
    const { revision } = await set(100 + epoch);
    await loseLog();

    const restarted = coordinators[epoch] as (typeof coordinators)[number];
    await restarted.kill();
    const before = linesOf(restarted.id).length;
    restarted.start();
    const alert = await eventually(() =>
      linesOf(restarted.id)
        .slice(before)
        .find((line) => line.alert === "coordinator_halted"),
    );
    expect(alert.runbook).toMatch(/docs\/coordinator.md, section “When a coordinator halts”/);
    await eventually(async () => {
      const problems = await Promise.all(members.map(problemOf));
      return problems.every((problem) => typeof problem === "string") ? true : undefined;
    });
    expect(await problemOf(restarted.id)).toContain(alert.reason);
    expect(await office("status --timeout 300ms")).toMatchObject({ exitCode: 3, leader: null, logSeq: null });

    const plan = await office("recover");
    expect(plan).toMatchObject({ exitCode: 1, recovered: false, epoch: epoch + 1, lost: expect.anything() });
    const done = await office("recover --yes");
    // Coordinators that halt may have tried an election in between, and the new term is above that term too.
    const later = { term: expect.any(Number), audited: expect.any(Boolean) };
    expect(done).toMatchObject({ ...plan, exitCode: 0, recovered: true, ...later });
    const termOf = (answer: object) => Number((answer as { term?: unknown }).term);
    expect(termOf(done)).toBeGreaterThanOrEqual(termOf(plan));
    epoch++;

    await eventually(async () => {
      const problems = await Promise.all(members.map(problemOf));
      return problems.every((problem) => problem === null) ? true : undefined;
    });
    expect(await set(0, "k")).toEqual(acknowledged);
    const next = (await set(200)).revision;
    expect(next).toBeGreaterThan(revision + 1_000_000);
    expect((await client.read("locks", {}, PATIENT)).locks).toContainEqual(
      expect.objectContaining({ name: "l", token: swarm.token }),
    );
    const newer = (await acquire(`l${epoch}`)) as number;
    expect(newer).toBeGreaterThan(token + 1_000_000);
    token = newer;
  }
  expect(await office("recover --yes")).toMatchObject({ exitCode: 1, error: { code: "conflict" } });
});
