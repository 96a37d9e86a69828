// Ballots from submission to verdict: real agents, hosts and office, over the transport in memory.
import { expect, it, onTestFinished, vi } from "vitest";
import {
  type BallotInput,
  encode,
  type Json,
  type SeatQuestion,
  SwarmError,
  type Task,
} from "../../../src/protocol/index.ts";
import { resultOf, setupBallots, store, type Voter } from "../ballots/swarm.ts";
import { SOON } from "../support.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g"];
const FIVE = NAMES.slice(0, 5);
/** The answers of the agents `a`, `b`, …, by name. */
const answersOf = (...values: unknown[]) =>
  Object.fromEntries(values.map((value, index) => [NAMES[index], value]));

it.each<{ title: string; ballot: BallotInput; answers: unknown[]; verdict: object; output?: unknown }>([
  {
    title: "`first` decides for the first answer to arrive",
    ballot: { seats: 5, strategy: "first" },
    answers: ["cat", "cat", "cat", "cat", "cat"],
    verdict: { outcome: "decided", value: "cat", decidedBy: "early" },
    output: "cat",
  },
  {
    title:
      "`majority` decides for the answer of most seats, and the result has a winning seat's whole output",
    ballot: {
      seats: 5,
      strategy: "majority",
      pointer: "/label",
      normalise: { trim: true, ignoreCase: true },
    },
    answers: [{ label: "Cat " }, { label: "cat" }, { label: "dog" }, { label: "CAT" }, { label: "dog" }],
    verdict: { outcome: "decided", value: "cat" },
    output: { label: expect.stringMatching(/^cat ?$/i) },
  },
  {
    title: "`weighted` gives unknown agents equal weights",
    ballot: { seats: 5, strategy: "weighted" },
    answers: ["cat", "cat", "dog", "cat", "dog"],
    verdict: { outcome: "decided", value: "cat" },
  },
  {
    title: "`quorum` decides for a value with enough equal answers if no other value has as many",
    ballot: { seats: 5, strategy: "quorum", quorum: 2 },
    answers: ["cat", "dog", "cat", "cow", "hen"],
    verdict: { outcome: "decided", value: "cat", agreement: 0.4 },
  },
  {
    title: "`unanimous` needs the same answer from all seats",
    ballot: { seats: 5, strategy: "unanimous" },
    answers: ["cat", "cat", "cat", "cat", "cat"],
    verdict: { outcome: "decided", value: "cat", agreement: 1 },
  },
  {
    title: "`ranked` by Condorcet is a tie when a circle of majorities has no weakest one",
    ballot: { seats: 5, strategy: "ranked" },
    answers: [
      ["x", "y", "z"],
      ["y", "z", "x"],
      ["z", "x", "y"],
      ["x", "y", "z"],
      ["y", "z", "x"],
    ],
    // x beats y by 3 of 5, y beats z by 4, z beats x by 3.
    verdict: { outcome: "tie" },
  },
  {
    title: "`ranked` by Condorcet breaks a circle at its weakest majority",
    ballot: { seats: 7, strategy: "ranked" },
    // x beats y by 5 of 7, y beats z by 5, z beats x by only 4.
    answers: [
      ["x", "y", "z"],
      ["x", "y", "z"],
      ["x", "y", "z"],
      ["y", "z", "x"],
      ["y", "z", "x"],
      ["z", "x", "y"],
      ["z", "x", "y"],
    ],
    verdict: { outcome: "decided", value: "x" },
  },
  {
    title: "`ranked` by Borda adds up the places",
    ballot: { seats: 5, strategy: "ranked", ranking: "borda" },
    answers: [
      ["x", "y", "z"],
      ["x", "y", "z"],
      ["x", "y", "z"],
      ["y", "z", "x"],
      ["y", "z", "x"],
    ],
    verdict: {
      outcome: "decided",
      value: "y",
      ranking: [{ value: "y" }, { value: "x" }, { value: "z" }],
    },
  },
  {
    title: "`mean` gives one number and the spread of the answers",
    ballot: { seats: 5, strategy: "mean" },
    answers: [1, 2, 3, 4, 10],
    verdict: { outcome: "decided", value: 4, spread: { min: 1, max: 10 } },
    output: 4,
  },
  {
    title: "`median` is not moved by one extreme answer",
    ballot: { seats: 5, strategy: "median", minAnswers: 5 },
    answers: [1, 2, 3, 4, 1_000],
    verdict: { outcome: "decided", value: 3 },
  },
  {
    title: "`trimmed` cuts off both ends",
    ballot: { seats: 5, strategy: "trimmed", trim: 0.2 },
    answers: [-1_000, 2, 3, 4, 1_000],
    verdict: { outcome: "decided", value: 3 },
  },
  {
    title: "`merge` joins findings by their key and lists the seats that report each",
    ballot: { seats: 5, strategy: "merge", key: ["/file", "/line"], quorum: 2 },
    answers: [
      [{ file: "x.ts", line: 1, text: "one way to say it" }],
      [{ file: "x.ts", line: 1, text: "another" }],
      [{ file: "y.ts", line: 9 }],
      [],
      [],
    ],
    verdict: {
      outcome: "decided",
      value: [
        {
          finding: { file: "x.ts", line: 1 },
          seats: [expect.any(Number), expect.any(Number)],
          agreement: 0.4,
        },
      ],
    },
  },
  {
    title: "`bft` decides for the value that four of five seats sign",
    ballot: { seats: 5, strategy: "bft" },
    answers: ["cat", "cat", "cat", "cat", "dog"],
    verdict: { outcome: "decided", value: "cat" },
  },
  {
    title: "two values with the most answers are a tie",
    ballot: { seats: 5, strategy: "quorum", quorum: 2 },
    answers: ["cat", "dog", "cat", "dog", "hen"],
    verdict: { outcome: "tie", seats: expect.arrayContaining([expect.objectContaining({ value: "hen" })]) },
  },
  {
    title: "too few equal answers are no quorum",
    ballot: { seats: 5, strategy: "majority" },
    answers: ["cat", "dog", "cow", "hen", "cat"],
    verdict: { outcome: "no_quorum" },
  },
  {
    title: "too few answers are no quorum, even if they agree",
    ballot: { seats: 5, strategy: "quorum", quorum: 2, minAnswers: 4 },
    answers: ["cat", "cat", null, { fail: "no idea" }, "cat"],
    verdict: {
      outcome: "no_quorum",
      abstained: 2,
      seats: expect.arrayContaining([
        expect.objectContaining({ abstained: "answered null" }),
        expect.objectContaining({ abstained: "internal: no idea" }),
      ]),
    },
  },
])("$title", async ({ ballot, answers, verdict, output }) => {
  const { ask } = await setupBallots(NAMES.slice(0, ballot.seats));
  const result = await ask(answersOf(...answers), ballot);
  const { outcome } = result.verdict ?? {};
  expect(result.verdict).toMatchObject({ strategy: ballot.strategy, ...verdict });
  expect(result.status).toBe(outcome === "decided" ? "completed" : "failed");
  if (outcome !== "decided") expect(result).toMatchObject({ error: { code: outcome, retryable: false } });
  if (output !== undefined) expect(result.output).toEqual(output);
});

it.each<{ title: string; ballot: Partial<BallotInput>; advice: unknown; verdict: object }>([
  {
    title: "a judge chooses among the candidates, and may give a reason",
    ballot: { strategy: "judge", judge: "referee" },
    advice: { choice: 2, reason: "dogs bark" },
    verdict: { outcome: "decided", value: "dog", decidedBy: "judge", reason: "dogs bark" },
  },
  {
    title: "an invalid answer of a judge decides nothing, and the verdict says which answer was expected",
    ballot: { strategy: "judge", judge: "referee" },
    advice: "the best one",
    verdict: { outcome: "no_quorum", decidedBy: "judge", reason: expect.stringContaining("{ choice:") },
  },
  {
    title: "a judge can be asked only when the seats disagree",
    ballot: { strategy: "majority", onDisagreement: "judge", judge: "referee" },
    advice: { choice: 1 },
    verdict: { outcome: "decided", value: "cat", decidedBy: "judge" },
  },
  {
    title: "a verifier passes the candidate that is right",
    ballot: { strategy: "verifier", verifier: "referee" },
    advice: { passed: [3], reason: "counted the legs" },
    verdict: { outcome: "decided", value: "hen", decidedBy: "verifier" },
  },
  {
    title: "a verifier that passes no candidate leaves no quorum",
    ballot: { strategy: "verifier", verifier: "referee" },
    advice: { passed: [] },
    verdict: { outcome: "no_quorum", decidedBy: "verifier" },
  },
])("$title", async ({ ballot, advice, verdict }) => {
  const referee: Voter = { name: "referee", capability: "referee", say: () => advice };
  const { ask } = await setupBallots([...FIVE, referee]);
  const result = await ask(answersOf("cat", "dog", "hen", "dog", "cat"), {
    seats: 5,
    ...ballot,
  } as BallotInput);
  expect(result.verdict).toMatchObject(verdict);
});

it("with `plurality` a ballot decides for the most common value, if there is one", async () => {
  const { ask } = await setupBallots(FIVE);
  const ballot = { seats: 5, strategy: "majority", onDisagreement: "plurality" } as const;
  const clear = await ask(answersOf("cat", "dog", "hen", "cat", "cow"), ballot);
  expect(clear.verdict).toMatchObject({ outcome: "decided", value: "cat", decidedBy: "plurality" });
  const even = await ask(answersOf("cat", "dog", "hen", "cat", "dog"), ballot);
  expect(even.verdict).toMatchObject({ outcome: "tie" });
});

it("with `debate` each seat sees the answers of the others in the next round", async () => {
  const asked: SeatQuestion[] = [];
  const persuaded: Voter = {
    name: "e",
    say({ question }) {
      asked.push(question as SeatQuestion);
      return asked.length === 1 ? "dog" : "cat";
    },
  };
  const { ask } = await setupBallots(["a", "b", "c", "d", persuaded]);
  const ballot = { seats: 5, strategy: "majority", onDisagreement: "debate", rounds: 3 } as const;
  const { verdict } = await ask(answersOf("cat", "cat", "dog", "hen"), ballot);
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat", rounds: 2, messages: 10, hops: 2 });
  expect(asked.map(({ round, rounds, answers }) => [round, rounds, answers.length])).toEqual([
    [1, 3, 0],
    [2, 3, 4],
  ]);
});

it("with `human` a ballot waits for a person, and the verdict names that person", async () => {
  const { tasks, show, office } = await setupBallots(FIVE);
  const ballot = { seats: 5, strategy: "majority", onDisagreement: "human" } as const;
  const input = answersOf("cat", "dog", "cow", "hen", "cat");
  await tasks.submit({ id: "b1", capability: "classify", input, ballot });
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "human" }), SOON);
  const page = await show("b1");
  expect(page.candidates.map(({ value }) => value)).toEqual(["cat", "cow", "dog", "hen"]);
  expect(page).toMatchObject({ spec: { onDisagreement: "human", timeoutMs: 300_000 }, answered: 5 });
  const decide = (choice: number) => office.read("ballot-decide", { id: "b1", by: "ada", choice });
  await expect(decide(9)).rejects.toMatchObject({ code: "invalid_input", field: "choice" });
  expect(await decide(3)).toMatchObject({ decided: true });
  const { result } = await tasks.status("b1");
  expect(result?.verdict).toMatchObject({ value: "dog", decidedBy: "human", reason: "decided by ada" });
  await expect(decide(3)).rejects.toMatchObject({ code: "conflict" });
});

/** A ballot that waits for ada, in an office whose commands `ballots-end` go through `onEnd`. */
async function waitForAda(
  onEnd: (submit: (suffix?: string) => Promise<Json>, tries: number) => Promise<Json>,
) {
  const { tasks, show, office, leader } = await setupBallots(FIVE);
  const ballot = { seats: 5, strategy: "majority", onDisagreement: "human" } as const;
  await tasks.submit({
    id: "b1",
    capability: "classify",
    input: answersOf("cat", "dog", "cow", "hen", "cat"),
    ballot,
  });
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "human" }), SOON);
  const submit = leader.office.submit.bind(leader.office);
  let tries = 0;
  vi.spyOn(leader.office, "submit").mockImplementation((key, command, bytes) =>
    command.type === "ballots-end"
      ? onEnd((suffix = "") => submit(`${key}${suffix}`, command, bytes), ++tries)
      : submit(key, command, bytes),
  );
  const decide = (timeoutMs = 30_000) =>
    office.read("ballot-decide", { id: "b1", by: "ada", choice: 3 }, { timeoutMs });
  return { tasks, decide };
}

it("a repeat of a decision that is not stored yet waits for it, and is no conflict", async () => {
  const stored = Promise.withResolvers<void>();
  const { decide, tasks } = await waitForAda(async (submit) => {
    await stored.promise;
    return submit();
  });
  await expect(decide(300)).rejects.toMatchObject({ code: "unavailable" });
  const repeated = decide();
  stored.resolve();
  expect(await repeated).toEqual({ decided: true });
  expect((await tasks.result("b1")).verdict).toMatchObject({ value: "dog", decidedBy: "human" });
});

it("a decision whose first try failed is stored by the next one, and a repeat waits for it", async () => {
  const { decide, tasks } = await waitForAda(async (submit, tries) => {
    if (tries === 1) throw new SwarmError("internal", "told to fail");
    return submit();
  });
  await expect(decide()).rejects.toMatchObject({ code: "internal" });
  expect(await decide()).toEqual({ decided: true });
  expect(await tasks.result("b1")).toMatchObject({ status: "completed" });
});

it("a ballot whose end was stored by an earlier try of unknown outcome is carried out, and its person hears it", async () => {
  const { decide, tasks } = await waitForAda(async (submit) => {
    await submit("-earlier");
    return submit();
  });
  expect(await decide()).toEqual({ decided: true });
  expect(await tasks.result("b1")).toMatchObject({ status: "completed" });
});

const shownTo = (question: Task["question"]) => (question as SeatQuestion).answers.map(({ value }) => value);
/** Five agents that answer with their seat and the answers that they were shown. */
const PARROTS: Voter[] = FIVE.map((name) => ({
  name,
  say: ({ question }) => ({ seat: (question as SeatQuestion).seat, shown: shownTo(question) }),
}));

it.each<{
  topology: BallotInput["topology"];
  more?: Partial<BallotInput>;
  lines: Record<number, number[]>;
  cost: object;
}>([
  { topology: "star", lines: { 1: [], 2: [], 3: [], 4: [], 5: [] }, cost: { messages: 5, hops: 1 } },
  {
    topology: "tree",
    more: { fanOut: 2 },
    lines: { 1: [3, 4], 2: [5], 3: [], 4: [], 5: [] },
    cost: { messages: 5, hops: 2, fanOut: 2, depth: 2 },
  },
  { topology: "ring", lines: { 1: [], 2: [1], 3: [2], 4: [3], 5: [4] }, cost: { messages: 5, hops: 5 } },
  {
    topology: "mesh",
    more: { neighbours: 1 },
    lines: { 1: [2], 2: [3], 3: [4], 4: [5], 5: [1] },
    cost: { messages: 10, hops: 2, neighbours: 1 },
  },
])("a $topology shows each seat the answers that it may see, and no others", async (given) => {
  const { topology, more, lines, cost } = given;
  const { ask } = await setupBallots(PARROTS);
  // All seats disagree, so that the ballot asks and hears every seat to the end.
  const ballot = { seats: 5, strategy: "unanimous", onDisagreement: "plurality", topology, ...more };
  const { verdict } = await ask(null, ballot as BallotInput);
  expect(verdict).toMatchObject({ topology, ...cost });
  const seen = verdict?.seats.map(({ seat, value }) => [
    seat,
    ((value as { shown?: { seat: number }[] }).shown ?? []).map((other) => other.seat),
  ]);
  expect(Object.fromEntries(seen ?? [])).toEqual(lines);
});

it.each<{ budget: object; topology: BallotInput["topology"]; stopped: object }>([
  {
    budget: { maxMessages: 9 },
    topology: "mesh",
    stopped: { stoppedBy: "messages", messages: 5, rounds: 1 },
  },
  { budget: { maxHops: 1 }, topology: "mesh", stopped: { stoppedBy: "hops", hops: 1 } },
  { budget: { maxHops: 5 }, topology: "ring", stopped: { stoppedBy: "hops", hops: 5, rounds: 1 } },
])(
  "a ballot stops at its budget of $budget, and the verdict says so",
  async ({ budget, topology, stopped }) => {
    const { ask } = await setupBallots(PARROTS);
    const { verdict } = await ask(null, { seats: 5, strategy: "majority", topology, rounds: 4, budget });
    expect(verdict).toMatchObject({ outcome: "tie", ...stopped });
  },
);

it("a ballot with a limit of money starts no further round once the cost of an answer is unknown", async () => {
  const { ask, transport, subjects } = await setupBallots([
    "a",
    "b",
    "c",
    { name: "d", say: () => new Promise(() => {}) },
  ]);
  // An agent reports its cost in the `usage` of its result; here a client in another language writes that result.
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.>`, ({ subject }) => {
    const taskId = subject.slice(subject.lastIndexOf(".") + 1);
    if (!subject.includes(".d-")) return;
    const [, , , , agent, scope] = subject.split(".") as [string, string, string, string, string, string];
    void store(transport, subjects.result("classify", scope, taskId), {
      ...resultOf(taskId, agent, "hen"),
      usage: { inputTokens: 100, outputTokens: 10, costUsd: null },
    });
  });
  onTestFinished(() => tap.close());
  const { verdict } = await ask(answersOf("cat", "dog", "cow"), {
    seats: 4,
    strategy: "majority",
    onDisagreement: "debate",
    rounds: 4,
    budget: { maxUsd: 1 },
  });
  expect(verdict).toMatchObject({
    stoppedBy: "money",
    rounds: 1,
    usage: { inputTokens: 100, costUsd: null },
  });
});

it("an answer from an agent that was not asked does not count", async () => {
  const { promise: freed, resolve: free } = Promise.withResolvers<void>();
  const slow: Voter = { name: "c", say: () => freed.then(() => "cat") };
  const { ask, leader, transport, subjects, agentOf } = await setupBallots(["a", "b", slow]);
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.*.*.${agentOf("c")}.>`, ({ subject }) => {
    const [scope, taskId] = subject.split(".").slice(-2) as [string, string];
    void store(
      transport,
      subjects.result("classify", scope, taskId),
      resultOf(taskId, "mallory", "dog"),
    ).then(() => free());
  });
  onTestFinished(() => tap.close());
  const { verdict } = await ask(answersOf("cat", "dog"), { seats: 3, strategy: "majority" });
  expect(verdict).toMatchObject({ outcome: "tie", abstained: 1 });
  expect(verdict?.seats.find(({ agent }) => agent === agentOf("c"))).toMatchObject({
    abstained: "answered by mallory, which was not asked",
  });
  const refused = await leader.meter.votesRefused.get();
  expect(refused.values).toMatchObject([{ labels: { fault: "not_asked" }, value: 1 }]);
  const facts = { ballot: expect.any(String), capability: "classify", agent: "mallory" };
  const noted = leader.notes.filter(({ kind }) => !kind.startsWith("office"));
  expect(noted).toMatchObject([{ kind: "answer-refused", facts }]);
});

it("a ballot that is short of agents waits, gives the reason, and opens when they come", async () => {
  const { ask, host, show } = await setupBallots(["a", "b"]);
  const verdict = ask(answersOf("cat", "cat", "cat"), { seats: 3, strategy: "majority" }, { id: "b1" });
  await vi.waitFor(
    () => expect(show("b1")).rejects.toThrow("not open yet: 2 of 3 agents for classify are there"),
    SOON,
  );
  await host(["c"]);
  expect(await verdict).toMatchObject({ verdict: { outcome: "decided", value: "cat" } });
});

it("a ballot ends with no quorum, and asks no agent, when too few agents come in time", async () => {
  const asked: string[] = [];
  const { ask, show } = await setupBallots([{ name: "a", say: ({ capability }) => asked.push(capability) }]);
  const result = await ask(null, { seats: 3, strategy: "first", timeoutMs: 300 }, { id: "b1" });
  expect(result).toMatchObject({
    status: "failed",
    error: {
      code: "no_quorum",
      message: expect.stringContaining("only 1 of 3 agents for classify were there in time"),
    },
    verdict: { outcome: "no_quorum", decidedBy: "timeout", messages: 0, abstained: 2, seats: { length: 3 } },
  });
  expect(asked).toEqual([]);
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "no_quorum" }), SOON);
});

it.each<{ diversity: BallotInput["diversity"]; agents: Voter[]; seats: number; outcome: string }>([
  {
    diversity: "model",
    agents: [
      { name: "a", model: "m1" },
      { name: "b", model: "m1" },
    ],
    seats: 2,
    outcome: "no_quorum",
  },
  {
    diversity: "model",
    agents: [
      { name: "a", model: "m1" },
      { name: "b", model: "m2" },
    ],
    seats: 2,
    outcome: "decided",
  },
  { diversity: "agent", agents: [{ name: "a" }], seats: 2, outcome: "no_quorum" },
  { diversity: "none", agents: [{ name: "a" }], seats: 2, outcome: "decided" },
])(
  "with diversity $diversity, $agents.length agents and 2 seats is $outcome",
  async ({ diversity, agents, seats, outcome }) => {
    const { ask } = await setupBallots(agents);
    const timeoutMs = outcome === "decided" ? 20_000 : 300;
    const { verdict } = await ask(answersOf("cat", "cat"), {
      seats,
      strategy: "unanimous",
      diversity,
      timeoutMs,
    });
    expect(verdict).toMatchObject({ outcome });
  },
);

it("a ballot stops the agents that still work once it is decided or its time is over", async () => {
  const stopped: string[] = [];
  const thinking: Voter[] = ["d", "e"].map((name) => ({
    name,
    say: (_task, { signal }) => new Promise(() => signal.addEventListener("abort", () => stopped.push(name))),
  }));
  const { ask } = await setupBallots(["a", "b", "c", ...thinking]);
  const early = await ask(answersOf("cat", "cat", "cat"), { seats: 5, strategy: "majority" });
  expect(early.verdict).toMatchObject({ outcome: "decided", value: "cat", decidedBy: "quorum" });
  await vi.waitFor(() => expect(stopped.sort()).toEqual(["d", "e"]), SOON);
  const late = await ask(answersOf("cat", "dog", "cow"), {
    seats: 5,
    strategy: "majority",
    timeoutMs: 1_000,
  });
  expect(late).toMatchObject({ status: "failed", verdict: { decidedBy: "timeout" } });
  await vi.waitFor(() => expect(stopped.sort()).toEqual(["d", "d", "e", "e"]), SOON);
});

it("cancelling its task cancels a ballot and stops its seats", async () => {
  const started: string[] = [];
  const stopped: string[] = [];
  const thinking: Voter[] = FIVE.map((name) => ({
    name,
    say: (_task, { signal }) => {
      started.push(name);
      return new Promise(() => signal.addEventListener("abort", () => stopped.push(name)));
    },
  }));
  const { tasks, show } = await setupBallots(thinking);
  await tasks.submit({ id: "b1", capability: "classify", ballot: { seats: 5, strategy: "majority" } });
  await vi.waitFor(() => expect(started.sort()).toEqual(FIVE), SOON);
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "asking" }), SOON);
  expect(await tasks.status("b1")).toMatchObject({ state: "running", progress: 0 });
  await tasks.cancel("b1");
  expect(await tasks.status("b1")).toMatchObject({ state: "cancelled" });
  await vi.waitFor(() => expect(stopped.sort()).toEqual(FIVE), SOON);
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "cancelled" }), SOON);
});

// Mistakes in a ballot. The task client rejects them before it publishes anything; if another program publishes such a
// ballot unchecked, its task fails.
const WRONG: [string, unknown, string][] = [
  ["an unknown strategy", { seats: 3, strategy: "loudest" }, "ballot.strategy"],
  ["no strategy", { seats: 3 }, "ballot.strategy"],
  ["no seats", { seats: 0, strategy: "majority" }, "ballot.seats"],
  ["10,000 seats", { seats: 10_000, strategy: "majority" }, "ballot.seats"],
  ["half a seat", { seats: 2.5, strategy: "majority" }, "ballot.seats"],
  ["a quorum above its seats", { seats: 3, strategy: "quorum", quorum: 4 }, "ballot.quorum"],
  ["more least answers than seats", { seats: 3, strategy: "first", minAnswers: 4 }, "ballot.minAnswers"],
  ["a pointer that is none", { seats: 3, strategy: "majority", pointer: "label" }, "ballot.pointer"],
  ["weights of its own", { seats: 3, strategy: "weighted", weights: [9, 1, 1] }, "ballot.weights"],
  ["a judge that is no capability", { seats: 3, strategy: "judge", judge: "the wise one" }, "ballot.judge"],
  ["no judge", { seats: 3, strategy: "judge" }, "ballot.judge"],
  ["three seats for bft", { seats: 3, strategy: "bft" }, "ballot.seats"],
  ["a text in its place", "three", "ballot"],
  ["nothing in its place", null, "ballot"],
];

it("the task client rejects a ballot with a mistake before it publishes anything", async () => {
  const { tasks } = await setupBallots([]);
  for (const [mistake, ballot, field] of WRONG) {
    const task = { capability: "classify", ballot } as never;
    await expect(tasks.submit(task), mistake).rejects.toMatchObject({ code: "invalid_input", field });
  }
});

it("a ballot with a mistake that a program published unchecked ends as failed", async () => {
  const { publishRaw } = await setupBallots(["a"]);
  const results = await Promise.all(
    WRONG.map(([, ballot]) => publishRaw({ capability: "classify", ballot })),
  );
  expect(results.at(-2)?.error?.message).toBe('task: ballot: must be an object, got "three"');
  expect(results.map(({ status, error }) => [status, error?.code, error?.field])).toEqual(
    WRONG.map(([, , field]) => ["failed", "invalid_input", field]),
  );
});

it.each<{ fault: string; answer: unknown; ballot: Partial<BallotInput>; reason: string }>([
  {
    fault: "has nothing at the pointer",
    answer: { name: "cat" },
    ballot: { pointer: "/label" },
    reason: "nothing at the pointer /label",
  },
  {
    fault: "is of another type",
    answer: 7,
    ballot: { type: "string" },
    reason: "expected a value of type string, got number",
  },
  { fault: "is null", answer: null, ballot: {}, reason: "answered null" },
  { fault: "is missing", answer: undefined, ballot: {}, reason: "no output" },
  { fault: "is huge", answer: "x".repeat(100_000), ballot: {}, reason: "larger than" },
  { fault: "holds half a surrogate pair", answer: "\ud800", ballot: {}, reason: "surrogate" },
])("a seat whose answer $fault abstains, with the reason", async ({ answer, ballot, reason }) => {
  const odd: Voter = { name: "c", say: () => answer };
  const { ask, agentOf } = await setupBallots(["a", "b", odd]);
  const good = ballot.pointer === undefined ? "cat" : { label: "cat" };
  const { verdict } = await ask(answersOf(good, good), {
    seats: 3,
    strategy: "unanimous",
    minAnswers: 2,
    ...ballot,
  });
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat", abstained: 1 });
  expect(verdict?.seats.find(({ agent }) => agent === agentOf("c"))?.abstained).toContain(reason);
});

it("a seat abstains when a program in another language writes an answer that JSON cannot express", async () => {
  const { ask, transport, subjects, agentOf } = await setupBallots([
    "a",
    "b",
    { name: "c", say: () => new Promise(() => {}) },
  ]);
  const agent = agentOf("c");
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.*.*.${agent}.>`, ({ subject }) => {
    const [scope, taskId] = subject.split(".").slice(-2) as [string, string];
    const result = encode(resultOf(taskId, agent, Number.NaN), "msgpack");
    const headers = { "Content-Type": "application/msgpack" };
    void transport.log("results").append(subjects.result("classify", scope, taskId), result, { headers });
  });
  onTestFinished(() => tap.close());
  const { verdict } = await ask(answersOf(1, 3), { seats: 3, strategy: "mean" });
  expect(verdict).toMatchObject({ outcome: "decided", value: 2, abstained: 1 });
  expect(verdict?.seats.find((seat) => seat.agent === agent)?.abstained).toContain("NaN");
});

it("a weight inside an answer does not change the seat's weight", async () => {
  const loud: Voter = { name: "c", say: () => ({ label: "dog", weight: 1_000 }) };
  const { ask } = await setupBallots(["a", "b", loud]);
  const { verdict } = await ask(answersOf({ label: "cat" }, { label: "cat" }), {
    seats: 3,
    strategy: "weighted",
    pointer: "/label",
  });
  expect(verdict).toMatchObject({ value: "cat" });
  expect(new Set(verdict?.seats.map(({ weight }) => weight)).size).toBe(1);
});

it("each seat of a panel gets an agent with the seat's own capability", async () => {
  const finder = (name: string, findings: string[]): Voter => ({
    name,
    capability: name,
    say: () => ({ findings, note: `by ${name}` }),
  });
  const { tasks } = await setupBallots([
    finder("spelling", ["a", "b"]),
    finder("grammar", ["b"]),
    finder("style", ["b", "c"]),
  ]);
  const panel = ["style", "spelling", "grammar"];
  const result = await tasks.run({
    capability: "style",
    ballot: {
      seats: 3,
      panel,
      strategy: "merge",
      pointer: "/findings",
      calibration: { intercept: 0, slope: 1, cells: [[3, 3, 36, 36]] },
    },
  });
  expect(result.status).toBe("completed");
  expect(result.verdict?.seats.map(({ agent }) => agent.replace(/-.*/, ""))).toEqual(panel);
  expect(result.output).toMatchObject([
    { finding: "b", seats: [1, 2, 3], agreement: 1, confidence: expect.closeTo(0.9875, 6) },
    { finding: "a", seats: [2], confidence: expect.closeTo(0.375, 6) },
    { finding: "c", seats: [1] },
  ]);
  const whole = await tasks.result(result.verdict?.seats[1]?.taskId ?? "");
  expect(whole.output).toEqual({ findings: ["a", "b"], note: "by spelling" });
});

it("a panel with a vacant seat ends with no quorum and names the missing capability", async () => {
  const { tasks } = await setupBallots([{ name: "style", capability: "style", say: () => ["a"] }]);
  const { error, verdict } = await tasks.run({
    capability: "style",
    ballot: { seats: 2, panel: ["grammar", "style"], strategy: "merge", timeoutMs: 700 },
  });
  expect(error?.code).toBe("no_quorum");
  expect(verdict?.reason).toContain("1 of 2 agents for the panel (none for grammar)");
  expect(verdict?.seats[0]).toMatchObject({ seat: 1, agent: "-" });
});
