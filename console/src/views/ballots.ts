// Ballots: the list, and one ballot with its seats and with the gain of several agents over one.
import { h, type JSX } from "preact";
import { linkTo } from "../address.ts";
import { call, pathOf } from "../api.ts";
import { showCount, showNumberOf, showShare, showValue } from "../format.ts";
import { useLive } from "../live.ts";
import { Ago, AskedAction, Badge, Facts, Failure, Go, Heading, Nothing, Text } from "../parts.ts";
import { type Column, Rows } from "../rows.ts";
import type { Ballot, BallotPage, Ballots } from "../types.ts";

const EVERY_MS = 3_000;

const COLUMNS: readonly Column<Ballot>[] = [
  { title: "ballot", width: 4, cell: ({ id }) => id },
  { title: "capability", width: 2, from: "tablet", cell: ({ capability }) => capability },
  { title: "state", width: 2, cell: ({ state }) => h(Badge, { of: state }) },
  { title: "strategy", width: 2, from: "tablet", cell: ({ strategy }) => strategy },
  { title: "seats", width: 2, cell: ({ answered, seats }) => `${answered} of ${seats}` },
  { title: "agreement", width: 2, from: "desktop", cell: ({ agreement }) => showShare(agreement) },
  { title: "opened", width: 2, from: "desktop", cell: ({ openedAt }) => h(Ago, { at: openedAt }) },
];

export function BallotsView(): JSX.Element {
  const { data, error, atMs } = useLive(
    "ballots",
    (signal) => call<Ballots>({ path: "/v1/ballots", query: { stale: true }, signal }),
    { everyMs: EVERY_MS, follow: { kind: "ballot" } },
  );
  return h(
    "section",
    {},
    h(Heading, { title: "Ballots", atMs, moreMs: data?.ageMs ?? 0 }),
    h(Failure, { error }),
    h(
      "p",
      { class: "scope" },
      data === undefined
        ? "Reading…"
        : `${showNumberOf(data.ballots.length, "ballot")}, open and ended, as a coordinator keeps them.`,
    ),
    data !== undefined && data.ballots.length === 0
      ? h(Nothing, {}, "There is no ballot.")
      : h(Rows<Ballot>, {
          ...{ label: "Ballots", rows: data?.ballots ?? [], columns: COLUMNS },
          keyOf: ({ id }) => id,
          linkOf: ({ id }) => linkTo("ballot", id),
        }),
  );
}

export function BallotView({ id }: { id: string }): JSX.Element {
  const { data, error, atMs, reload } = useLive(
    `ballot ${id}`,
    (signal) => call<BallotPage>({ path: pathOf("v1", "ballots", id), signal }),
    { everyMs: EVERY_MS, follow: { kind: "ballot", id } },
  );
  return h(
    "section",
    {},
    h(Heading, { title: `Ballot ${id}`, atMs }),
    h(Failure, { error }),
    data === undefined ? null : h(Page, { ballot: data, reload }),
  );
}

function Page({ ballot, reload }: { ballot: BallotPage; reload: () => void }): JSX.Element {
  const { capability, strategy, topology, agreement, openedAt, endedAt, rounds, candidates, result } = ballot;
  return h(
    "div",
    {},
    h(
      "p",
      { class: "lead" },
      h(Badge, { of: ballot.state }),
      h(Go, { to: linkTo("task", ballot.id) }, "its task"),
    ),
    h(Facts, {
      of: [
        ["capability", capability],
        ["strategy", `${strategy}, ${topology}`],
        ["rounds", showCount(rounds)],
        ["agreement", agreement === null ? null : showShare(agreement)],
        ["opened", h(Ago, { at: openedAt })],
        ["ended", endedAt === null ? null : h(Ago, { at: endedAt })],
      ],
    }),
    h("h2", {}, "Seats"),
    h(
      "ul",
      { class: "cards" },
      ballot.votes.map(({ seat, agent, model, state, value, reason }) =>
        h(
          "li",
          { key: `${seat} ${agent}` },
          h("strong", {}, `seat ${seat}`),
          " ",
          h(Badge, { of: state }),
          h("p", {}, agent, model === undefined ? null : ` (${model})`),
          value === undefined
            ? null
            : h(Text, { label: `vote of seat ${seat}`, children: showValue(value, 2_000) }),
          reason === undefined ? null : h("p", {}, reason),
        ),
      ),
    ),
    candidates.length === 0
      ? null
      : h(
          "div",
          {},
          h("h2", {}, "A person decides"),
          h(
            "ul",
            { class: "cards" },
            candidates.map(({ candidate, value }) =>
              h(
                "li",
                { key: candidate },
                h(Text, { label: `candidate ${candidate}`, children: showValue(value, 2_000) }),
                h(AskedAction, {
                  ...{
                    label: "choose",
                    access: "operate",
                    what: `choose candidate ${candidate} of ${ballot.id}`,
                  },
                  run: () =>
                    call({
                      ...{ method: "POST", path: pathOf("v1", "ballots", ballot.id, "decide") },
                      body: { choice: candidate },
                    }),
                  onDone: reload,
                  question: "The ballot ends with this value as its verdict.",
                }),
              ),
            ),
          ),
        ),
    h(Gain, { ballot }),
    result?.output === undefined
      ? null
      : h(
          "div",
          {},
          h("h2", {}, "Verdict"),
          h(Text, { label: "verdict", children: showValue(result.output) }),
        ),
  );
}

/** Whether several agents are worth it, by the ballots of the same kind whose right answer is known. */
function Gain({ ballot }: { ballot: BallotPage }): JSX.Element {
  const { single, effectiveVoters, cases } = ballot.statistics;
  const { judged = null } = single ?? {};
  const ratio = (value: number | null) => (value === null ? null : `${value.toFixed(1)} times one agent`);
  return h(
    "div",
    {},
    h("h2", {}, "Gain over one agent"),
    h(Facts, {
      of: [
        ["ballots of this kind", single === null ? "none has ended" : showCount(single.ballots)],
        [
          "decided otherwise than one agent",
          single === null ? null : `${showCount(single.differed)} of ${showCount(single.compared)}`,
        ],
        ["known right answers", showCount(judged?.cases ?? cases)],
        ["right with a ballot", judged === null ? null : showShare(judged.ballotAccuracy)],
        ["right with one agent", judged === null ? null : showShare(judged.singleAccuracy)],
        [
          "gain",
          judged === null
            ? "unknown until right answers are recorded"
            : `${showShare(judged.gain.rate)} (${showShare(judged.gain.low)} to ${showShare(judged.gain.high)})`,
        ],
        ["tokens", ratio(single?.tokenRatio ?? null)],
        ["cost", ratio(single?.costRatio ?? null)],
        ["independent voters", effectiveVoters === null ? null : effectiveVoters.toFixed(1)],
        ["finding", single?.finding ?? null],
      ],
    }),
  );
}
