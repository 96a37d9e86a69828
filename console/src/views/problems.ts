// The first view: the problems of now with their beginnings, the work that they hit, their causes and the commands that help; below them
// the figures of the swarm.
import { h, type JSX } from "preact";
import { useRef } from "preact/hooks";
import { linkTo } from "../address.ts";
import { call } from "../api.ts";
import { showCount, showDuration, showNumberOf, showRate, showShare } from "../format.ts";
import { useLive } from "../live.ts";
import { Ago, Badge, Command, Failure, Go, Heading, Nothing } from "../parts.ts";
import { addMoment, backlogMs, growthOf, type Moment, ratesOf } from "../rates.ts";
import type { Overview, Problem } from "../types.ts";

/** The time between two reads, in ms. The API answers from memory. */
const EVERY_MS = 1_000;

/** The figures of the swarm, and their rates. Also the view of the queues reads them. */
export function useOverview() {
  const moments = useRef<Moment[]>([]);
  const live = useLive(
    "overview",
    async (signal) => {
      const overview = await call<Overview>({ path: "/v1/overview", signal });
      const { counts, capabilities } = overview;
      if (counts !== null && capabilities !== null) {
        const waiting = Object.fromEntries(capabilities.map((each) => [each.capability, each.waiting]));
        moments.current = addMoment(moments.current, { atMs: Date.parse(overview.at), ...counts, waiting });
      }
      return overview;
    },
    { everyMs: EVERY_MS },
  );
  return { ...live, moments: moments.current };
}

const EFFECTS: Readonly<Record<Problem["effect"], string>> = {
  late: "work is late",
  failed: "work has failed",
  blind: "problems may be hidden",
};

export function ProblemsView(): JSX.Element {
  const { data, error, atMs, moments } = useOverview();
  const problems = data?.problems ?? [];
  const title =
    data === undefined
      ? "What is wrong now?"
      : problems.length === 0
        ? "Nothing is wrong now"
        : `${showNumberOf(problems.length, "problem")} now`;
  return h(
    "section",
    {},
    h(Heading, { title, atMs }),
    h(Failure, { error }),
    data !== undefined && problems.length === 0 && data.unknown.length > 0
      ? h(Nothing, {}, "No problem is known, but parts of the swarm could not be read:")
      : null,
    data?.unknown.map(({ part, reason }) =>
      h("p", { key: part, class: "failure" }, `${part} is unknown: ${reason}`),
    ),
    problems.map((problem) =>
      h(ProblemCard, { key: `${problem.name} ${problem.hit.capabilities}`, problem }),
    ),
    data === undefined ? null : h(Figures, { overview: data, moments }),
  );
}

function ProblemCard({ problem }: { problem: Problem }): JSX.Element {
  const { name, severity, effect, summary, since, hit, cause, runbook, commands } = problem;
  return h(
    "article",
    { class: `problem ${severity}`, "aria-label": name },
    h("h2", {}, h(Badge, { of: severity }), " ", name, " ", h("small", {}, EFFECTS[effect] ?? effect)),
    h("p", {}, summary, ". Since ", h(Ago, { at: since }), "."),
    h("p", { class: "cause" }, cause),
    h(
      "p",
      {},
      hit.tasks === null ? null : `${showNumberOf(hit.tasks, "task")} hit. `,
      hit.oldest === null ? null : h("span", {}, "The oldest is from ", h(Ago, { at: hit.oldest }), ". "),
      hit.capabilities.map((capability) =>
        h(
          "span",
          { key: capability, class: "chip" },
          h(Go, { to: linkTo("tasks", "", { q: `capability:${capability}` }) }, capability),
        ),
      ),
    ),
    h("ul", { class: "commands", "aria-label": "commands that help" }, [
      ...commands.map((text) => h(Command, { key: text, text })),
    ]),
    h("p", { class: "runbook" }, "Runbook: ", h("code", {}, runbook)),
  );
}

function Figures({ overview, moments }: { overview: Overview; moments: readonly Moment[] }): JSX.Element {
  const { agents, capabilities, office, delayed, streams, ages } = overview;
  const rates = ratesOf(moments);
  const waiting = capabilities?.reduce((sum, each) => sum + each.waiting, 0);
  const gone = backlogMs(moments);
  const growth = growthOf(moments);
  const trend =
    gone !== null
      ? `gone in ${showDuration(gone)}`
      : growth !== null && growth > 0.05
        ? `grows by ${showRate(growth)}`
        : "steady";
  const fullest = streams?.[0];
  const tiles: [string, string, string, string, string?][] = [
    ["waiting", showCount(waiting), trend, "queues", linkTo("queues")],
    ["arriving", showRate(rates?.arriving), "tasks handed in", "streams"],
    ["finishing", showRate(rates?.ending), "results stored", "streams"],
    ["failing for good", showRate(rates?.dead), "dead letters", "streams", linkTo("dead")],
    ["delayed", showCount(delayed), "scheduled and retrying", "streams", linkTo("stuck")],
    [
      "slots in use",
      agents === null ? "–" : `${showCount(agents.slots.used)} of ${showCount(agents.slots.total)}`,
      agents === null ? "" : wordsOf(agents.states),
      ...(["agents", linkTo("agents")] as const),
    ],
    [
      "agents wait for",
      agents === null ? "–" : wordsOf(agents.waits) || "nothing",
      "by reason",
      ...(["agents", linkTo("agents")] as const),
    ],
    [
      "office",
      office === null ? "–" : (office.leader ?? "vacant"),
      office === null ? "" : `${showNumberOf(office.coordinators, "coordinator")}, lag ${office.lag}`,
      ...(["office", linkTo("office")] as const),
    ],
    [
      "fullest stream",
      fullest === undefined ? "–" : showShare(fullest.share),
      fullest?.stream ?? "no stream has a limit",
      "streams",
    ],
  ];
  return h(
    "div",
    { class: "tiles" },
    tiles.map(([name, figure, about, part, link]) =>
      h(
        "div",
        { key: name, class: "tile" },
        h("h2", {}, link === undefined ? name : h(Go, { to: link }, name)),
        h("p", { class: "figure" }, figure),
        h("p", {}, about),
        h("p", { class: "age" }, ageOf(ages[part])),
      ),
    ),
  );
}

function ageOf(ageMs: number | null | undefined): string {
  return ageMs === null || ageMs === undefined ? "not read yet" : `read ${showDuration(ageMs)} before`;
}

function wordsOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`)
    .join(", ");
}
