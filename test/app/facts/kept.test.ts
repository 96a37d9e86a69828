import { expect, test, vi } from "vitest";
import { FACTS_INTERVAL_MS, KeptFact, keepFacts } from "../../../src/app/facts/kept.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";

function setup(read: () => Promise<number>) {
  const now = { ms: 1_000 };
  const shown: number[] = [];
  const fact = new KeptFact({
    name: "it",
    read,
    show: (value) => void shown.push(value),
    nowMs: () => now.ms,
  });
  return { now, shown, fact };
}

test("a fact keeps its last value and its age while reads fail", async () => {
  const answers: (number | Error)[] = [7, new Error("no answer")];
  const { now, shown, fact } = setup(async () => {
    const answer = answers.shift();
    if (typeof answer === "number") return answer;
    throw answer;
  });
  expect(fact.ageSeconds).toBeNull();
  await fact.refresh();
  now.ms += 3_000;
  await fact.refresh();
  expect(fact).toMatchObject({ value: 7, problem: "no answer" });
  expect(fact.ageSeconds).toBe(3);
  expect(shown).toEqual([7]);
});

test("a fact has one read in flight, and a slow one is read less often", async () => {
  const gate = Promise.withResolvers<number>();
  const read = vi.fn(() => gate.promise);
  const { now, fact } = setup(read);
  const both = [fact.refresh(), fact.refresh()];
  now.ms += 5_000; // the read takes 5 s
  gate.resolve(1);
  await Promise.all(both);
  expect(read).toHaveBeenCalledTimes(1);
  now.ms += FACTS_INTERVAL_MS;
  expect(fact.isDue).toBe(false);
  now.ms += 20_000 - FACTS_INTERVAL_MS;
  expect(fact.isDue).toBe(true);
});

test("facts are not read without a connection, and their ages show in the metrics", async () => {
  const { now, fact } = setup(async () => 1);
  await fact.refresh();
  now.ms += 60_000;
  const meter = createMeter();
  const keeper = keepFacts({ facts: [fact], meter, isConnected: () => false, log: silentLogger });
  await keeper.start();
  await keeper.stop();
  expect((await meter.factsAgeSeconds.get()).values).toEqual([{ labels: { facts: "it" }, value: 60 }]);
});
