// One task: its state and place, the time line of its attempts and steps, its result, its trace, and the actions on it.
import { h, type JSX } from "preact";
import { linkTo } from "../address.ts";
import { call, pathOf } from "../api.ts";
import { showDuration, showTime, showValue } from "../format.ts";
import { useLive, useNow } from "../live.ts";
import { Ago, Badge, Facts, Failure, Go, Heading, Text } from "../parts.ts";
import { linesOf } from "../time-line.ts";
import type { Attempt, Task } from "../types.ts";
import { TaskActions } from "./task-actions.ts";

/** The time between two reads, in ms: of a task that goes on, and of a task that has ended. */
const EVERY_MS = 1_000;
const ENDED_EVERY_MS = 30_000;

export function TaskView({ id }: { id: string }): JSX.Element {
  const { data, error, atMs, reload } = useLive(
    `task ${id}`,
    (signal) => call<Task>({ path: pathOf("v1", "tasks", id), signal }),
    {
      everyMs: (task) => (task?.result === undefined ? EVERY_MS : ENDED_EVERY_MS),
      follow: { kind: "task", id },
    },
  );
  return h(
    "section",
    {},
    h(Heading, { title: `Task ${id}`, atMs }),
    h(Failure, { error }),
    data === undefined ? null : h(TaskPage, { task: data, reload }),
  );
}

function TaskPage({ task, reload }: { task: Task; reload: () => void }): JSX.Element {
  const { capability, agent, attempt, dueAt, placement, ballot, paused, stray, traceUrl, traceId, waiting } =
    task;
  const link = traceUrl !== undefined && /^https?:\/\//.test(traceUrl) ? traceUrl : undefined;
  return h(
    "div",
    {},
    h(
      "p",
      { class: "lead" },
      h(Badge, { of: task.state }),
      task.progress === null || task.state !== "running"
        ? null
        : h("progress", {
            ...{ max: 100, value: task.progress, "aria-label": "progress" },
          }),
      h(TaskActions, { task, onDone: reload }),
    ),
    stray === undefined ? null : h("p", { class: "failure" }, stray),
    h(Facts, {
      of: [
        [
          "capability",
          capability === null
            ? null
            : h(Go, { to: linkTo("tasks", "", { q: `capability:${capability}` }) }, capability),
        ],
        ["attempt", attempt === 0 ? "not started" : String(attempt)],
        [
          "agent",
          agent === null || agent === "-" ? null : h(Go, { to: linkTo("agents", "", { q: agent }) }, agent),
        ],
        ["comes due", dueAt === null ? null : h(Ago, { at: dueAt })],
        ["waited", task.queuedMs === null ? null : showDuration(task.queuedMs)],
        ["waits for", waiting === undefined ? null : `a person: ${waiting.steps.join(", ")}`],
        [
          "paused",
          paused === undefined
            ? null
            : h("span", {}, h(Ago, { at: paused.since }), ` by ${paused.by ?? "an unknown operator"}`),
        ],
        ["placed on", placement?.agent],
        ["because", placement?.reasons?.map(({ what, value }) => `${what} ${value}`).join(", ")],
        [
          "ballot",
          ballot === undefined
            ? null
            : h(
                Go,
                { to: linkTo("ballot", task.taskId) },
                `${ballot.answered} of ${ballot.seats} seats have answered`,
              ),
        ],
        [
          "trace",
          link !== undefined
            ? h("a", { href: link, rel: "noreferrer", target: "_blank" }, `${traceId} (opens another page)`)
            : traceId,
        ],
      ],
    }),
    h(TimeLine, { task }),
    h(ResultPart, { task }),
  );
}

function TimeLine({ task }: { task: Task }): JSX.Element | null {
  const nowMs = useNow();
  const lines = linesOf(task);
  const times = lines
    .flatMap(({ from, to }) => [from, to])
    .flatMap((at) => (at === undefined ? [] : [Date.parse(at)]));
  if (lines.length === 0) return h("p", {}, "No attempt has begun.");
  const start = Math.min(...times);
  const end = Math.max(...times, task.result === undefined ? nowMs : 0);
  const span = Math.max(1, end - start);
  const { droppedAttempts = 0, droppedTraces = 0 } = task.history ?? {};
  return h(
    "div",
    {},
    h("h2", {}, "Time line"),
    h(
      "ol",
      { class: "timeline" },
      lines.map(({ what, from, to, state, more }, at) => {
        const fromMs = from === undefined ? start : Date.parse(from);
        const toMs = to === undefined ? (state === "running" ? nowMs : fromMs) : Date.parse(to);
        return h(
          "li",
          { key: `${at} ${what}` },
          h("span", { class: "what" }, what, " ", h(Badge, { of: state })),
          h(
            "span",
            { class: "when" },
            `${showTime(from, nowMs)}, ${showDuration(Math.max(0, toMs - fromMs))}`,
          ),
          h(
            "span",
            { class: "bar", "aria-hidden": "true" },
            h("span", {
              class: `fill ${state}`,
              style: {
                left: `${((fromMs - start) / span) * 100}%`,
                width: `${Math.max(0.4, ((toMs - fromMs) / span) * 100)}%`,
              },
            }),
          ),
          more === "" ? null : h("span", { class: "more" }, more),
        );
      }),
    ),
    droppedAttempts + droppedTraces === 0
      ? null
      : h(
          "p",
          { class: "scope" },
          `${droppedAttempts} attempts and ${droppedTraces} stacks are no longer stored.`,
        ),
    h(Steps, { task }),
    (task.history?.attempts ?? [])
      .filter((each): each is Attempt & { trace: string } => each.trace !== undefined)
      .map((each) =>
        h(
          "details",
          { key: each.attempt },
          h("summary", {}, `Stack of attempt ${each.attempt}`),
          h(Text, { label: `stack of attempt ${each.attempt}`, children: each.trace }),
        ),
      ),
  );
}

function Steps({ task }: { task: Task }): JSX.Element | null {
  const steps = task.history?.steps ?? [];
  if (steps.length === 0) return null;
  return h(
    "div",
    {},
    h("h2", {}, "Journal: recorded steps"),
    h(
      "ul",
      { class: "steps" },
      steps.map(({ step, state, attempt, at, error }) =>
        h(
          "li",
          { key: step },
          h("code", {}, step),
          " ",
          h(Badge, { of: state }),
          ` attempt ${attempt}, `,
          h(Ago, { at }),
          error === undefined ? null : h("span", { class: "more" }, ` ${error.code}: ${error.message}`),
        ),
      ),
    ),
    (task.history?.droppedSteps ?? 0) === 0
      ? null
      : h("p", { class: "scope" }, `${task.history?.droppedSteps} older steps are no longer stored.`),
  );
}

function ResultPart({ task }: { task: Task }): JSX.Element | null {
  const { result } = task;
  if (result === undefined) return null;
  const { status, error, output, agent, attempt, startedAt, finishedAt, ranMs, queuedMs, usage } = result;
  return h(
    "div",
    {},
    h("h2", {}, "Result ", h(Badge, { of: status })),
    error === undefined ? null : h("p", { class: "failure" }, `${error.code}: ${error.message}`),
    h(Facts, {
      of: [
        ["attempt", `${attempt} on ${agent}`],
        ["began", h(Ago, { at: startedAt })],
        ["ended", h(Ago, { at: finishedAt })],
        ["waited", showDuration(queuedMs)],
        ["ran", showDuration(ranMs)],
        ["model usage", usage === undefined ? null : showValue(usage, 500)],
      ],
    }),
    output === undefined ? null : h(Text, { label: "output", children: showValue(output) }),
  );
}
