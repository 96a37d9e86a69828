// The office under a load of commands while its holder is killed, stopped and handed over: nothing lost, nothing twice.
import { expect, onTestFinished, test } from "vitest";
import { createMeter, newId, silentLogger } from "../../src/base/index.ts";
import { createOfficeClient } from "../../src/coordinator/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { setupWorld } from "./support.ts";

const PATIENCE = { timeoutMs: 60_000 };

async function setup() {
  const world = setupWorld();
  const { server } = await world.up("--agents echo*0 --coordinators 3");
  const transport = await connectNats({
    servers: server,
    name: "test",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
  });
  onTestFinished(() => transport.close());
  const office = createOfficeClient({ transport });
  const revisions = new Map<string, number>();
  const stopping = new AbortController();
  const write = async () => {
    while (!stopping.signal.aborted) {
      const key = newId();
      const { revision } = await office.write("config-set", { name: "n", value: key }, { key, ...PATIENCE });
      revisions.set(key, revision);
    }
  };
  const writing = Array.from({ length: 8 }, write);
  const finish = async () => {
    stopping.abort();
    await Promise.all(writing);
    const decided = new Set<string>();
    for await (const stored of transport.log("office").read()) {
      const { commands = [] } = JSON.parse(new TextDecoder().decode(stored.data)) as {
        commands?: { key: string }[];
      };
      for (const { key } of commands) decided.add(key);
    }
    const { values } = await office.read("config", {}, PATIENCE);
    return { decided, last: (values as { revision: number }[])[0]!.revision };
  };
  return { office, revisions, finish };
}

test("no acknowledged command is lost and none is applied twice while leaders die, stand still and hand over", {
  timeout: 240_000,
}, async () => {
  const { office, revisions, finish } = await setup();
  const progress = async () => {
    await office.write("config-set", { name: "n", value: "probe" }, { key: newId(), ...PATIENCE });
    return office.tenure(PATIENCE);
  };
  const killed = await progress();
  process.kill(killed.leaderPid, "SIGKILL");
  const stopped = await progress();
  expect(stopped.leaderPid).not.toBe(killed.leaderPid);
  process.kill(stopped.leaderPid, "SIGSTOP");
  const next = await progress().finally(() => process.kill(stopped.leaderPid, "SIGCONT"));
  expect(next.leaderPid).not.toBe(stopped.leaderPid);
  await office.transfer(undefined, PATIENCE);
  await progress();

  const { decided, last } = await finish();
  expect([...revisions.keys()].filter((key) => !decided.has(`c.${key}`))).toEqual([]);
  expect(new Set(revisions.values()).size).toBe(revisions.size);
  expect(last).toBe(decided.size); // each decision uses one revision: a key that was applied twice would use two
});
