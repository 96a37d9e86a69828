// Measures the office under failures and without them: node tools/rigs/failover.ts [--help]. Exit code 1 when a goal is missed,
// or a confirmed command was lost or applied twice.
import { measureCommands } from "./office/commands.ts";
import { measureFailovers, measureServerKills, measureTransfers } from "./office/failovers.ts";
import type { Figure } from "./office/figures.ts";
import { printReport, readFlags } from "./office/flags.ts";
import { measureTaskFlow } from "./office/flow.ts";
import { startPromises } from "./office/promises.ts";
import { measureRolls } from "./office/rolls.ts";
import { startWorld } from "./office/world.ts";

const PARTS = ["kill", "pause", "transfer", "roll", "commands", "tasks", "cluster"] as const;
const MEMBERS = ["a", "b", "c"];

const flags = readFlags(
  "node tools/rigs/failover.ts: three coordinators as processes on one nats-server, or on a cluster of three (the part `cluster`).\nAll of it takes about ten minutes.",
  {
    only: { type: "names", names: PARTS, about: "parts" },
    kills: { type: "count", default: 30, about: "kills of the leader, and as often SIGSTOP" },
    transfers: { type: "count", default: 30, about: "planned transfers" },
    rolls: { type: "count", default: 10, about: "rolls of all coordinators, one at a time" },
    "server-kills": {
      type: "count",
      default: 10,
      about: "kills of the nats-server that leads the control stream",
    },
    pairs: { type: "count", default: 7, about: "pairs of rounds of tasks, with and without a leader" },
    seconds: { type: "count", default: 5, about: "length of each run of commands" },
  },
);
const has = (part: (typeof PARTS)[number]) => flags.names("only").includes(part);
const figures: Figure[] = [];
let faults: Record<string, number> = {};

if (has("kill") || has("pause") || has("transfer")) {
  const world = await startWorld({ members: MEMBERS });
  try {
    const promises = await startPromises(world.transport, world.office);
    if (has("kill")) figures.push(await measureFailovers(world, "kill", flags.count("kills")));
    if (has("pause")) figures.push(await measureFailovers(world, "pause", flags.count("kills")));
    if (has("transfer")) figures.push(await measureTransfers(world, flags.count("transfers")));
    await promises.pause();
    const { acknowledged, lost, appliedTwice } = await promises.judge();
    faults = {
      [`of ${acknowledged} confirmed commands were lost`]: lost,
      "were applied twice": appliedTwice,
    };
  } finally {
    await world.stop();
  }
}
if (has("roll")) {
  const world = await startWorld({ members: MEMBERS });
  try {
    figures.push(await measureRolls(world, flags.count("rolls")));
  } finally {
    await world.stop();
  }
}
if (has("commands") || has("tasks")) {
  const world = await startWorld({ members: MEMBERS });
  try {
    if (has("commands")) figures.push(...(await measureCommands(world.office, flags.count("seconds"))));
    if (has("tasks")) figures.push(...(await measureTaskFlow(world, flags.count("pairs"))));
  } finally {
    await world.stop();
  }
}
if (has("cluster")) figures.push(await measureServerKills(flags.count("server-kills")));
printReport(flags, figures, faults);
