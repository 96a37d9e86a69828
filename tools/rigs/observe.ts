// Measures the cost of being observed: node tools/rigs/observe.ts [--help], or `npm run measure:observe`. Exit code 1 when a goal is missed.
import { measureChurn } from "./observe/churn.ts";
import { measureGets } from "./observe/gets.ts";
import { measureOverhead } from "./observe/overhead.ts";
import { measureScrapes } from "./observe/scrape.ts";
import type { Figure } from "./office/figures.ts";
import { printReport, readFlags, tellProgress } from "./office/flags.ts";

const PARTS = ["scrape", "gets", "overhead", "churn"] as const;
const flags = readFlags(
  "node tools/rigs/observe.ts: scrapes, GETs, the cost of metrics and traces, and memory.",
  {
    only: { type: "names", names: PARTS, about: "parts" },
    scrapes: { type: "count", default: 200, about: "scrapes of each role in each state" },
    hosts: { type: "count", default: 500, about: "hosts that the rig plays for the scrapes" },
    "per-host": { type: "count", default: 20, about: "agents of each of them" },
    seconds: { type: "count", default: 30, about: "seconds of GETs" },
    rate: { type: "count", default: 200, about: "GETs in a second" },
    rounds: { type: "count", default: 10, about: "rounds of tasks, observed and not" },
    tasks: { type: "count", default: 5_000, about: "tasks in each round" },
    agents: { type: "count", default: 100_000, about: "agents that come and go" },
  },
);
const chosen = flags.names("only");
const figures: Figure[] = [];
const complaints: string[] = [];
const parts: Readonly<Record<(typeof PARTS)[number], () => Promise<Figure[]>>> = {
  scrape: () =>
    measureScrapes(
      { count: flags.count("scrapes"), hosts: flags.count("hosts"), perHost: flags.count("per-host") },
      complaints,
    ),
  gets: () => measureGets({ perSecond: flags.count("rate"), seconds: flags.count("seconds") }),
  overhead: () => measureOverhead({ rounds: flags.count("rounds"), tasks: flags.count("tasks") }),
  churn: () => measureChurn({ agents: flags.count("agents") }),
};
for (const part of PARTS) {
  if (!chosen.includes(part)) continue;
  tellProgress(`part ${part}`);
  figures.push(...(await parts[part]()));
}
for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
printReport(flags, figures, { "complaints of promtool": complaints.length });
