// The wait of `init --wait`: which errors it waits for, how often it tries, and how much it tells.
import { expect, onTestFinished, test } from "vitest";
import { waitForNats } from "../../../../src/app/commands/swarm/init-wait.ts";
import { ManualClock } from "../../../../src/base/index.ts";
import { SwarmError } from "../../../../src/protocol/index.ts";
import { startNatsServer } from "../../../support/nats-server.ts";
import { collect, setupWorld } from "../../support.ts";

/** Waits for `work` on a clock that the test moves, for up to `limitMs`. */
function setup(work: () => Promise<string>, limitMs: number) {
  const clock = new ManualClock();
  const told: { reason: string; waitedMs: number }[] = [];
  const controller = new AbortController();
  let tries = 0;
  const counted = () => {
    tries++;
    return work();
  };
  const waiting = waitForNats(counted, {
    limitMs,
    tell: (reason, waitedMs) => told.push({ reason, waitedMs }),
    signal: controller.signal,
    clock,
    chance: { next: () => 0.5 },
  });
  waiting.catch(() => undefined);
  const advance = async (ms: number) => {
    await new Promise(setImmediate); // the first try ends before the clock moves
    for (let leftMs = ms; leftMs > 0; leftMs -= 50) {
      clock.advance(50);
      await new Promise(setImmediate);
    }
  };
  return { waiting, told, advance, tries: () => tries, controller };
}

const away = () => Promise.reject(new SwarmError("unavailable", "no NATS server answered"));

test("it tries soon at first and then each five seconds, and tells the reason three times a minute", async () => {
  const { told, advance, tries, waiting } = setup(away, 61_000);
  await advance(2_000);
  expect(tries()).toBe(4);
  await advance(58_000);
  expect(tries()).toBe(16);
  expect(told).toHaveLength(3);
  expect(told[0]).toEqual({ reason: "no NATS server answered", waitedMs: 0 });
  await advance(10_000);
  await expect(waiting).rejects.toThrow("no NATS server answered");
  expect(tries()).toBe(16);
});

test("it ends with the first success", async () => {
  let isThere = false;
  const { told, advance, waiting } = setup(() => (isThere ? Promise.resolve("done") : away()), 60_000);
  await advance(1_000);
  isThere = true;
  await advance(2_000);
  expect(await waiting).toBe("done");
  expect(told).toHaveLength(1);
});

test("an error that only an operator can mend ends it at once, and so does an interrupt", async () => {
  const lasting = new SwarmError("unavailable", "too old", { retryable: false });
  await expect(setup(() => Promise.reject(lasting), 60_000).waiting).rejects.toBe(lasting);
  const refused = new SwarmError("not_permitted", "no");
  await expect(setup(() => Promise.reject(refused), 60_000).waiting).rejects.toBe(refused);
  const stopped = setup(away, 60_000);
  await stopped.advance(50);
  stopped.controller.abort(new SwarmError("cancelled", "stopped by SIGTERM"));
  await expect(stopped.waiting).rejects.toThrow("stopped by SIGTERM");
});

test("init --wait waits for a server that starts later, and says what it waits for", async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  await server.kill();
  const world = setupWorld();
  const child = world.start(`init --wait=2m --server ${server.url}`);
  const ran = collect(child);
  await new Promise<void>((resolve) => {
    child.stderr?.on("data", (text: string) => {
      if (text.includes("init waits for it")) resolve();
    });
  });
  await server.restart();
  const { exitCode, stdout, stderr } = await ran;
  expect(stdout).toMatch(/created {3}MURMUR_TASKS/);
  expect(stderr).toMatch(/NATS is not ready/);
  expect(exitCode).toBe(0);
}, 120_000);

test("a wait that is no duration is refused, with the expected form", async () => {
  const { exitCode, stderr } = await setupWorld().call("init --wait=soon");
  expect(stderr).toMatch(/--wait must be a duration such as 30s or 10m/);
  expect(exitCode).not.toBe(0);
});
