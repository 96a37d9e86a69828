import { expect, test } from "vitest";
import { ManualClock, silentLogger } from "../../../src/base/index.ts";
import type { OfficeTenure } from "../../../src/coordinator/index.ts";
import { handOver } from "../../../src/coordinator/office/hand-over.ts";
import { ELECTION_TIMES, LOG_TICK_MS } from "../../../src/coordinator/time.ts";
import { SwarmError } from "../../../src/protocol/index.ts";

/** A held office that is not handed over by itself. */
function setup(transfer = () => "b") {
  const clock = new ManualClock();
  const listeners: ((tenure: OfficeTenure | null) => void)[] = [];
  let asked = 0;
  const office = {
    tenure: { id: "a", pid: 1, term: 1, since: "" } as OfficeTenure | null,
    transfer() {
      asked++;
      return transfer();
    },
    onTenure: (listener: (typeof listeners)[number]) => void listeners.push(listener),
  };
  return {
    clock,
    timesAsked: () => asked,
    leave() {
      office.tenure = null;
      for (const listener of listeners) listener(null);
    },
    handOver: (timeoutMs: number) => handOver(office, { timeoutMs, clock, log: silentLogger }),
  };
}

/** Lets resolved promises run their continuations. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a hand-over ends when the office is left, and leaves no timer behind", async () => {
  const { clock, handOver, leave, timesAsked } = setup();
  const done = handOver(2_000);
  leave();
  await done;
  clock.advance(10_000);
  await turn();
  expect(timesAsked()).toBe(1);
});

test("a transfer that the election gave up is repeated until the timeout", async () => {
  const { clock, handOver, timesAsked } = setup();
  const done = handOver(1_200);
  for (let ticks = 0; ticks <= ELECTION_TIMES.electionTicks; ticks++) clock.advance(LOG_TICK_MS);
  await turn();
  expect(timesAsked()).toBe(2);
  for (let waits = 0; waits < 3; waits++) {
    clock.advance(600);
    await turn();
  }
  await done;
  expect(timesAsked()).toBe(3);
});

test("a holder serves on while its only successor has just started, and asks again a tick later", async () => {
  let isNew = true;
  const { clock, handOver, leave, timesAsked } = setup(() => {
    if (isNew) throw new SwarmError("unavailable", "b has just started", { retryAfterMs: LOG_TICK_MS });
    return "b";
  });
  const done = handOver(2_000);
  await turn();
  expect(timesAsked()).toBe(1);
  isNew = false;
  clock.advance(LOG_TICK_MS);
  await turn();
  expect(timesAsked()).toBe(2);
  leave();
  await done;
});

test("a hand-over ends at once when no member can take over", async () => {
  const { handOver, timesAsked } = setup(() => {
    throw new Error("nobody answers");
  });
  await handOver(2_000);
  expect(timesAsked()).toBe(1);
});
