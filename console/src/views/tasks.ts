// All tasks by one search, page by page: the list reads on while it scrolls, and says how many stored entries it looked at.
import { h, type JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { linkTo } from "../address.ts";
import { ApiError, call } from "../api.ts";
import { showCount, showDuration } from "../format.ts";
import { useLive } from "../live.ts";
import { Ago, Badge, Failure, Heading, Nothing } from "../parts.ts";
import { type Column, Rows } from "../rows.ts";
import { readSearch } from "../search.ts";
import type { Task, TaskPage } from "../types.ts";

/** The tasks of one page. */
const PAGE_SIZE = 200;
/** The time between two reads of the first page, in ms; hints come earlier. */
const EVERY_MS = 5_000;

export const TASK_COLUMNS: readonly Column<Task>[] = [
  { title: "task", width: 4, cell: ({ taskId }) => taskId },
  { title: "capability", width: 2, from: "tablet", cell: ({ capability }) => capability ?? "–" },
  {
    title: "state",
    width: 2,
    cell: ({ state, stray, progress }) =>
      h("span", {}, h(Badge, { of: stray === undefined ? state : "stray" }), progressOf(state, progress)),
  },
  { title: "attempt", width: 1, from: "desktop", cell: ({ attempt }) => showCount(attempt) },
  {
    title: "agent",
    width: 2,
    from: "tablet",
    cell: ({ agent }) => (agent === null || agent === "-" ? "–" : agent),
  },
  { title: "error or next try", width: 3, cell: showOutcome },
  {
    title: "ran",
    width: 1,
    from: "desktop",
    cell: ({ result }) => (result === undefined ? "–" : showDuration(result.ranMs)),
  },
];

function progressOf(state: string, progress: number | null): string {
  return state === "running" && progress !== null ? ` ${Math.round(progress)} %` : "";
}

function showOutcome({ result, dueAt, waiting, stray, ballot }: Task) {
  if (result?.error !== undefined) return `${result.error.code}: ${result.error.message}`;
  if (stray !== undefined) return stray;
  if (waiting !== undefined) return `waits for a person: ${waiting.steps.join(", ")}`;
  if (dueAt !== null) return h(Ago, { at: dueAt });
  if (ballot !== undefined && result === undefined) return `${ballot.answered} of ${ballot.seats} seats`;
  return result === undefined ? "–" : h(Ago, { at: result.finishedAt });
}

/** Reads a page of the tasks that a search selects. */
export function readTasks(search: object, signal: AbortSignal, after?: string): Promise<TaskPage> {
  return call<TaskPage>({ path: "/v1/tasks", query: { ...search, limit: PAGE_SIZE, after }, signal });
}

export function TasksView({ search, go }: { search: string; go: (search: string) => void }): JSX.Element {
  const { fields, problem } = readSearch(search);
  const first = useLive(`tasks ${search}`, (signal) => readTasks(fields, signal), {
    ...{ everyMs: EVERY_MS, follow: { kind: "task" } },
  });
  const more = useMore(search, fields, first.data);
  const shown = useMemo(
    () => (first.data === undefined ? [] : withoutTwins([...first.data.tasks, ...more.tasks])),
    [first.data, more.tasks],
  );
  return h(
    "section",
    {},
    h(Heading, { title: "Tasks", atMs: first.atMs }),
    h(SearchField, { search, go }),
    problem === null ? null : h("p", { class: "failure", role: "alert" }, problem),
    h(Failure, { error: more.error ?? first.error }),
    h(
      "p",
      { class: "scope" },
      first.data === undefined ? "Reading…" : scopeOf(shown.length, first.data, more),
    ),
    first.data !== undefined && shown.length === 0
      ? h(Nothing, {}, search === "" ? "No task is stored." : "No task fits the search.")
      : h(Rows<Task>, {
          ...{ label: "Tasks", rows: shown, columns: TASK_COLUMNS },
          keyOf: ({ taskId }) => taskId,
          linkOf: ({ taskId }) => linkTo("task", taskId),
          onEnd: more.readOn,
        }),
  );
}

/** The one search. Its text is in the address, so that a link shows the same. */
function SearchField({ search, go }: { search: string; go: (search: string) => void }): JSX.Element {
  const [text, setText] = useState(search);
  useEffect(() => setText(search), [search]);
  const submit = (event: Event) => {
    event.preventDefault();
    go(text.trim());
  };
  return h(
    "form",
    { class: "search", role: "search", onSubmit: submit },
    h("label", { for: "search" }, "Search"),
    h("input", {
      ...{
        id: "search",
        type: "search",
        value: text,
        autocomplete: "off",
        spellcheck: false,
        maxLength: 1_000,
      },
      placeholder: "id, capability:pay state:failed code:timeout agent:pay-1 since:1h label:order=7",
      onInput: (event: Event) => setText((event.currentTarget as HTMLInputElement).value),
    }),
    h("button", { type: "submit" }, "search"),
    ["state:running", "state:failed", "state:retrying", "since:1h"].map((word) =>
      h("a", { key: word, class: "chip", href: linkTo("tasks", "", { q: withWord(search, word) }) }, word),
    ),
    search === "" ? null : h("a", { class: "chip", href: linkTo("tasks") }, "all"),
  );
}

/** The search with another value of a word. */
function withWord(search: string, word: string): string {
  const name = word.slice(0, word.indexOf(":") + 1);
  const others = search.split(/\s+/).filter((each) => each !== "" && !each.startsWith(name));
  return [...others, word].join(" ");
}

interface More {
  readonly tasks: readonly Task[];
  readonly pages: number;
  readonly seen: number;
  /** Undefined: nothing was read on yet. */
  readonly next: string | null | undefined;
  readonly error: ApiError | undefined;
  readOn: () => void;
}

/** The pages behind the first one. They are read when the end of the list comes into sight, and begin anew with another search. */
function useMore(search: string, fields: object, first: TaskPage | undefined): More {
  const empty: Omit<More, "readOn"> & { search: string } = {
    ...{ search, tasks: [], pages: 0, seen: 0, next: undefined, error: undefined },
  };
  const [more, setMore] = useState(empty);
  const isReading = useRef(false);
  const own = more.search === search ? more : empty;
  const next = own.next === undefined ? first?.next : own.next;
  const readOn = () => {
    if (isReading.current || next === null || next === undefined || own.error !== undefined) return;
    isReading.current = true;
    readTasks(fields, AbortSignal.timeout(60_000), next)
      .then(
        (page) =>
          setMore({
            ...{
              search,
              pages: own.pages + 1,
              seen: own.seen + page.seen,
              next: page.next,
              error: undefined,
            },
            tasks: [...own.tasks, ...page.tasks],
          }),
        (error: unknown) => {
          if (error instanceof ApiError) setMore({ ...own, error });
        },
      )
      .finally(() => {
        isReading.current = false;
      });
  };
  return { ...own, readOn };
}

/** The tasks, each once: a task may move between two pages. */
function withoutTwins(tasks: readonly Task[]): Task[] {
  return [...new Map(tasks.map((task) => [task.taskId, task])).values()];
}

/** The scope of the list, so that a count is never read as the count of all tasks. */
function scopeOf(shown: number, first: TaskPage, more: More): string {
  const isAll = (more.next === undefined ? first.next : more.next) === null;
  const seen = first.seen + more.seen;
  const hidden = first.hidden.map(({ count, reason }) => `${showCount(count)} ${reason}`).join("; ");
  const end = isAll ? "These are all." : "Scroll to read on.";
  const ballots = first.missesBallots ? " No coordinator answered, so open ballots are missing." : "";
  return `${showCount(shown)} shown of ${showCount(seen)} stored entries that were looked at. ${end}${hidden === "" ? "" : ` On the first page, ${hidden}.`}${ballots}`;
}
