import { expect, test } from "vitest";
import { createTerminal } from "../../../../src/app/cli/terminal.ts";
import { show } from "../../../../src/app/commands/swarm/ballot.ts";

const terminal = createTerminal({ quiet: true, environment: { NO_COLOR: "1" } });
const agents = [
  {
    agent: "fast-1",
    voter: "fast/small",
    accuracy: { rate: 0.9, low: 0.82, high: 0.94 },
    cases: 100,
    expected: 0.89,
    weight: 2.09,
  },
  { agent: "new-1", voter: "new", accuracy: null, cases: 0, expected: 0.7, weight: 0.85 },
];
const single = {
  ballots: 120,
  decided: 118,
  agreement: 0.84,
  compared: 100,
  differed: 1,
  tokenRatio: 5,
  costRatio: 4.2,
  judged: {
    cases: 100,
    ballotAccuracy: 0.91,
    singleAccuracy: 0.9,
    gain: { rate: 0.01, low: -0.012, high: 0.031 },
  },
  finding: "one agent was as good in 100 ballots whose right answer is known, at 1/4.2 of the money",
};
const statistics = {
  cases: 100,
  agents,
  voters: [{ voter: "fast/small", accuracy: agents[0]!.accuracy, cases: 100 }],
  models: [{ model: "small", accuracy: agents[0]!.accuracy, cases: 100 }],
  correlations: [{ voters: ["fast/small", "fast/small"], correlation: 0.31 }],
  meanCorrelation: 0.31,
  effectiveVoters: 1.53,
  single,
};
const page = {
  id: "b1",
  capability: "classify",
  strategy: "majority",
  topology: "star",
  state: "decided",
  seats: 2,
  answered: 2,
  agreement: 1,
  openedAt: "2026-01-31T12:00:00.000Z",
  endedAt: "2026-01-31T12:00:01.000Z",
  rounds: 1,
  spec: null,
  evidence: [],
  votes: [{ seat: 1, agent: "fast-1", state: "answered" as const }],
  candidates: [],
  statistics,
  result: null,
};
const render = (more: object = {}) => show.render(show.output.parse({ ...page, ...more }), terminal);

test("a ballot shows the results of its kind against one agent, and the finding", () => {
  const text = render();
  expect(text).toContain("120 ballots of this kind so far: 118 decided, 84 % agree on average");
  expect(text).toContain(
    "against one agent: 1 of 100 said something else, at 5.0 times its tokens and 4.2 times its money",
  );
  expect(text).toContain("right in 91 % of 100, one agent in 90 %: a gain between -1.2 and 3.1 points");
  expect(text).toContain(single.finding);
});

test("a ballot shows the record of its agents, and the expectation for a new agent", () => {
  const text = render();
  expect(text).toMatch(/fast-1 +fast\/small +90 % +82 % and 94 % +100 +89 % +2\.09/);
  expect(text).toMatch(/new-1 +new +- +- +0 +70 % +0\.85/);
  expect(text).toMatch(/small +90 % +82 % and 94 % +100/);
  expect(text).toContain("errors of fast/small and others of its kind correlate by 0.31");
  expect(text).toContain("worth 1.5 independent voters");
});

test("a ballot without a record says so, and how to record a right answer", () => {
  const none = { ...statistics, cases: 0, single: null };
  const text = render({ statistics: none });
  expect(text).toContain("murmur ballot correct");
  expect(text).not.toContain("against one agent");
  const unheard = { ...single, compared: 0, judged: null, finding: null, tokenRatio: null, costRatio: null };
  expect(render({ statistics: { ...statistics, single: unheard } })).toContain("none of them waited");
});
