import { expect, onTestFinished, test, vi } from "vitest";
import { Ticker } from "../../../src/coordinator/office/ticker.ts";
import { ELECTION_TIMES, LOG_TICK_MS } from "../../../src/coordinator/time.ts";

const now = performance.now.bind(performance);

function setup() {
  const ticks: { atMs: number; isLate: boolean }[] = [];
  const pauses: number[] = [];
  // A tick's time is the time that the ticker read: the machine may suspend the process right after that.
  const clock = vi.spyOn(performance, "now");
  onTestFinished(() => clock.mockRestore());
  const ticker = new Ticker({
    onTick: (isLate) => ticks.push({ atMs: clock.mock.results.at(-1)?.value as number, isLate }),
    onPause: (pausedMs) => pauses.push(pausedMs),
  });
  onTestFinished(() => ticker.stop());
  ticker.start();
  return { ticker, ticks, pauses };
}

/** Blocks the event loop. */
function block(ms: number): void {
  const endMs = now() + ms;
  while (now() < endMs);
}

test("ticks on time are never closer than their pace, also after a late tick", async () => {
  const { ticks } = setup();
  await expect.poll(() => ticks.length).toBeGreaterThan(2);
  block(LOG_TICK_MS * 1.6);
  await expect.poll(() => ticks.length).toBeGreaterThan(8);
  const onTime = ticks.filter(({ isLate }) => !isLate);
  const gaps = onTime.slice(1).map(({ atMs }, index) => atMs - onTime[index]!.atMs);
  expect(Math.min(...gaps)).toBeGreaterThan(LOG_TICK_MS - 1e-6); // a division may round
});

test("missed ticks come in one burst, late except the last, and a long pause is reported", async () => {
  const { ticks, pauses } = setup();
  block(LOG_TICK_MS * 12.5);
  await expect.poll(() => ticks.length).toBeGreaterThan(0);
  // A loaded machine may have suspended the process for a tick or two more.
  const missed = pauses[0]! / LOG_TICK_MS;
  expect(missed).toBeGreaterThanOrEqual(12);
  const burst = Math.min(missed, 2 * ELECTION_TIMES.electionTicks);
  expect(ticks.slice(0, burst).map(({ isLate }) => isLate)).toEqual([...Array(burst - 1).fill(true), false]);
});

test("no tick comes after the stop", async () => {
  const { ticker, ticks } = setup();
  block(LOG_TICK_MS * 2);
  ticker.stop();
  await new Promise((resolve) => setTimeout(resolve, 2 * LOG_TICK_MS));
  expect(ticks).toEqual([]);
});
