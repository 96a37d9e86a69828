// Every deliberate bug of member-mutants.ts must make a seed fail. Otherwise the silence of the simulator proves nothing.

import { describe, expect, it } from "vitest";
import { expectFailureReplay, findFailingSeed, MUTANT_SEEDS } from "./expect-world.ts";
import { MEMBER_MUTANTS } from "./member-mutants.ts";

describe(`a deliberate bug in the world of the member is noticed within ${MUTANT_SEEDS} seeds`, () => {
  it.each(MEMBER_MUTANTS)("a member that $name", { timeout: 600_000 }, async ({ bench, knownSeed }) => {
    expect(await findFailingSeed(bench, knownSeed)).toBeLessThanOrEqual(MUTANT_SEEDS);
  });
});

it("a failing seed replays byte for byte, with its last lines", async () => {
  const { bench, knownSeed } =
    MEMBER_MUTANTS.find(({ name }) => name === "answers a read without a barrier") ?? expect.unreachable();
  await expectFailureReplay(bench, await findFailingSeed(bench, knownSeed));
});
