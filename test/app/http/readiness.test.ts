import { expect, onTestFinished, test, vi } from "vitest";
import { probeRoutes } from "../../../src/app/http/probes.ts";
import { Readiness } from "../../../src/app/http/readiness.ts";
import { createMeter } from "../../../src/base/index.ts";

function setup() {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const state = { isConnected: true, nowMs: 0 };
  const meter = createMeter();
  const readiness = new Readiness({ meter, isConnected: () => state.isConnected, nowMs: () => state.nowMs });
  onTestFinished(readiness.keep());
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      state.nowMs += 1_000;
      await vi.advanceTimersByTimeAsync(1_000);
    }
  };
  return { state, meter, readiness, pass };
}

test("a question that hangs is answered in the report at once, and told after two seconds", async () => {
  const { readiness, pass } = setup();
  const ask = vi.fn(() => new Promise<string | null>(() => undefined));
  readiness.add({ name: "streams", ask });
  expect(readiness.report()).toEqual({ isReady: false, text: "FAIL streams: not checked yet\n" });
  await pass(3_000);
  expect(readiness.report().text).toBe("FAIL streams: NATS did not answer within 2000 ms\n");
  await pass(10_000);
  expect(ask.mock.calls.length).toBeLessThan(8); // one at a time: 13 ticks have passed
});

test("a good answer stands for five seconds, a problem is looked at every second, and a rejection is its problem", async () => {
  const { readiness, pass } = setup();
  let problem: string | null = null;
  const ask = vi.fn(async () => {
    if (problem === "broken") throw new Error(problem);
    return problem;
  });
  readiness.add({ name: "streams", ask });
  await pass(1_000);
  expect(readiness.report()).toEqual({ isReady: true, text: "ok   streams\n" });
  await pass(4_000);
  expect(ask).toHaveBeenCalledTimes(1);
  problem = "broken";
  await pass(2_000);
  expect(readiness.report().text).toBe("FAIL streams: broken\n");
  problem = null;
  await pass(1_000);
  expect(readiness.report().isReady).toBe(true);
});

test("without a connection questions are skipped, and the last answers do not count", async () => {
  const { state, readiness, pass } = setup();
  const ask = vi.fn(async () => null);
  readiness.add({ name: "streams", ask });
  await readiness.refresh();
  expect(readiness.report().isReady).toBe(true);
  state.isConnected = false;
  expect(readiness.report().text).toBe("FAIL streams: skipped: not connected to NATS\n");
  await pass(20_000);
  expect(ask).toHaveBeenCalledTimes(1);
});

test("a warning is shown by /readyz and the process stays ready; the gauges have each condition", async () => {
  const { meter, readiness } = setup();
  const problem = "this machine's clock is 40.0 s ahead of the NATS server's";
  readiness.add({ name: "it", look: () => null }, { name: "clock", look: () => problem, isWarning: true });
  const routes = probeRoutes({ meter, readiness });
  const ready = await routes.request("/readyz");
  expect(ready.status).toBe(200);
  expect(await ready.text()).toBe(`ok   it\nwarn clock: ${problem}\n`);
  const metrics = await (await routes.request("/metrics")).text();
  expect(metrics).toContain('murmur_ready{check="it"} 1\nmurmur_ready{check="clock"} 0\n');
});
