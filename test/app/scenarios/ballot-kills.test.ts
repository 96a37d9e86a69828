// Ballots on real coordinators, the leading one of which is killed again and again while they are open.
import { expect, onTestFinished, test } from "vitest";
import { measureKills } from "../../../tools/rigs/office/ballots.ts";
import { startWorld } from "../../../tools/rigs/office/world.ts";

test("every ballot ends with its one right verdict while leaders are killed", {
  timeout: 240_000,
}, async () => {
  const world = await startWorld({ members: ["a", "b", "c"] });
  onTestFinished(() => world.stop());
  const { judged, handedIn } = await measureKills(world, {
    ballots: 60,
    kills: 2,
    seed: 7,
    tell: () => undefined,
  });
  expect(handedIn).toBe(60);
  expect(judged).toEqual({ right: 60, different: [], notOnce: [], announcedTwice: [], askedTwice: [] });
});
