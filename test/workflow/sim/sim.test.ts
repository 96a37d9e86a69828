// One workflow under every fault at once, for many seeds; and deliberate bugs of the driver and of hosts, which a seed must notice.
import { expect, test } from "vitest";
import { scaled } from "../../support/scale.ts";
import { type Mutant, runSeed } from "./world.ts";

const SEEDS = scaled(100, 3_000);

test(`${SEEDS} seeds hold`, { timeout: 600_000 }, () => {
  const failures: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const fault = runSeed(seed);
    if (fault !== null) failures.push(`seed ${seed}: ${fault}`);
  }
  expect(failures).toEqual([]);
});

const mutants: Mutant[] = [
  "acks before effects",
  "effects before append",
  "commands as delivered",
  "believes a stale fold",
  "undoes only completed steps",
];

test.each(mutants)("a driver that %s is noticed", (mutant) => {
  let seed = 1;
  while (seed <= SEEDS && runSeed(seed, mutant) === null) seed++;
  expect(seed).toBeLessThanOrEqual(SEEDS);
});
