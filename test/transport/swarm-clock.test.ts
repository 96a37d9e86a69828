import { expect, test } from "vitest";
import { ManualClock } from "../../src/base/index.ts";
import { createSkewLog, describeSkew, SwarmClock } from "../../src/transport/index.ts";
import { correctionOf, skewOf } from "../../src/transport/swarm-clock.ts";

/** A machine whose wall clock is `skewMs` ahead of the server's; both advance together. */
function setup(skewMs: number) {
  const trueTime = new ManualClock(1_000_000);
  const machine = { skewMs, roundTripMs: 0, isServerDown: false, measured: 0 };
  const wall = {
    now: () => trueTime.now() + machine.skewMs,
    after: (delayMs: number, run: () => void) => trueTime.after(delayMs, run),
  };
  const skews: number[] = [];
  const clock = new SwarmClock({
    readServer: async () => {
      machine.measured++;
      if (machine.isServerDown) throw new Error("no answer");
      trueTime.advance(machine.roundTripMs / 2);
      const serverMs = trueTime.now();
      trueTime.advance(machine.roundTripMs / 2);
      return serverMs;
    },
    onSkew: (skew) => skews.push(skew),
    clock: wall,
    steadyMs: () => trueTime.now(),
  });
  return { clock, machine, trueTime, wall, skews };
}

test.each([40_000, -40_000, 501])(
  "a clock that is %s ms ahead shows the server's time once it is measured",
  async (skewMs) => {
    const { clock, trueTime, wall, skews } = setup(skewMs);
    expect(clock.now()).toBe(wall.now());
    expect(clock.skewMs).toBeNull();
    await clock.sync();
    expect(clock.now()).toBe(trueTime.now());
    expect(clock.skewMs).toBe(skewMs);
    expect(skews).toEqual([skewMs]);
  },
);

test("a small skew is not corrected, and a correction ends below a smaller one", () => {
  expect([correctionOf(499, 0), correctionOf(500, 0), correctionOf(-500, 0)]).toEqual([0, -500, 500]);
  expect([correctionOf(499, -500), correctionOf(250, -499), correctionOf(249, -250)]).toEqual([
    -499, -250, 0,
  ]);
});

test("the fastest sample decides, and slow samples do not count", () => {
  const sample = (roundTripMs: number, serverMs: number) => ({ sentAtMs: 10_000, roundTripMs, serverMs });
  expect(skewOf([sample(900, 5_000), sample(20, 9_000), sample(300, 1)])).toBe(1_010);
  expect(skewOf([sample(1_001, 5_000), sample(-1, 5_000)])).toBeNull();
  expect(skewOf([])).toBeNull();
});

test("half of the round trip is taken off", async () => {
  const { clock, machine } = setup(40_000);
  machine.roundTripMs = 200;
  await clock.sync();
  expect(clock.skewMs).toBe(40_000);
});

test("a valid measurement is not repeated; it is after 30 s, and when the wall clock was set", async () => {
  const { clock, machine, trueTime } = setup(0);
  await clock.sync();
  const once = machine.measured;
  trueTime.advance(29_999);
  await clock.sync();
  expect(machine.measured).toBe(once);
  trueTime.advance(1);
  await clock.sync();
  expect(machine.measured).toBe(2 * once);
  machine.skewMs = 7_000;
  await clock.sync();
  expect(clock.now()).toBe(trueTime.now());
  machine.skewMs = 0;
  await clock.sync();
  expect(clock.now()).toBe(trueTime.now());
});

test("without an answer the clock stays as it is", async () => {
  const { clock, machine, trueTime, wall } = setup(40_000);
  machine.isServerDown = true;
  await clock.sync();
  expect([clock.now(), clock.skewMs]).toEqual([wall.now(), null]);
  machine.isServerDown = false;
  trueTime.advance(30_000);
  await clock.sync();
  machine.isServerDown = true;
  trueTime.advance(30_000);
  await clock.sync();
  expect([clock.now(), clock.skewMs]).toEqual([trueTime.now(), 40_000]);
});

test("several callers share one measurement", async () => {
  const { clock, machine } = setup(0);
  await Promise.all([clock.sync(), clock.sync(), clock.sync()]);
  expect(machine.measured).toBe(3);
});

test("people are told of a skew from 2 s on, with its direction", () => {
  expect([describeSkew(null), describeSkew(1_999)]).toEqual([null, null]);
  expect(describeSkew(40_000)).toBe(
    "this machine's clock is 40.0 s ahead of the NATS server's; set it, for example with NTP",
  );
  expect(describeSkew(-2_000)).toBe(
    "this machine's clock is 2.0 s behind the NATS server's; set it, for example with NTP",
  );
});

test("the log tells the begin and the end of a skew once each, however often it is measured", () => {
  const lines: string[] = [];
  const write = (level: string) => (_: object, message?: string) => void lines.push(`${level} ${message}`);
  const seen: number[] = [];
  const logger = { warn: write("warn"), info: write("info") } as Parameters<typeof createSkewLog>[0];
  const log = createSkewLog(logger, (skewMs) => seen.push(skewMs));
  const measured = [100, 600_000, 600_100, -600_000, 0, 0, 2_000];
  for (const skewMs of measured) log(skewMs);
  expect(seen).toEqual(measured);
  expect(lines).toEqual([
    expect.stringMatching(/^warn this machine's clock is 600\.0 s ahead .*; set it, .*corrects its times/),
    "info this machine's clock agrees with the NATS server's again",
    expect.stringMatching(/^warn this machine's clock is 2\.0 s ahead/),
  ]);
});
