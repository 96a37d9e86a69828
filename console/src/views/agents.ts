// The living agents, by the thing that they wait for. Agents that are gone leave the list within 15 s, as the office forgets them.
import { h, type JSX } from "preact";
import { useMemo } from "preact/hooks";
import { linkTo } from "../address.ts";
import { call, pathOf } from "../api.ts";
import { showCount } from "../format.ts";
import { useLive } from "../live.ts";
import { Action, Ago, AskedAction, Badge, Failure, Heading, Nothing } from "../parts.ts";
import { type Column, Rows } from "../rows.ts";
import { selectAgents } from "../select-agents.ts";
import type { Agent, Agents } from "../types.ts";

/** The time between two reads, in ms. The API answers from memory, and asks the swarm every two seconds. */
const EVERY_MS = 2_000;

export function AgentsView({ search, go }: { search: string; go: (search: string) => void }): JSX.Element {
  const { data, error, atMs, reload } = useLive(
    "agents",
    (signal) => call<Agents>({ path: "/v1/agents", query: { kept: true }, signal }),
    { everyMs: EVERY_MS, follow: { kind: "agent" } },
  );
  const all = data?.agents ?? [];
  const shown = useMemo(() => selectAgents(data?.agents ?? [], search), [data, search]);
  const byWait = Object.entries(Object.groupBy(all, (agent) => agent.waiting ?? agent.state));
  return h(
    "section",
    {},
    h(Heading, { title: "Agents", atMs, moreMs: data?.ageMs ?? 0 }),
    h(
      "form",
      { class: "search", role: "search", onSubmit: (event: Event) => event.preventDefault() },
      h("label", { for: "search" }, "Filter"),
      h("input", {
        ...{ id: "search", type: "search", value: search, placeholder: "id, role, capability, state, host" },
        onInput: (event: Event) => go((event.currentTarget as HTMLInputElement).value),
      }),
      byWait.map(([word, agents = []]) =>
        h(
          "a",
          { key: word, class: "chip", href: linkTo("agents", "", { q: word }) },
          `${showCount(agents.length)} ${word.replaceAll("_", " ")}`,
        ),
      ),
      search === "" ? null : h("a", { class: "chip", href: linkTo("agents") }, "all"),
    ),
    h(Failure, { error }),
    h(
      "p",
      { class: "scope" },
      data === undefined
        ? "Reading…"
        : `${showCount(shown.length)} of ${showCount(all.length)} living agents.`,
    ),
    data !== undefined && shown.length === 0
      ? h(Nothing, {}, all.length === 0 ? "No agent lives." : "No agent fits the filter.")
      : h(Rows<Agent>, {
          ...{ label: "Agents", rows: shown, columns: columnsOf(reload) },
          keyOf: ({ id }) => id,
          linkOf: ({ id }) => linkTo("tasks", "", { q: `agent:${id}` }),
        }),
  );
}

const steer = (agent: string, verb: string) =>
  call({ method: "POST", path: pathOf("v1", "agents", agent, verb), body: {} });

function columnsOf(reload: () => void): Column<Agent>[] {
  return [
    { title: "agent", width: 3, cell: ({ id }) => id },
    { title: "capabilities", width: 3, from: "desktop", cell: ({ capabilities }) => capabilities.join(", ") },
    { title: "state", width: 2, cell: ({ state }) => h(Badge, { of: state }) },
    { title: "waits for", width: 2, cell: ({ waiting }) => waiting?.replaceAll("_", " ") ?? "–" },
    { title: "doing", width: 2, from: "desktop", cell: ({ doing }) => doing ?? "–" },
    { title: "slots", width: 1, from: "tablet", cell: ({ slots }) => `${slots.used} of ${slots.total}` },
    { title: "host", width: 2, from: "tablet", cell: ({ host }) => host },
    { title: "since", width: 2, from: "desktop", cell: ({ since }) => h(Ago, { at: since }) },
    {
      title: "actions",
      width: 3,
      cell: ({ id, state }) =>
        h(
          "span",
          { class: "buttons" },
          h(Action, {
            ...(state === "paused"
              ? { label: "resume", what: `resume ${id}`, run: () => steer(id, "resume") }
              : { label: "pause", what: `pause ${id}`, run: () => steer(id, "pause") }),
            ...{ access: "operate", onDone: reload },
          }),
          h(AskedAction, {
            ...{ label: "drain", access: "operate", what: `drain ${id}`, onDone: reload },
            run: () => steer(id, "drain"),
            question: "The agent finishes its tasks, takes no new ones, and stops.",
          }),
        ),
    },
  ];
}
