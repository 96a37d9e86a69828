// Every deliberate bug of line-mutants.ts must make a seed fail. Otherwise the silence of the simulator proves nothing.

import { describe, expect, it } from "vitest";
import { expectFailureReplay, findFailingSeed, MUTANT_SEEDS } from "./expect-world.ts";
import { LINE_MUTANTS } from "./line-mutants.ts";

describe(`a deliberate bug in the world of the line is noticed within ${MUTANT_SEEDS} seeds`, () => {
  it.each(LINE_MUTANTS)("a member that $name", { timeout: 600_000 }, async ({ bench, knownSeed }) => {
    expect(await findFailingSeed(bench, knownSeed)).toBeLessThanOrEqual(MUTANT_SEEDS);
  });
});

it("a failing seed replays byte for byte, with its last lines", async () => {
  const { bench, knownSeed } =
    LINE_MUTANTS.find(({ name }) => name === "reads without a barrier") ?? expect.unreachable();
  await expectFailureReplay(bench, await findFailingSeed(bench, knownSeed));
});
