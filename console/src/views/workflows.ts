// The runs of workflows, and one run as a tree of its steps with progress, timers and approvals.
import { h, type JSX } from "preact";
import { useState } from "preact/hooks";
import { linkTo } from "../address.ts";
import { call, pathOf } from "../api.ts";
import { showCount, showNumberOf, showShare, showValue } from "../format.ts";
import { useLive } from "../live.ts";
import {
  Action,
  Ago,
  AskedAction,
  Badge,
  Facts,
  Failure,
  Go,
  Heading,
  may,
  Nothing,
  Text,
} from "../parts.ts";
import { type Column, Rows } from "../rows.ts";
import { makeTree, type Node } from "../tree.ts";
import type { Run, RunReport, RunStep, Runs } from "../types.ts";

const EVERY_MS = 3_000;
const MOST_RUNS = 1_000;
const STATES = [
  "",
  "running",
  "blocked",
  "paused",
  "failed",
  "compensating",
  "compensation_failed",
  "completed",
];

export function WorkflowsView({ search }: { search: string }): JSX.Element {
  const { data, error, atMs } = useLive(
    `workflows ${search}`,
    (signal) =>
      call<Runs>({ path: "/v1/workflows", query: { limit: MOST_RUNS, ...queryOf(search) }, signal }),
    { everyMs: EVERY_MS, follow: { kind: "workflow" } },
  );
  return h(
    "section",
    {},
    h(Heading, { title: "Workflows", atMs }),
    h(
      "nav",
      { class: "chips", "aria-label": "state" },
      [...STATES, "waiting:human"].map((state) =>
        h(
          "a",
          {
            ...{ key: state, class: "chip", href: linkTo("workflows", "", { q: state }) },
            ...(state === search ? { "aria-current": "true" as const } : {}),
          },
          state === ""
            ? "all"
            : state === "waiting:human"
              ? "waits for a person"
              : state.replaceAll("_", " "),
        ),
      ),
    ),
    h(Failure, { error }),
    h("p", { class: "scope" }, data === undefined ? "Reading…" : scopeOf(data)),
    data !== undefined && data.runs.length === 0
      ? h(Nothing, {}, search === "" ? "No workflow has run." : "No run is in this state.")
      : h(Rows<Run>, {
          ...{ label: "Workflows", rows: data?.runs ?? [], columns: COLUMNS },
          keyOf: ({ id }) => id,
          linkOf: ({ id }) => linkTo("workflow", id),
        }),
  );
}

function queryOf(search: string): Record<string, string> {
  if (search === "") return {};
  return search === "waiting:human" ? { waiting: "human" } : { state: search };
}

function scopeOf({ runs, more, seen, unreadable, isCut }: Runs): string {
  const rest = more > 0 ? `, ${showCount(more)} more fit` : "";
  const cut = isCut ? " There are more logs than were looked at." : "";
  const bad = unreadable > 0 ? ` ${showNumberOf(unreadable, "log")} could not be read.` : "";
  return `${showNumberOf(runs.length, "run")} of ${showNumberOf(seen, "log")}${rest}.${cut}${bad}`;
}

const COLUMNS: readonly Column<Run>[] = [
  { title: "run", width: 4, cell: ({ id }) => id },
  { title: "workflow", width: 2, cell: ({ name, version }) => `${name} ${version}` },
  { title: "state", width: 2, cell: ({ state }) => h(Badge, { of: state }) },
  { title: "waits for", width: 3, from: "tablet", cell: ({ waiting }) => waitOf(waiting) },
  {
    title: "progress",
    width: 2,
    from: "desktop",
    cell: ({ progress, note }) =>
      `${progress === undefined ? "" : showShare(progress)} ${note ?? ""}`.trim() || "–",
  },
  { title: "last entry", width: 2, cell: ({ at }) => h(Ago, { at }) },
];

function waitOf(waiting: Run["waiting"]) {
  if (waiting === undefined) return "–";
  const { reason, path, count, by, dueMs } = waiting;
  const what = `${reason}${path === undefined ? "" : ` ${path}`}${count > 1 ? ` and ${count - 1} more` : ""}`;
  return h(
    "span",
    {},
    what,
    by === undefined ? null : ` (${by.join(", ")})`,
    dueMs === undefined ? null : h("span", {}, " ", h(Ago, { at: new Date(dueMs).toISOString() })),
  );
}

const send = (run: string, verb: string, body: object = {}) =>
  call({ method: "POST", path: pathOf("v1", "workflows", run, verb), body });

export function WorkflowView({ id }: { id: string }): JSX.Element {
  const { data, error, atMs, reload } = useLive(
    `workflow ${id}`,
    (signal) => call<RunReport>({ path: pathOf("v1", "workflows", id), signal }),
    { everyMs: EVERY_MS, follow: { kind: "workflow", id } },
  );
  return h(
    "section",
    {},
    h(Heading, { title: `Run ${id}`, atMs }),
    h(Failure, { error }),
    data === undefined ? null : h(RunPage, { run: data, reload }),
  );
}

function RunPage({ run, reload }: { run: RunReport; reload: () => void }): JSX.Element {
  const { blocked, error } = run;
  const tree = makeTree(run.steps);
  const settled = run.steps.filter(({ state }) => state !== "open" && state !== "cancelling").length;
  return h(
    "div",
    {},
    h(
      "p",
      { class: "lead" },
      h(Badge, { of: run.state }),
      h("progress", {
        max: 1,
        value: run.progress ?? (run.steps.length === 0 ? 0 : settled / run.steps.length),
        "aria-label": "progress",
      }),
      h(RunActions, { run, reload }),
    ),
    blocked === undefined
      ? null
      : h(
          "p",
          { class: "failure" },
          `Blocked (${blocked.cause}): ${blocked.message}`,
          blocked.path === undefined ? null : ` at ${blocked.path}`,
        ),
    error === undefined ? null : h("p", { class: "failure" }, `${error.code}: ${error.message}`),
    run.absent.map((reason) => h("p", { key: reason, class: "failure" }, reason)),
    h(Facts, {
      of: [
        ["workflow", `${run.name} version ${run.version}`],
        ["began", h(Ago, { at: run.startedAt })],
        ["last entry", h(Ago, { at: run.at })],
        ["waits for", waitOf(run.waiting)],
        ["status", run.note],
        [
          "part of",
          run.parent === undefined ? null : h(Go, { to: linkTo("workflow", run.parent) }, run.parent),
        ],
        ["log", `${showCount(run.entries)} entries, generation ${run.generation}`],
        ...run.maps.map(
          ({ path, items, ended }) =>
            [`map ${path}`, `${showCount(ended)} of ${showCount(items)} items ended`] as const,
        ),
      ],
    }),
    h("h2", {}, "Steps"),
    run.steps.length === 0
      ? h(Nothing, {}, "No step was ordered yet.")
      : h(Tree, { nodes: tree, run: run.id, reload }),
    run.more === 0
      ? null
      : h("p", { class: "scope" }, `${showNumberOf(run.more, "completed step")} are not shown.`),
    h("h2", {}, "Input"),
    h(Text, { label: "input", children: showValue(run.input) }),
    run.output === undefined
      ? null
      : h("div", {}, h("h2", {}, "Output"), h(Text, { label: "output", children: showValue(run.output) })),
  );
}

function RunActions({ run, reload }: { run: RunReport; reload: () => void }): JSX.Element {
  const { id, state } = run;
  const isEnded = ["completed", "failed", "cancelled", "compensated"].includes(state);
  const base = { access: "operate" as const, onDone: reload };
  return h(
    "span",
    { class: "buttons" },
    isEnded || state === "paused"
      ? null
      : h(Action, { ...base, label: "pause", what: `pause ${id}`, run: () => send(id, "pause") }),
    ["paused", "blocked", "compensation_failed"].includes(state)
      ? h(Action, { ...base, label: "resume", what: `resume ${id}`, run: () => send(id, "resume") })
      : null,
    isEnded
      ? null
      : h(AskedAction, {
          ...{ ...base, label: "cancel", tone: "danger", what: `cancel ${id}` },
          run: () => send(id, "cancel"),
          question: "The run ends, and the steps that may have had an effect are undone.",
        }),
    state === "failed"
      ? h(Action, { ...base, label: "retry", what: `retry ${id}`, run: () => send(id, "retry") })
      : null,
  );
}

function Tree({
  nodes,
  run,
  reload,
}: {
  nodes: readonly Node[];
  run: string;
  reload: () => void;
}): JSX.Element {
  return h(
    "ul",
    { class: "tree" },
    nodes.map((node) => h(Branch, { key: node.path, node, run, reload })),
  );
}

/** The children of a branch that are shown before a reader asks for all: a map may have thousands. */
const FIRST_CHILDREN = 50;

function Branch({ node, run, reload }: { node: Node; run: string; reload: () => void }): JSX.Element {
  const [isWhole, setWhole] = useState(false);
  const { step, children } = node;
  const shown = isWhole ? children : children.slice(0, FIRST_CHILDREN);
  return h(
    "li",
    {},
    h(
      "div",
      { class: "step" },
      h("span", { class: "name" }, node.name),
      step === undefined ? null : h(StepLine, { step, run, reload }),
    ),
    shown.length === 0 ? null : h(Tree, { nodes: shown, run, reload }),
    shown.length === children.length
      ? null
      : h(
          "button",
          { type: "button", class: "small", onClick: () => setWhole(true) },
          `show all ${children.length}`,
        ),
  );
}

function StepLine({ step, run, reload }: { step: RunStep; run: string; reload: () => void }): JSX.Element {
  const { kind, state, call: called, task, orderedAt, endedAt, error, due, by, undo, path } = step;
  const target = task === undefined ? undefined : linkTo(kind === "child" ? "workflow" : "task", task);
  return h(
    "span",
    {},
    " ",
    h(Badge, { of: state }),
    ` ${kind} `,
    called === undefined ? null : target === undefined ? called : h(Go, { to: target }, called),
    " ",
    h(Ago, { at: endedAt ?? orderedAt }),
    due === undefined ? null : h("span", {}, ", due ", h(Ago, { at: due })),
    by === undefined ? null : `, by ${by.join(", ")}`,
    undo === undefined ? null : `, undone by ${undo}`,
    error === undefined ? null : h("span", { class: "more" }, ` ${error.code}: ${error.message}`),
    kind === "approval" && state === "open" ? h(Decision, { run, path, reload }) : null,
  );
}

/** The decision about an approval, with a note for the log. */
function Decision({
  run,
  path,
  reload,
}: {
  run: string;
  path: string;
  reload: () => void;
}): JSX.Element | null {
  const [note, setNote] = useState("");
  if (!may("operate")) return null;
  const body = { approval: path, ...(note === "" ? {} : { note }) };
  const base = { access: "operate" as const, onDone: reload };
  return h(
    "span",
    { class: "buttons" },
    h("input", {
      ...{
        type: "text",
        value: note,
        maxLength: 200,
        placeholder: "note",
        "aria-label": `note about ${path}`,
      },
      onInput: (event: Event) => setNote((event.currentTarget as HTMLInputElement).value),
    }),
    h(Action, {
      ...base,
      label: "approve",
      what: `approve ${path} of ${run}`,
      run: () => send(run, "approve", body),
    }),
    h(Action, {
      ...base,
      label: "reject",
      tone: "danger",
      what: `reject ${path} of ${run}`,
      run: () => send(run, "reject", body),
    }),
  );
}
