// Dead letters by group: capability, code and fingerprint of the message. A group is replayed or removed as a whole, after a preview, at a
// chosen rate, with its progress and a stop. The view always says the scope of a change.
import { h, type JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { linkTo } from "../address.ts";
import { ApiError, call, callBulk } from "../api.ts";
import { showCount, showNumberOf } from "../format.ts";
import { useLive } from "../live.ts";
import { Ago, Dialog, Failure, Heading, may, Nothing, tell } from "../parts.ts";
import { type Column, Rows } from "../rows.ts";
import type { BulkReport, DeadGroup, DeadGroups } from "../types.ts";

const EVERY_MS = 5_000;
/** The rates that an operator may choose, in letters a second. */
const RATES = [1, 5, 20, 100, 1_000];

export function DeadView({ search, go }: { search: string; go: (search: string) => void }): JSX.Element {
  const { data, error, atMs, reload } = useLive(
    "dead",
    (signal) => call<DeadGroups>({ path: "/v1/dead/groups", signal }),
    { everyMs: EVERY_MS, follow: { kind: "task" } },
  );
  // Not part of a row: the row leaves when its last letter does, and the dialog must tell the end.
  const [bulk, setBulk] = useState<Bulk | undefined>(undefined);
  const wanted = search.toLowerCase();
  const groups = (data?.groups ?? []).filter(({ capability, code, fingerprint }) =>
    `${capability} ${code} ${fingerprint}`.toLowerCase().includes(wanted),
  );
  return h(
    "section",
    {},
    h(Heading, { title: "Dead letters", atMs }),
    h(
      "form",
      { class: "search", role: "search", onSubmit: (event: Event) => event.preventDefault() },
      h("label", { for: "search" }, "Filter"),
      h("input", {
        ...{
          id: "search",
          type: "search",
          value: search,
          placeholder: "capability, code or words of the message",
        },
        onInput: (event: Event) => go((event.currentTarget as HTMLInputElement).value),
      }),
    ),
    h(Failure, { error }),
    data === undefined
      ? h("p", { class: "scope" }, "Reading…")
      : h("p", { class: "scope" }, scopeOf(data, groups.length)),
    data !== undefined && groups.length === 0
      ? h(Nothing, {}, data.groups.length === 0 ? "There is no dead letter." : "No group fits the filter.")
      : h(Rows<DeadGroup>, {
          ...{ label: "Groups of dead letters", rows: groups, columns: columnsOf(setBulk) },
          keyOf: ({ capability, code, fingerprint }) => `${capability} ${code} ${fingerprint}`,
          linkOf: ({ sample }) => linkTo("task", sample.taskId),
        }),
    bulk === undefined ? null : h(BulkDialog, { ...bulk, onClose: () => setBulk(undefined), reload }),
  );
}

function scopeOf({ seen, stored, groups, more }: DeadGroups, shown: number): string {
  const all =
    seen >= stored
      ? `All ${showNumberOf(stored, "letter")}`
      : `The newest ${showCount(seen)} of ${showNumberOf(stored, "letter")}`;
  const hidden = shown < groups.length ? `, ${showCount(shown)} of them fit the filter` : "";
  return `${all} in ${showNumberOf(groups.length, "group")}${hidden}.${more > 0 ? ` ${showNumberOf(more, "further group")} are not shown.` : ""}`;
}

function columnsOf(begin: (bulk: Bulk) => void): Column<DeadGroup>[] {
  return [
    { title: "newest task", width: 3, cell: ({ sample }) => sample.taskId },
    { title: "capability", width: 2, from: "tablet", cell: ({ capability }) => capability },
    { title: "code", width: 2, cell: ({ code }) => code },
    { title: "letters", width: 1, cell: ({ count }) => showCount(count) },
    { title: "message", width: 4, from: "tablet", cell: ({ sample }) => sample.message },
    { title: "newest", width: 2, from: "desktop", cell: ({ newest }) => h(Ago, { at: newest }) },
    { title: "oldest", width: 2, from: "desktop", cell: ({ oldest }) => h(Ago, { at: oldest }) },
    { title: "actions", width: 3, cell: (group) => h(GroupActions, { group, begin }) },
  ];
}

/** The change that a dialog is about. */
interface Bulk {
  readonly group: DeadGroup;
  readonly verb: "replay" | "purge";
}

function GroupActions({
  group,
  begin,
}: {
  group: DeadGroup;
  begin: (bulk: Bulk) => void;
}): JSX.Element | null {
  if (!may("operate")) return null;
  const name = `${group.capability} ${group.code}`;
  const button = (verb: Bulk["verb"], word: string, tone: string) =>
    h(
      "button",
      {
        ...{ type: "button", class: `small ${tone}`, onClick: () => begin({ group, verb }) },
        "aria-label": `${word} the group ${name}`,
      },
      `${word}…`,
    );
  return h("span", { class: "buttons" }, button("replay", "replay", ""), button("purge", "remove", "danger"));
}

/** The steps of a change of many letters: nothing looked at, a preview, in progress, ended. */
type Phase =
  | { readonly at: "ask" }
  | { readonly at: "preview"; readonly report: BulkReport }
  | { readonly at: "work"; readonly done: number; readonly selected: number }
  | { readonly at: "end"; readonly text: string };

function BulkDialog(props: {
  group: DeadGroup;
  verb: "replay" | "purge";
  onClose: () => void;
  reload: () => void;
}): JSX.Element {
  const { group, verb, onClose, reload } = props;
  const { capability, code, fingerprint } = group;
  const [isNarrow, setNarrow] = useState(true);
  const [rate, setRate] = useState(20);
  const [phase, setPhase] = useState<Phase>({ at: "ask" });
  const stopping = useRef<AbortController | undefined>(undefined);
  const filter = { capability, code, ...(isNarrow ? { fingerprint } : {}) };
  const word = verb === "replay" ? "replay" : "remove";
  const path = `/v1/dead/${verb}`;
  const fail = (error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
    setPhase({ at: "end", text: `${error.code}: ${error.message}` });
  };
  const preview = async () => {
    try {
      const answer = await call<BulkReport | { report: BulkReport }>({
        ...{ method: "POST", path, body: { ...filter, dryRun: true } },
      });
      setPhase({ at: "preview", report: "report" in answer ? answer.report : answer });
    } catch (error) {
      fail(error);
    }
  };
  const start = async () => {
    stopping.current = new AbortController();
    setPhase({ at: "work", done: 0, selected: 0 });
    let done = 0;
    try {
      const answer = await callBulk<BulkReport | { report: BulkReport }>(
        { method: "POST", path, body: { ...filter, yes: true, rate }, signal: stopping.current.signal },
        (progress) => {
          done = progress.done;
          setPhase({ at: "work", ...progress });
        },
      );
      const report = "report" in answer ? answer.report : answer;
      const failures = report.failures.map(({ id, code: failed }) => `${id}: ${failed}`).join(", ");
      setPhase({
        at: "end",
        text: `${showCount(report.done)} done, ${showCount(report.skipped)} skipped, ${showCount(report.failed)} failed, ${showCount(report.left)} left.${failures === "" ? "" : ` ${failures}`}`,
      });
      tell(`${word} ${capability} ${code}: ${showCount(report.done)} done`);
    } catch (error) {
      if (stopping.current?.signal.aborted === true)
        setPhase({ at: "end", text: `Stopped after ${showCount(done)}; the present change is still made.` });
      else fail(error);
    }
    reload();
  };
  const close = () => {
    stopping.current?.abort();
    onClose();
  };
  const chooseScope = (event: Event) => {
    setNarrow((event.currentTarget as HTMLSelectElement).value === "group");
    setPhase({ at: "ask" });
  };
  const chooseRate = (event: Event) => setRate(Number((event.currentTarget as HTMLSelectElement).value));
  return h(
    Dialog,
    { title: `${word} dead letters of ${capability}`, onClose: close },
    h(
      "p",
      {},
      h("label", { for: "bulk-scope" }, "Scope "),
      h(
        "select",
        {
          id: "bulk-scope",
          value: isNarrow ? "group" : "code",
          onChange: chooseScope,
          disabled: phase.at === "work",
        },
        h("option", { value: "group" }, "this group: same capability, code and message"),
        h("option", { value: "code" }, `every letter of ${capability} with ${code}`),
      ),
    ),
    h(
      "p",
      {},
      h("label", { for: "bulk-rate" }, "Rate "),
      h(
        "select",
        { id: "bulk-rate", value: String(rate), onChange: chooseRate, disabled: phase.at === "work" },
        RATES.map((each) => h("option", { key: each, value: String(each) }, `${each} a second`)),
      ),
    ),
    h("p", { role: "status" }, textOf(phase, word, isNarrow)),
    phase.at === "work" && phase.selected > 0
      ? h("progress", { max: phase.selected, value: phase.done, "aria-label": "progress" })
      : null,
    h(
      "p",
      { class: "buttons" },
      phase.at === "ask" ? h("button", { type: "button", onClick: () => void preview() }, "preview") : null,
      phase.at === "preview" && phase.report.selected > 0
        ? h(
            "button",
            { type: "button", class: verb === "purge" ? "danger" : "", onClick: () => void start() },
            `${word} ${showNumberOf(phase.report.selected, "letter")}`,
          )
        : null,
      phase.at === "work"
        ? h("button", { type: "button", onClick: () => stopping.current?.abort() }, "stop")
        : null,
      h("button", { type: "button", class: "small", onClick: close }, "close"),
    ),
  );
}

function textOf(phase: Phase, word: string, isNarrow: boolean): string {
  const scope = isNarrow ? "this group" : "this capability with this code";
  if (phase.at === "ask")
    return `Nothing is changed before a preview. The change covers all stored letters of ${scope}, not only those in sight.`;
  if (phase.at === "work") return `${showCount(phase.done)} of ${showCount(phase.selected)} done…`;
  if (phase.at === "end") return phase.text;
  const { selected, unseen, unknown, ids } = phase.report;
  const rest =
    unseen + unknown === 0
      ? ""
      : ` ${showCount(unseen)} were not looked at, ${showCount(unknown)} could not be judged.`;
  const sample = ids.length === 0 ? "" : ` The first: ${ids.slice(0, 3).join(", ")}.`;
  return `${showNumberOf(selected, "letter")} of ${scope} to ${word}.${sample}${rest}`;
}
