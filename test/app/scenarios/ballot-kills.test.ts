// Ballots on real coordinators; the leading coordinator is killed while ballots are open.
import { expect, onTestFinished, test } from "vitest";
import { measureKills } from "../../../tools/rigs/office/ballots.ts";
import { startWorld } from "../../../tools/rigs/office/world.ts";
import { scaled } from "../../support/scale.ts";

test("every ballot ends with its only right verdict while leaders are killed", {
  timeout: 240_000,
}, async () => {
  const world = await startWorld({ members: ["a", "b", "c"] });
  onTestFinished(() => world.stop());
  const ballots = scaled(30, 60);
  const { judged, handedIn } = await measureKills(world, {
    ballots,
    kills: scaled(1, 2),
    seed: 7,
    tell: () => undefined,
  });
  expect(handedIn).toBe(ballots);
  expect(judged).toEqual({ right: ballots, different: [], notOnce: [], announcedTwice: [], askedTwice: [] });
});
