// The office: which coordinator holds it, how far the others are behind its control log, and the newest entries of the audit log.
import { h, type JSX } from "preact";
import { ApiError, call } from "../api.ts";
import { showCount, showNumberOf, showValue } from "../format.ts";
import { useLive } from "../live.ts";
import { Ago, AskedAction, Badge, Facts, Failure, Heading, Nothing } from "../parts.ts";
import { type Column, Rows } from "../rows.ts";
import type { AuditPage, Office } from "../types.ts";

/** The time between two reads of the office, in ms: each one is an append to the control log. */
const EVERY_MS = 5_000;
/** The time between two reads of the audit log, in ms: the API reads it as a whole. */
const AUDIT_EVERY_MS = 30_000;
/** The entries of the audit log that are shown, the newest. */
const MOST_ENTRIES = 200;

export function OfficeView(): JSX.Element {
  const { data, error, atMs, reload } = useLive("office", readOffice, {
    ...{ everyMs: EVERY_MS, follow: { kind: "office" } },
  });
  return h(
    "section",
    {},
    h(Heading, { title: "Office", atMs }),
    h(Failure, { error }),
    data === undefined
      ? h("p", { class: "scope" }, "Asking the office for a proof…")
      : h(
          "div",
          {},
          data.leader === null
            ? h("p", { class: "failure" }, "No coordinator proves that it holds the office.")
            : null,
          h(Facts, {
            of: [
              ["leader", data.leader ?? "none"],
              ["term", data.term === null ? null : showCount(data.term)],
              ["in office since", data.since === null ? null : h(Ago, { at: data.since })],
              ["end of the control log", data.logSeq === null ? null : showCount(data.logSeq)],
            ],
          }),
          h(Members, { office: data, reload }),
        ),
    h(AuditLog, {}),
  );
}

/** A vacant office answers with status 503 and the same body, which is no failure here. */
async function readOffice(signal: AbortSignal): Promise<Office> {
  const answer = await fetch("/v1/office", { signal, headers: { Accept: "application/json" } }).catch(
    () => null,
  );
  const body = (await answer?.json().catch(() => null)) as
    | Office
    | { error: { code: string; message: string } }
    | null;
  if (body !== null && body !== undefined && "members" in body) return body;
  const { code = "unavailable", message = "the API does not answer" } = body?.error ?? {};
  throw new ApiError({ status: answer?.status ?? 0, code, message });
}

function Members({ office, reload }: { office: Office; reload: () => void }): JSX.Element {
  if (office.members.length === 0) return h(Nothing, {}, "No coordinator answers.");
  return h(
    "ul",
    { class: "cards" },
    office.members.map(({ id, role, host, pid, lag, appliedSeq }) =>
      h(
        "li",
        { key: id },
        h("strong", {}, id),
        " ",
        h(Badge, { of: role }),
        h("p", {}, host === null ? "does not answer" : `${host}, process ${pid}`),
        h(
          "p",
          {},
          lag === null
            ? "its place in the log is unknown"
            : `${showNumberOf(lag, "entry").replace("entrys", "entries")} behind, at ${showCount(appliedSeq)}`,
        ),
        role === "leader" || role === "silent"
          ? null
          : h(AskedAction, {
              ...{
                label: "hand over",
                access: "operate",
                what: `hand the office over to ${id}`,
                onDone: reload,
              },
              run: () => call({ method: "POST", path: "/v1/office/transfer", body: { to: id } }),
              question: `The leader passes the office to ${id}. Ballots, locks and routes wait for about a second.`,
            }),
      ),
    ),
  );
}

type Entry = AuditPage["entries"][number];

const AUDIT_COLUMNS: readonly Column<Entry>[] = [
  { title: "time", width: 2, cell: ({ at }) => h(Ago, { at }) },
  { title: "kind", width: 2, cell: ({ kind }) => kind },
  { title: "writer", width: 2, from: "desktop", cell: ({ writer }) => writer },
  { title: "facts", width: 6, cell: ({ facts }) => showValue(facts, 400).replace(/\s+/g, " ") },
];

function AuditLog(): JSX.Element {
  const { data, error, atMs } = useLive(
    "audit",
    (signal) => call<AuditPage>({ path: "/v1/audit", query: { limit: MOST_ENTRIES }, signal }),
    { everyMs: AUDIT_EVERY_MS, follow: { kind: "office" } },
  );
  const entries = (data?.entries ?? []).toReversed();
  return h(
    "div",
    {},
    h(Heading, { level: 2, title: "Audit log", atMs }),
    h(Failure, { error }),
    data === undefined
      ? h("p", { class: "scope" }, "Reading…")
      : h(
          "p",
          { class: "scope" },
          `The newest ${showCount(entries.length)} entries, at most ${MOST_ENTRIES}.`,
        ),
    data !== undefined && entries.length === 0
      ? h(Nothing, {}, "The audit log has no entry.")
      : h(Rows<Entry>, {
          ...{ label: "Audit log", rows: entries, columns: AUDIT_COLUMNS },
          keyOf: ({ streamSeq }) => String(streamSeq),
        }),
  );
}
