// Measures ballots under faults: node tools/rigs/ballots.ts [--help]. The exit code is 1 when a goal is missed, or when a ballot
// had no verdict, a wrong one, or two.
import { measureEarlyStop, measureKills } from "./office/ballots.ts";
import type { Figure } from "./office/figures.ts";
import { printReport, readFlags, tellProgress } from "./office/flags.ts";
import { startWorld } from "./office/world.ts";

const PARTS = ["stop", "kills"] as const;

const flags = readFlags(
  "node tools/rigs/ballots.ts: three coordinators as processes on one nats-server, five voters in this one.",
  {
    only: { type: "names", names: PARTS, about: "parts: early stop, kills of the leader" },
    kills: { type: "count", default: 10, about: "kills of the leader while ballots are open" },
    ballots: { type: "count", default: 1_000, about: "ballots submitted during the kills" },
    rounds: { type: "count", default: 20, about: "ballots that end without waiting for two seats" },
    seed: { type: "count", default: 1, about: "seed of the kill times and of the voters' thinking times" },
  },
);
const figures: Figure[] = [];
const faults: Record<string, number> = {};

const world = await startWorld({ members: ["a", "b", "c"] });
try {
  if (flags.names("only").includes("stop")) {
    figures.push(...(await measureEarlyStop(world, flags.count("rounds"))));
  }
  if (flags.names("only").includes("kills")) {
    const [ballots, kills, seed] = (["ballots", "kills", "seed"] as const).map((name) => flags.count(name));
    const measured = await measureKills(world, {
      ballots: ballots!,
      kills: kills!,
      seed: seed!,
      tell: tellProgress,
    });
    const { right, different, notOnce, announcedTwice, askedTwice } = measured.judged;
    figures.push(...measured.figures);
    faults[`of ${measured.handedIn} ballots (${right} right) had no verdict`] = ballots! - measured.handedIn;
    faults["had another verdict"] = different.length;
    faults["had no result in the stream, or several"] = notOnce.length;
    faults["had their result announced twice"] = announcedTwice.length;
    faults["asked a seat under two ids"] = askedTwice.length;
  }
} finally {
  await world.stop();
}
printReport(flags, figures, faults);
