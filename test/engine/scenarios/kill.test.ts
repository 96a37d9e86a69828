// Engines as processes are killed in the middle of many runs, again and again, on a real nats-server.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { TerminalError } from "../../../src/protocol/index.ts";
import { foldLog } from "../../../src/workflow/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { scaled } from "../../support/scale.ts";
import { until } from "../../work/support.ts";
import { effectsOfTrip } from "../kill-workflows.ts";
import { EngineSwarm } from "../support.ts";

const RUNS = scaled(16, 500);
const KILLS = scaled(1, 10);

let server: NatsServer;
let swarm: EngineSwarm;
const engines = new Map<string, ChildProcess>();
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
afterEach(async () => {
  for (const engine of engines.values()) engine.kill("SIGKILL");
  await swarm.stop();
});

async function startEngine(id: string): Promise<void> {
  const program = join(import.meta.dirname, "..", "engine-process.ts");
  const child = spawn(process.execPath, [program, server.url, swarm.prefix, id], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  engines.set(id, child);
  await once(child.stdout!, "data");
}

it(
  "every run ends, each effect happens once by its key, and every chain is valid",
  async () => {
    swarm = new EngineSwarm(server.url);
    const client = await swarm.client();
    await swarm.agents({
      book: () => "ok",
      hold: (seat: number) => seat,
      unbook: () => null,
      refuse: () => {
        throw new TerminalError("no money");
      },
    });
    await Promise.all([startEngine("one"), startEngine("two")]);
    const ids = Array.from({ length: RUNS }, (_, at) => `trip-${at}`);
    let ended = 0;
    const runs = ids.map(async (id, at) => {
      const fails = at % 4 === 0;
      await client.start({ workflow: "trip", input: { fails }, id });
      const result = await client.result(id);
      ended++;
      return { id, fails, status: result.status };
    });
    for (let kill = 1; kill <= KILLS; kill++) {
      const share = Math.min(ended + Math.max(1, Math.floor(RUNS / (2 * KILLS))), RUNS - 1);
      await until(() => (ended >= share ? true : undefined));
      const id = kill % 2 === 0 ? "one" : "two";
      engines.get(id)?.kill("SIGKILL");
      await startEngine(id);
    }
    const outcomes = await Promise.all(runs);
    const byRun = new Map<string, string[]>();
    for (const effect of swarm.effects()) {
      const id = effect.split(/[ /]/)[1] ?? "";
      byRun.set(id, [...(byRun.get(id) ?? []), effect]);
    }
    for (const { id, fails, status } of outcomes) {
      expect(status, id).toBe(fails ? "failed" : "completed");
      expect(byRun.get(id)?.sort(), id).toEqual(effectsOfTrip(id, fails));
      const { texts } = await client.log(id);
      expect(foldLog(id, texts), id).toMatchObject({ ok: true });
    }
    expect((await (await swarm.swarm.connect()).log("tasks").info()).messages).toBe(0);
  },
  scaled(120_000, 400_000),
);

it("an engine that stops politely gives its runs to the other one within a second", async () => {
  swarm = new EngineSwarm(server.url);
  const client = await swarm.client();
  await swarm.agents({ book: () => "ok", hold: (seat: number) => seat });
  await Promise.all([startEngine("one"), startEngine("two")]);
  const stopped = once(engines.get("one")!, "exit");
  engines.get("one")?.kill("SIGTERM");
  await stopped;
  const startedMs = performance.now();
  const ids = Array.from({ length: 8 }, (_, at) => `calm-${at}`);
  await Promise.all(
    ids.map(async (id) => {
      await client.start({ workflow: "trip", input: { fails: false }, id });
      expect(await client.result(id)).toMatchObject({ status: "completed" });
    }),
  );
  expect(performance.now() - startedMs).toBeLessThan(10_000); // a loaded machine is slow; without the goodbye it is no faster than the ack-wait
}, 60_000);
