// The board of ballots: how often agents agree, how long it takes, and which votes are rejected.
import type { Board } from "../board.ts";
import { inRange, perSecond, quantile } from "../promql.ts";

export const BALLOTS: Board = {
  name: "ballots",
  title: "Murmur / Ballots and consensus",
  about: "Questions that several agents answer: outcomes, agreement, time, seats, rejected votes.",
  rows: [
    {
      title: "Outcomes",
      panels: [
        {
          title: "Ballots by strategy and outcome",
          kind: "lines",
          unit: "per second",
          shows: "Ended ballots: decided, tie, no_quorum, cancelled.",
          todo: "`murmur ballot ls`, then `murmur ballot show TASK` for an undecided one.",
          width: 8,
          queries: [
            {
              expr: `${perSecond("murmur_ballots_total", ["strategy", "outcome"])} > 0`,
              legend: "{{strategy}} {{outcome}}",
            },
          ],
        },
        {
          title: "Ballots without a verdict",
          kind: "lines",
          unit: "share",
          max: 1,
          shows: "The share of ended ballots without a quorum or with a tie.",
          red: { above: 0.2 },
          todo: "the runbook MurmurNoQuorum: too few agents for the seats, or questions with more than one right answer.",
          width: 8,
          queries: [
            {
              expr: `${perSecond("murmur_ballots_total", ["strategy"], 'outcome=~"no_quorum|tie"')} / (${perSecond("murmur_ballots_total", ["strategy"])} > 0)`,
              legend: "{{strategy}}",
            },
          ],
        },
        {
          title: "Ballots in the time range",
          kind: "bars",
          unit: "count",
          shows: "Ended ballots in the time range of the board, by outcome.",
          todo: "many cancelled: a timeout of the ballot is shorter than its agents need.",
          width: 8,
          queries: [{ expr: `ceil(${inRange("murmur_ballots_total", ["outcome"])})`, legend: "{{outcome}}" }],
        },
      ],
    },
    {
      title: "Agreement and time",
      panels: [
        {
          title: "Agreement (p10, p50)",
          kind: "lines",
          unit: "share",
          max: 1,
          shows:
            "The share of a ballot's seats whose answers support the verdict: the median, and the tenth with the least agreement.",
          red: { below: 0.5 },
          todo: "it falls after a version or a new model: the agents became less alike; compare with known answers (docs/ballots.md, statistics).",
          width: 8,
          queries: [
            { expr: quantile(0.1, "murmur_ballot_agreement_ratio"), legend: "p10" },
            { expr: quantile(0.5, "murmur_ballot_agreement_ratio"), legend: "p50" },
          ],
        },
        {
          title: "Time to a verdict (p50, p99)",
          kind: "lines",
          unit: "seconds",
          shows: "The time from the opening of a ballot to its verdict.",
          todo: "the slowest seat decides it: look at the running time of its capability on the board agents.",
          width: 8,
          queries: [
            { expr: quantile(0.5, "murmur_ballot_seconds"), legend: "p50" },
            { expr: quantile(0.99, "murmur_ballot_seconds"), legend: "p99" },
          ],
          more: "agents",
        },
        {
          title: "Answers of seats",
          kind: "lines",
          unit: "per second",
          shows:
            "Results of seats, judges and verifiers, by capability and status. They do not count as tasks.",
          todo: "failed ones: `murmur ballot show TASK` has the error of each seat.",
          width: 8,
          queries: [
            {
              expr: perSecond("murmur_ballot_answers_total", ["capability", "status"]),
              legend: "{{capability}} {{status}}",
            },
          ],
        },
      ],
    },
    {
      title: "Faults",
      panels: [
        {
          title: "Rejected votes",
          kind: "lines",
          unit: "per second",
          shows:
            "Votes that the leader rejected: forged, replayed, late, double, unregistered, or not asked for.",
          todo: "forged, replayed or double: an agent lies or has a fault; `murmur audit ls --kind vote-refused` has the evidence.",
          width: 12,
          queries: [{ expr: perSecond("murmur_votes_refused_total", ["fault"]), legend: "{{fault}}" }],
        },
        {
          title: "Placements of seats and tasks",
          kind: "lines",
          unit: "per second",
          shows: "Requests for an agent that coordinators answered, by outcome.",
          todo: "waits: there are fewer agents than seats; start more.",
          width: 12,
          queries: [{ expr: perSecond("murmur_placements_total", ["outcome"]), legend: "{{outcome}}" }],
          more: "office",
        },
      ],
    },
  ],
};
