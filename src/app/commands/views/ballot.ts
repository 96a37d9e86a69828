// How a ballot looks to people: its seats and their answers, its verdict, and the record of its agents. Pure.

import { printable, showDuration, table } from "../../cli/terminal.ts";
import type { BallotDetails } from "../../operations/ballots.ts";
import { renderEvidence, renderVerdict, showShort } from "./verdict.ts";

/** One ballot with everything that is known about it. */
export function renderBallot(page: BallotDetails): string {
  const { id, candidates, evidence, result } = page;
  const middle =
    result?.verdict === undefined
      ? [renderVotes(page), ...renderEvidence(evidence)]
      : [renderVerdict(result.verdict)];
  return [
    renderHead(page),
    ...middle,
    ...renderCandidates(id, candidates),
    ...renderStatistics(page.statistics),
  ].join("\n");
}

function renderHead({
  id: ballot,
  capability,
  strategy,
  state,
  openedAt,
  endedAt,
  spec,
}: BallotDetails): string {
  const ran =
    endedAt !== null
      ? `, took ${showDuration(Date.parse(endedAt) - Date.parse(openedAt))}`
      : spec === null
        ? ""
        : `, ends by ${new Date(Date.parse(openedAt) + spec.timeoutMs).toISOString()}`;
  return `ballot ${ballot}  ${capability}  ${strategy}: ${STATE_WORDS[state] ?? state}, opened ${openedAt}${ran}`;
}

const STATE_WORDS: Readonly<Record<string, string>> = {
  asking: "waits for answers",
  consulting: "waits for its judge or verifier",
  human: "waits for a person",
  publishing: "is decided, its result is being stored",
};

function renderVotes({ votes }: BallotDetails): string {
  const rows = votes.map(({ seat, agent, model, state, value, reason }) => [
    String(seat),
    `${agent}${model === undefined ? "" : ` (${model})`}`,
    state === "answered" && value !== undefined ? showShort(value) : VOTE_WORDS[state],
    reason ?? "",
  ]);
  return table(["SEAT", "AGENT", "SAID", ""], rows, "no seats");
}

const VOTE_WORDS: Record<BallotDetails["votes"][number]["state"], string> = {
  open: "nothing yet",
  answered: "answered",
  abstained: "abstained",
  silent: "no valid answer",
};

function renderCandidates(ballot: string, candidates: BallotDetails["candidates"]): string[] {
  if (candidates.length === 0) return [];
  return [
    "",
    "waits for a person:",
    ...candidates.map(({ candidate, value }) => `  ${candidate}  ${showShort(value)}`),
    `  murmur ballot decide ${ballot} --choice N   (or --value JSON)`,
  ];
}

function renderStatistics(statistics: BallotDetails["statistics"]): string[] {
  return [...renderSingle(statistics.single), ...renderVoters(statistics)];
}

/** The results of ballots of this kind over time, against one agent. */
function renderSingle(single: BallotDetails["statistics"]["single"]): string[] {
  if (single === null) return [];
  const { ballots, decided, agreement, compared, differed, tokenRatio, costRatio, judged, finding } = single;
  const prices = [
    tokenRatio === null ? [] : [`${tokenRatio.toFixed(1)} times its tokens`],
    costRatio === null ? [] : [`${costRatio.toFixed(1)} times its money`],
  ].flat();
  return [
    "",
    `${ballots} ballots of this kind so far: ${decided} decided${agreement === null ? "" : `, ${percent(agreement)} agree on average`}`,
    ...(compared === 0
      ? ["none of them waited for the agent on the first seat, so there is no comparison"]
      : [
          `against one agent: ${differed} of ${compared} said something else${prices.length === 0 ? "" : `, at ${prices.join(" and ")}`}`,
        ]),
    ...(judged === null
      ? []
      : [
          `right in ${percent(judged.ballotAccuracy)} of ${judged.cases}, one agent in ${percent(judged.singleAccuracy)}: a gain between ${points(judged.gain.low)} and ${points(judged.gain.high)} points`,
        ]),
    ...(finding === null ? [] : [finding]),
  ];
}

/** The record of the agents in ballots whose right answer is known. */
function renderVoters({
  cases,
  agents,
  models,
  correlations,
  effectiveVoters,
}: BallotDetails["statistics"]): string[] {
  if (cases === 0) return ["", "no right answers are known yet: murmur ballot correct records one"];
  const between = ({ accuracy, cases: judged }: (typeof models)[number] | (typeof agents)[number]) =>
    accuracy === null
      ? ["-", "-", "0"]
      : [percent(accuracy.rate), `${percent(accuracy.low)} and ${percent(accuracy.high)}`, String(judged)];
  return [
    "",
    table(
      ["AGENT", "KIND", "RIGHT", "95 % BETWEEN", "CASES", "EXPECTED", "WEIGHT"],
      agents.map((agent) => [
        printable(agent.agent),
        printable(agent.voter),
        ...between(agent),
        percent(agent.expected),
        agent.weight.toFixed(2),
      ]),
      "",
    ),
    ...(models.length === 0
      ? []
      : [
          table(
            ["MODEL", "RIGHT", "95 % BETWEEN", "CASES"],
            models.map((model) => [printable(model.model), ...between(model)]),
            "",
          ),
        ]),
    ...correlations.map(
      ({ voters: [one = "", other = ""], correlation }) =>
        `errors of ${printable(one)} and ${one === other ? "others of its kind" : printable(other)} correlate by ${correlation.toFixed(2)}`,
    ),
    ...(effectiveVoters === null ? [] : [`worth ${effectiveVoters.toFixed(1)} independent voters`]),
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function points(share: number): string {
  return (share * 100).toFixed(1);
}
