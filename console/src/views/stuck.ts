// Stuck and retrying: every task that is delayed after a failure, waits for a person, cannot be taken by any process, or comes due later,
// with its last error, its next try and the thing that it waits for.
import { h, type JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { linkTo } from "../address.ts";
import { call, pathOf } from "../api.ts";
import { showCount, showNumberOf } from "../format.ts";
import { useLive } from "../live.ts";
import { Ago, Badge, Failure, Heading, Nothing } from "../parts.ts";
import { type Column, Rows } from "../rows.ts";
import type { Task, TaskPage } from "../types.ts";
import { TaskActions } from "./task-actions.ts";

/** The most tasks of each kind that are read: more do not fit an operator's eyes, and the view says how many kinds are cut. */
const MOST = 500;
const EVERY_MS = 3_000;
/** The most tasks whose last error is read at the same time. */
const MOST_ASKED = 4;

interface Stuck {
  readonly tasks: readonly Task[];
  readonly cut: readonly string[];
}

async function readStuck(signal: AbortSignal): Promise<Stuck> {
  const read = (query: Record<string, string | boolean>) =>
    call<TaskPage>({ path: "/v1/tasks", query: { ...query, limit: MOST }, signal });
  const [retrying, stray, running, scheduled] = await Promise.all([
    read({ state: "retrying" }),
    read({ stray: true }),
    read({ state: "running" }),
    read({ state: "scheduled" }),
  ]);
  const waiting = running.tasks.filter((task) => task.waiting !== undefined);
  const pages = { retrying, stray, running, scheduled };
  const all = [...stray.tasks, ...waiting, ...retrying.tasks, ...scheduled.tasks];
  return {
    tasks: [...new Map(all.map((task) => [task.taskId, task])).values()],
    cut: Object.entries(pages).flatMap(([name, { next }]) => (next === null ? [] : [name])),
  };
}

export function StuckView(): JSX.Element {
  const { data, error, atMs, reload } = useLive("stuck", readStuck, {
    ...{ everyMs: EVERY_MS, follow: { kind: "task" } },
  });
  const details = useDetails();
  const counts = Object.entries(Object.groupBy(data?.tasks ?? [], kindOf));
  return h(
    "section",
    {},
    h(Heading, { title: "Stuck and retrying", atMs }),
    h(Failure, { error }),
    data === undefined
      ? h("p", { class: "scope" }, "Reading…")
      : h(
          "p",
          { class: "scope" },
          counts.length === 0
            ? "No task is stuck, retries or comes due later."
            : `${counts.map(([kind, tasks = []]) => `${showCount(tasks.length)} ${kind}`).join(", ")}. `,
          data.cut.length === 0
            ? null
            : `There are more than ${MOST} stored entries for: ${data.cut.join(", ")}; the newest are shown.`,
        ),
    data === undefined || data.tasks.length === 0
      ? data === undefined
        ? null
        : h(Nothing, {}, "Nothing is stuck.")
      : h(Rows<Task>, {
          ...{ label: "Stuck tasks", rows: data.tasks, columns: columnsOf(details.of, reload) },
          keyOf: ({ taskId }) => taskId,
          linkOf: ({ taskId }) => linkTo("task", taskId),
          onShown: details.want,
        }),
  );
}

/** The word for the state of a stuck task. */
export function kindOf({ state, stray, waiting }: Task): string {
  if (stray !== undefined) return "stray";
  return waiting === undefined ? state : "waits for a person";
}

/** The whole status of the tasks in sight: only that has the last error, and the pause of the capability. */
function useDetails() {
  const known = useRef(new Map<string, Task | null>());
  const asked = useRef(0);
  const [, setVersion] = useState(0);
  const keyOf = ({ taskId, state, attempt, dueAt }: Task) => `${taskId} ${state} ${attempt} ${dueAt}`;
  const want = (tasks: readonly Task[]) => {
    for (const task of tasks) {
      const key = keyOf(task);
      if (known.current.has(key) || asked.current >= MOST_ASKED) continue;
      known.current.set(key, null);
      asked.current++;
      call<Task>({ path: pathOf("v1", "tasks", task.taskId) })
        .then(
          (status) => known.current.set(key, status),
          () => known.current.delete(key), // it ended meanwhile, or the next look asks again
        )
        .finally(() => {
          asked.current--;
          setVersion((version) => version + 1);
          want(tasks);
        });
    }
  };
  return { want, of: (task: Task) => known.current.get(keyOf(task)) ?? undefined };
}

function columnsOf(detailsOf: (task: Task) => Task | undefined, reload: () => void): Column<Task>[] {
  return [
    { title: "task", width: 3, cell: ({ taskId }) => taskId },
    { title: "capability", width: 2, from: "tablet", cell: ({ capability }) => capability ?? "–" },
    {
      title: "state",
      width: 2,
      cell: (task) => h(Badge, { of: task.stray === undefined ? task.state : "stray" }),
    },
    { title: "attempt", width: 1, from: "desktop", cell: ({ attempt }) => showCount(attempt) },
    { title: "last error", width: 4, from: "tablet", cell: (task) => lastErrorOf(detailsOf(task)) },
    { title: "next try", width: 2, cell: ({ dueAt }) => h(Ago, { at: dueAt }) },
    { title: "waits for", width: 3, from: "desktop", cell: (task) => waitOf(task, detailsOf(task)) },
    { title: "actions", width: 6, cell: (task) => h(TaskActions, { task, onDone: reload }) },
  ];
}

/** The error of the last attempt that failed. */
export function lastErrorOf(task: Task | undefined): string {
  const failed = task?.history?.attempts.findLast(({ error }) => error !== undefined)?.error;
  return failed === undefined ? "–" : `${failed.code}: ${failed.message}`;
}

/** The thing that a task waits for, in words. */
export function waitOf(task: Task, details: Task | undefined): string {
  if (task.stray !== undefined) return task.stray;
  if (task.waiting !== undefined)
    return `a person: ${showNumberOf(task.waiting.steps.length, "step")} ${task.waiting.steps.join(", ")}`;
  if (details?.paused !== undefined)
    return `the pause of ${task.capability}${details.paused.by === null ? "" : ` by ${details.paused.by}`}`;
  if (task.state === "retrying") return "its next try";
  if (task.state === "scheduled") return "its time";
  return "an agent";
}
