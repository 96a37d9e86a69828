// How a verdict looks to people: the decision and its reason, the answer of each seat, and the further facts of the strategy. Pure.
import type { Evidence, Verdict } from "../../../protocol/index.ts";
import { printable, table } from "../../cli/terminal.ts";

/** The longest value that is shown whole, in characters. */
const MAX_SHOWN_VALUE = 60;
/** The most rows of findings, ranked candidates, or refused votes; `--json` has all. */
const MAX_SHOWN_ROWS = 20;

/** A verdict with its reasons. */
export function renderVerdict(verdict: Verdict): string {
  const notes = [
    ...renderSpread(verdict),
    ...renderRanking(verdict),
    ...renderFindings(verdict),
    ...renderEffort(verdict),
    ...renderSingle(verdict),
    ...renderEvidence(verdict.evidence ?? []),
  ];
  return [renderHead(verdict), renderSeats(verdict), ...notes].join("\n");
}

/** Refused votes, one on each line. */
export function renderEvidence(evidence: readonly Evidence[]): string[] {
  if (evidence.length === 0) return [];
  const rows = evidence
    .slice(0, MAX_SHOWN_ROWS)
    .map(({ seat, agent, kind, reason }) => [String(seat), agent ?? "-", kind, reason]);
  return [
    "",
    "refused votes, kept as evidence (--json shows them whole):",
    table(["SEAT", "AGENT", "FAULT", "WHY"], rows, ""),
    ...more(evidence.length),
  ];
}

/** A value on one line, cut when it is long. */
export function showShort(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return printable(text.length <= MAX_SHOWN_VALUE ? text : `${text.slice(0, MAX_SHOWN_VALUE - 1)}…`);
}

function renderHead(verdict: Verdict): string {
  const { strategy, outcome, agreement, seats, rounds, topology, value, reason, stoppedBy } = verdict;
  const shape = `${strategy} of ${seats.length} ${seats.length === 1 ? "seat" : "seats"}${topology === "star" ? "" : ` in a ${topology}`}`;
  const decision =
    strategy === "merge" ? `${(value as unknown[] | undefined)?.length} findings` : showShort(value);
  const result = outcome === "decided" ? `decided ${decision}` : outcome;
  const facts = [
    explainEnd(verdict),
    `${Math.round(agreement * 100)} % agree`,
    ...(rounds > 1 ? [`${rounds} rounds`] : []),
    ...(stoppedBy === undefined ? [] : [`its budget of ${stoppedBy} was used up`]),
  ];
  return `${shape}: ${result} (${facts.join("; ")})${reason === undefined ? "" : `: ${printable(reason)}`}`;
}

function explainEnd({ decidedBy, outcome }: Verdict): string {
  if (outcome !== "decided" && (decidedBy === "judge" || decidedBy === "verifier")) {
    return `the ${decidedBy} decided nothing`;
  }
  return DECIDED_BY_WORDS[decidedBy];
}

const DECIDED_BY_WORDS: Record<Verdict["decidedBy"], string> = {
  quorum: "enough seats agreed, the ballot did not wait for the others",
  early: "the other seats could not change it",
  all: "every seat had answered or abstained",
  timeout: "the time was over",
  plurality: "the most common answer was accepted",
  judge: "a judge chose",
  verifier: "a verifier chose",
  human: "a person decided",
};

function renderSeats({ seats, strategy, rounds }: Verdict): string {
  const columns: [string, (seat: Verdict["seats"][number]) => string][] = [
    ["SEAT", ({ seat }) => String(seat)],
    ["AGENT", ({ agent, model }) => `${agent}${model === undefined ? "" : ` (${model})`}`],
    ...(strategy === "weighted"
      ? [["WEIGHT", ({ weight }) => weight.toFixed(2)] as (typeof columns)[0]]
      : []),
    ...(rounds > 1 ? [["ROUND", ({ round }) => String(round ?? "-")] as (typeof columns)[0]] : []),
    ...(strategy === "bft"
      ? [["SIGNED", ({ signature }) => (signature === undefined ? "-" : "yes")] as (typeof columns)[0]]
      : []),
    [
      "SAID",
      ({ value, abstained }) =>
        abstained !== undefined
          ? `abstained: ${abstained}`
          : value === undefined
            ? "did not answer before the end"
            : showShort(value),
    ],
  ];
  const rows = seats.map((seat) => columns.map(([, show]) => show(seat)));
  return table(
    columns.map(([head]) => head),
    rows,
    "no seats",
  );
}

function renderSpread({ spread }: Verdict): string[] {
  if (spread === undefined) return [];
  const { min, max, standardDeviation, medianAbsoluteDeviation } = spread;
  const deviations = `standard deviation ${round(standardDeviation)}, median absolute deviation ${round(medianAbsoluteDeviation)}`;
  return [`answers from ${round(min)} to ${round(max)}, ${deviations}`];
}

function renderRanking({ ranking = [] }: Verdict): string[] {
  if (ranking.length === 0) return [];
  const shown = ranking.slice(0, MAX_SHOWN_ROWS).map(({ value, score }) => [showShort(value), round(score)]);
  return ["", table(["CANDIDATE", "SCORE"], shown, ""), ...more(ranking.length)];
}

interface Finding {
  finding: unknown;
  seats: readonly number[];
  confidence?: number;
}

function renderFindings({ strategy, value, omitted }: Verdict): string[] {
  if (strategy !== "merge" || !Array.isArray(value) || value.length === 0) return [];
  const findings = value as Finding[];
  const isCalibrated = findings.some(({ confidence }) => confidence !== undefined);
  const rows = findings
    .slice(0, MAX_SHOWN_ROWS)
    .map(({ finding, seats, confidence }) => [
      seats.join(", "),
      ...(isCalibrated ? [confidence === undefined ? "-" : `${Math.round(confidence * 100)} %`] : []),
      showShort(finding),
    ]);
  const heads = ["SEATS", ...(isCalibrated ? ["LIKELY RIGHT"] : []), "FINDING"];
  return ["", table(heads, rows, ""), ...more(findings.length + (omitted ?? 0))];
}

function renderEffort({ usage, messages, hops, effectiveVoters, seats }: Verdict): string[] {
  const { inputTokens, outputTokens, costUsd } = usage;
  const worth =
    effectiveVoters === null
      ? []
      : [`the ${seats.length} seats are worth ${effectiveVoters.toFixed(1)} independent voters`];
  const tokens =
    inputTokens + outputTokens === 0 && costUsd === 0
      ? []
      : [
          `${inputTokens} tokens read, ${outputTokens} written, ${costUsd === null ? "cost unknown" : `${costUsd} USD`}`,
        ];
  const asked =
    messages > seats.length || hops > 1
      ? [`${messages} questions, ${hops} ${hops === 1 ? "hop" : "hops"}`]
      : [];
  return [...asked, ...tokens, ...worth];
}

/** The answer and the price of the control arm: the first seat alone. */
function renderSingle({ single, outcome, usage }: Verdict): string[] {
  if (single === undefined) return [];
  const price = showPrice(usage, single.usage);
  if (outcome !== "decided") return [`seat ${single.seat} alone would have answered${price}`];
  const answer = single.agrees ? "the same" : "something else";
  return [`seat ${single.seat} alone would have said ${answer}${price}`];
}

/** The tokens and the money of the control arm as parts of the whole ballot, each as far as it is known. */
function showPrice(all: Verdict["usage"], one: Verdict["usage"]): string {
  const tokensOf = ({ inputTokens, outputTokens }: Verdict["usage"]) => inputTokens + outputTokens;
  const costs = [
    tokensOf(all) === 0 ? [] : [`${tokensOf(one)} of ${tokensOf(all)} tokens`],
    all.costUsd === null || one.costUsd === null || all.costUsd === 0
      ? []
      : [`$${one.costUsd.toPrecision(3)} of $${all.costUsd.toPrecision(3)}`],
  ].flat();
  return costs.length === 0 ? "" : `, for ${costs.join(" and ")}`;
}

function more(count: number): string[] {
  return count > MAX_SHOWN_ROWS ? [`and ${count - MAX_SHOWN_ROWS} more`] : [];
}

function round(number: number): string {
  return String(Number(number.toPrecision(6)));
}
