// The world of the member: the real decider under every kind of fault at once (world.ts). Every seed must hold.

import { it } from "vitest";
import { expectReplay, expectSoundWorld, SWEEP_SEEDS } from "./expect-world.ts";

it(`${SWEEP_SEEDS} seeds hold in the world of the member, and every kind of fault happens`, {
  timeout: 600_000,
}, async () => {
  await expectSoundWorld("member");
});

it("a seed of the world of the member replays byte for byte", async () => {
  await expectReplay("member");
});
