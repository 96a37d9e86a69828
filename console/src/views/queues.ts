// The queues by capability: the waiting tasks, their age, the change of the backlog, and the pause of a capability.
import { h, type JSX } from "preact";
import { linkTo } from "../address.ts";
import { call, pathOf } from "../api.ts";
import { showCount, showDuration, showRate } from "../format.ts";
import { Action, Ago, AskedAction, Badge, Failure, Heading, Nothing } from "../parts.ts";
import { backlogMs, growthOf, type Moment, ratesOf } from "../rates.ts";
import { type Column, Rows } from "../rows.ts";
import type { Overview } from "../types.ts";
import { useOverview } from "./problems.ts";

type Queue = NonNullable<Overview["capabilities"]>[number];

export function QueuesView(): JSX.Element {
  const { data, error, atMs, moments, reload } = useOverview();
  const queues = data?.capabilities ?? null;
  const rates = ratesOf(moments);
  return h(
    "section",
    {},
    h(Heading, { title: "Queues", atMs, moreMs: data?.ages.queues ?? 0 }),
    h(Failure, { error }),
    h(
      "p",
      {},
      `All capabilities: ${showRate(rates?.arriving)} arriving, ${showRate(rates?.ending)} finishing, ${showRate(rates?.dead)} failing for good`,
      rates === null ? ", after the first seconds." : ` over the last ${showDuration(rates.overMs)}.`,
    ),
    queues === null
      ? h(Nothing, {}, data === undefined ? "Reading the queues…" : "The queues are unknown now.")
      : queues.length === 0
        ? h(Nothing, {}, "No agent has offered a capability yet, so there is no queue.")
        : h(Rows<Queue>, {
            ...{ label: "Queues", rows: queues, columns: columnsOf(moments, reload) },
            keyOf: ({ capability }) => capability,
            linkOf: ({ capability }) => linkTo("tasks", "", { q: `capability:${capability}` }),
          }),
  );
}

function columnsOf(moments: readonly Moment[], reload: () => void): Column<Queue>[] {
  return [
    { title: "capability", width: 3, cell: ({ capability }) => capability },
    { title: "waiting", width: 1, cell: ({ waiting }) => showCount(waiting) },
    { title: "running", width: 1, from: "tablet", cell: ({ running }) => showCount(running) },
    { title: "oldest", width: 2, cell: ({ oldest }) => h(Ago, { at: oldest }) },
    { title: "change", width: 1, from: "tablet", cell: ({ capability }) => showGrowth(moments, capability) },
    { title: "gone in", width: 2, cell: ({ capability }) => showEnd(moments, capability) },
    { title: "agents", width: 1, from: "desktop", cell: ({ agents }) => showCount(agents) },
    {
      title: "state",
      width: 3,
      cell: ({ capability, isPaused }) =>
        h(
          "span",
          { class: "buttons" },
          isPaused ? h(Badge, { of: "paused" }) : null,
          isPaused
            ? h(Action, {
                ...{ label: "resume", access: "operate", what: `resume ${capability}`, onDone: reload },
                run: () => change(capability, "resume"),
              })
            : h(AskedAction, {
                ...{ label: "pause", access: "operate", what: `pause ${capability}`, onDone: reload },
                run: () => change(capability, "pause"),
                question: `All tasks of ${capability} then wait, in the whole swarm, until it is resumed. Running tasks go on.`,
              }),
        ),
    },
  ];
}

const change = (capability: string, verb: "pause" | "resume") =>
  call({ method: "POST", path: pathOf("v1", "capabilities", capability, verb), body: {} });

function showGrowth(moments: readonly Moment[], capability: string): string {
  const growth = growthOf(moments, capability);
  if (growth === null) return "–";
  return `${growth > 0 ? "+" : ""}${growth.toFixed(1)}/s`;
}

function showEnd(moments: readonly Moment[], capability: string): string {
  const ms = backlogMs(moments, capability);
  if (ms !== null) return showDuration(ms);
  return (moments.at(-1)?.waiting[capability] ?? 0) === 0 ? "–" : "not falling";
}
