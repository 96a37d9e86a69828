// Measures workflows: node tools/rigs/workflows.ts [--help]. Exit code 1 when a goal is missed.
import type { Figure } from "./office/figures.ts";
import { printReport, readFlags, tellProgress } from "./office/flags.ts";
import {
  measureFold,
  measureHandovers,
  measureList,
  measureMaps,
  measureServer,
  measureSleepers,
} from "./workflows/measures.ts";

const PARTS = ["handovers", "maps", "fold", "sleepers", "list", "server"] as const;

const flags = readFlags(
  "node tools/rigs/workflows.ts: engines as processes on one nats-server, and agents in this process, which answer at once.",
  {
    only: {
      type: "names",
      names: PARTS,
      about: "parts: ends of engines, large maps, long logs, sleeping runs, lists, memory of the server",
    },
    kills: { type: "count", default: 10, about: "kills (-9) of an engine" },
    stops: { type: "count", default: 5, about: "polite stops of an engine" },
    runs: { type: "count", default: 32, about: "runs in progress at each end of an engine" },
    items: { type: "count", default: 10_000, about: "items of the large map, against a tenth of them" },
    entries: { type: "count", default: 10_000, about: "entries of the long log" },
    sleepers: { type: "count", default: 10_000, about: "sleeping runs" },
    listed: { type: "count", default: 100_000, about: "runs of the list" },
    finished: { type: "count", default: 10_000, about: "finished runs in the memory of the server" },
  },
);

const MEASURES: Readonly<Record<(typeof PARTS)[number], () => Promise<Figure[]>>> = {
  handovers: () =>
    measureHandovers(
      { kills: flags.count("kills"), stops: flags.count("stops"), runs: flags.count("runs") },
      tellProgress,
    ),
  maps: () => measureMaps([Math.ceil(flags.count("items") / 10), flags.count("items")], tellProgress),
  fold: () => measureFold(flags.count("entries"), tellProgress),
  sleepers: () => measureSleepers(flags.count("sleepers"), tellProgress),
  list: () => measureList(flags.count("listed"), tellProgress),
  server: () => measureServer(flags.count("finished"), tellProgress),
};

const figures: Figure[] = [];
for (const part of flags.names("only")) figures.push(...(await MEASURES[part as keyof typeof MEASURES]()));
printReport(flags, figures);
process.exit();
