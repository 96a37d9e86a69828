// Ballots from hand-in to verdict: real agents, hosts and office, over the transport in memory.
import { expect, it, onTestFinished, vi } from "vitest";
import { type BallotInput, encode, type SeatQuestion, type Task } from "../../../src/protocol/index.ts";
import { resultOf, setupBallots, store, type Voter } from "../ballots/swarm.ts";
import { SOON } from "../support.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g"];
const FIVE = NAMES.slice(0, 5);
/** What `a`, `b`, … say. */
const says = (...values: unknown[]) =>
  Object.fromEntries(values.map((value, index) => [NAMES[index], value]));

it.each<{ what: string; ballot: BallotInput; said: unknown[]; verdict: object; output?: unknown }>([
  {
    what: "first takes the first answer to arrive",
    ballot: { seats: 5, strategy: "first" },
    said: ["cat", "cat", "cat", "cat", "cat"],
    verdict: { outcome: "decided", value: "cat", decidedBy: "early" },
    output: "cat",
  },
  {
    what: "majority takes what most of the seats say, and hands on a winning seat's whole output",
    ballot: {
      seats: 5,
      strategy: "majority",
      pointer: "/label",
      normalise: { trim: true, ignoreCase: true },
    },
    said: [{ label: "Cat " }, { label: "cat" }, { label: "dog" }, { label: "CAT" }, { label: "dog" }],
    verdict: { outcome: "decided", value: "cat" },
    output: { label: expect.stringMatching(/^cat ?$/i) },
  },
  {
    what: "weighted counts agents that nobody knows alike",
    ballot: { seats: 5, strategy: "weighted" },
    said: ["cat", "cat", "dog", "cat", "dog"],
    verdict: { outcome: "decided", value: "cat" },
  },
  {
    what: "quorum takes enough equal answers, if no other value has as many",
    ballot: { seats: 5, strategy: "quorum", quorum: 2 },
    said: ["cat", "dog", "cat", "cow", "hen"],
    verdict: { outcome: "decided", value: "cat", agreement: 0.4 },
  },
  {
    what: "unanimous needs everybody",
    ballot: { seats: 5, strategy: "unanimous" },
    said: ["cat", "cat", "cat", "cat", "cat"],
    verdict: { outcome: "decided", value: "cat", agreement: 1 },
  },
  {
    what: "ranked by Condorcet is a tie where a circle has no weakest majority",
    ballot: { seats: 5, strategy: "ranked" },
    said: [
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
    what: "ranked by Condorcet breaks a circle at its weakest majority",
    ballot: { seats: 7, strategy: "ranked" },
    // x beats y by 5 of 7, y beats z by 5, z beats x by only 4.
    said: [
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
    what: "ranked by Borda adds places up",
    ballot: { seats: 5, strategy: "ranked", ranking: "borda" },
    said: [
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
    what: "mean tells one number and how far the answers lie apart",
    ballot: { seats: 5, strategy: "mean" },
    said: [1, 2, 3, 4, 10],
    verdict: { outcome: "decided", value: 4, spread: { min: 1, max: 10 } },
    output: 4,
  },
  {
    what: "median is not moved by one wild answer",
    ballot: { seats: 5, strategy: "median", minAnswers: 5 },
    said: [1, 2, 3, 4, 1_000],
    verdict: { outcome: "decided", value: 3 },
  },
  {
    what: "trimmed cuts off both ends",
    ballot: { seats: 5, strategy: "trimmed", trim: 0.2 },
    said: [-1_000, 2, 3, 4, 1_000],
    verdict: { outcome: "decided", value: 3 },
  },
  {
    what: "merge puts findings together by their key and tells who reports each",
    ballot: { seats: 5, strategy: "merge", key: ["/file", "/line"], quorum: 2 },
    said: [
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
    what: "bft takes what four of five sign",
    ballot: { seats: 5, strategy: "bft" },
    said: ["cat", "cat", "cat", "cat", "dog"],
    verdict: { outcome: "decided", value: "cat" },
  },
  {
    what: "two values that share the top are a tie",
    ballot: { seats: 5, strategy: "quorum", quorum: 2 },
    said: ["cat", "dog", "cat", "dog", "hen"],
    verdict: { outcome: "tie", seats: expect.arrayContaining([expect.objectContaining({ value: "hen" })]) },
  },
  {
    what: "too few equal answers are no quorum",
    ballot: { seats: 5, strategy: "majority" },
    said: ["cat", "dog", "cow", "hen", "cat"],
    verdict: { outcome: "no_quorum" },
  },
  {
    what: "too few answers are no quorum, whoever agrees",
    ballot: { seats: 5, strategy: "quorum", quorum: 2, minAnswers: 4 },
    said: ["cat", "cat", null, { fail: "no idea" }, "cat"],
    verdict: {
      outcome: "no_quorum",
      abstained: 2,
      seats: expect.arrayContaining([
        expect.objectContaining({ abstained: "answered null" }),
        expect.objectContaining({ abstained: "internal: no idea" }),
      ]),
    },
  },
])("$what", async ({ ballot, said, verdict, output }) => {
  const { ask } = await setupBallots(NAMES.slice(0, ballot.seats));
  const result = await ask(says(...said), ballot);
  const { outcome } = result.verdict ?? {};
  expect(result.verdict).toMatchObject({ strategy: ballot.strategy, ...verdict });
  expect(result.status).toBe(outcome === "decided" ? "completed" : "failed");
  if (outcome !== "decided") expect(result).toMatchObject({ error: { code: outcome, retryable: false } });
  if (output !== undefined) expect(result.output).toEqual(output);
});

it.each<{ what: string; ballot: Partial<BallotInput>; advice: unknown; verdict: object }>([
  {
    what: "a judge chooses among the candidates, and may say why",
    ballot: { strategy: "judge", judge: "referee" },
    advice: { choice: 2, reason: "dogs bark" },
    verdict: { outcome: "decided", value: "dog", decidedBy: "judge", reason: "dogs bark" },
  },
  {
    what: "a judge that answers nonsense decides nothing, and the verdict tells what was expected of it",
    ballot: { strategy: "judge", judge: "referee" },
    advice: "the best one",
    verdict: { outcome: "no_quorum", decidedBy: "judge", reason: expect.stringContaining("{ choice:") },
  },
  {
    what: "a judge may be asked only when the seats do not agree",
    ballot: { strategy: "majority", onDisagreement: "judge", judge: "referee" },
    advice: { choice: 1 },
    verdict: { outcome: "decided", value: "cat", decidedBy: "judge" },
  },
  {
    what: "a verifier lets pass what holds",
    ballot: { strategy: "verifier", verifier: "referee" },
    advice: { passed: [3], reason: "counted the legs" },
    verdict: { outcome: "decided", value: "hen", decidedBy: "verifier" },
  },
  {
    what: "a verifier that passes nothing leaves no quorum",
    ballot: { strategy: "verifier", verifier: "referee" },
    advice: { passed: [] },
    verdict: { outcome: "no_quorum", decidedBy: "verifier" },
  },
])("$what", async ({ ballot, advice, verdict }) => {
  const referee: Voter = { name: "referee", capability: "referee", say: () => advice };
  const { ask } = await setupBallots([...FIVE, referee]);
  const result = await ask(says("cat", "dog", "hen", "dog", "cat"), { seats: 5, ...ballot } as BallotInput);
  expect(result.verdict).toMatchObject(verdict);
});

it("takes the plurality where the ballot says so, if one value is the most common", async () => {
  const { ask } = await setupBallots(FIVE);
  const ballot = { seats: 5, strategy: "majority", onDisagreement: "plurality" } as const;
  const clear = await ask(says("cat", "dog", "hen", "cat", "cow"), ballot);
  expect(clear.verdict).toMatchObject({ outcome: "decided", value: "cat", decidedBy: "plurality" });
  const even = await ask(says("cat", "dog", "hen", "cat", "dog"), ballot);
  expect(even.verdict).toMatchObject({ outcome: "tie" });
});

it("debates where the ballot says so: in the next round each sees what the others said", async () => {
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
  const { verdict } = await ask(says("cat", "cat", "dog", "hen"), ballot);
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat", rounds: 2, messages: 10, hops: 2 });
  expect(asked.map(({ round, rounds, answers }) => [round, rounds, answers.length])).toEqual([
    [1, 3, 0],
    [2, 3, 4],
  ]);
});

it("waits for a person who decides, and says so in the verdict", async () => {
  const { tasks, show, office } = await setupBallots(FIVE);
  const ballot = { seats: 5, strategy: "majority", onDisagreement: "human" } as const;
  const input = says("cat", "dog", "cow", "hen", "cat");
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

const told = (question: Task["question"]) => (question as SeatQuestion).answers.map(({ value }) => value);
/** Each of five says its seat and what it was shown. */
const PARROTS: Voter[] = FIVE.map((name) => ({
  name,
  say: ({ question }) => ({ seat: (question as SeatQuestion).seat, told: told(question) }),
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
])("in a $topology shows each seat the answers that it may see, and no others", async (given) => {
  const { topology, more, lines, cost } = given;
  const { ask } = await setupBallots(PARROTS);
  // Nobody agrees, so that everybody is asked and heard to the end.
  const ballot = { seats: 5, strategy: "unanimous", onDisagreement: "plurality", topology, ...more };
  const { verdict } = await ask(null, ballot as BallotInput);
  expect(verdict).toMatchObject({ topology, ...cost });
  const seen = verdict?.seats.map(({ seat, value }) => [
    seat,
    ((value as { told?: { seat: number }[] }).told ?? []).map((other) => other.seat),
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
  "asks nobody beyond its budget of $budget, and says so in the verdict",
  async ({ budget, topology, stopped }) => {
    const { ask } = await setupBallots(PARROTS);
    const { verdict } = await ask(null, { seats: 5, strategy: "majority", topology, rounds: 4, budget });
    expect(verdict).toMatchObject({ outcome: "tie", ...stopped });
  },
);

it("starts no further round once the cost of an answer is not known, where money is limited", async () => {
  const { ask, transport, subjects } = await setupBallots([
    "a",
    "b",
    "c",
    { name: "d", say: () => new Promise(() => {}) },
  ]);
  // Agents tell of money by the `usage` of their results; here a client in another language does.
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.>`, ({ subject }) => {
    const taskId = subject.slice(subject.lastIndexOf(".") + 1);
    if (!subject.includes(".d-")) return;
    const [, , , agent, scope] = subject.split(".") as [string, string, string, string, string];
    void store(transport, subjects.result("classify", scope, taskId), {
      ...resultOf(taskId, agent, "hen"),
      usage: { inputTokens: 100, outputTokens: 10, costUsd: null },
    });
  });
  onTestFinished(() => tap.close());
  const { verdict } = await ask(says("cat", "dog", "cow"), {
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

it("takes no answer from an agent that was not asked", async () => {
  const { promise: freed, resolve: free } = Promise.withResolvers<void>();
  const slow: Voter = { name: "c", say: () => freed.then(() => "cat") };
  const { ask, leader, transport, subjects, agentOf } = await setupBallots(["a", "b", slow]);
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.*.${agentOf("c")}.>`, ({ subject }) => {
    const [scope, taskId] = subject.split(".").slice(-2) as [string, string];
    void store(
      transport,
      subjects.result("classify", scope, taskId),
      resultOf(taskId, "mallory", "dog"),
    ).then(() => free());
  });
  onTestFinished(() => tap.close());
  const { verdict } = await ask(says("cat", "dog"), { seats: 3, strategy: "majority" });
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

it("waits for more agents, tells what for, and opens when they come", async () => {
  const { ask, host, show } = await setupBallots(["a", "b"]);
  const verdict = ask(says("cat", "cat", "cat"), { seats: 3, strategy: "majority" }, { id: "b1" });
  await vi.waitFor(
    () => expect(show("b1")).rejects.toThrow("not open yet: 2 of 3 agents for classify are there"),
    SOON,
  );
  await host(["c"]);
  expect(await verdict).toMatchObject({ verdict: { outcome: "decided", value: "cat" } });
});

it("ends with no quorum when too few agents come in time, without asking any", async () => {
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
    const { verdict } = await ask(says("cat", "cat"), { seats, strategy: "unanimous", diversity, timeoutMs });
    expect(verdict).toMatchObject({ outcome });
  },
);

it("stops those who still think when it is decided, or its time is over", async () => {
  const stopped: string[] = [];
  const thinking: Voter[] = ["d", "e"].map((name) => ({
    name,
    say: (_task, { signal }) => new Promise(() => signal.addEventListener("abort", () => stopped.push(name))),
  }));
  const { ask } = await setupBallots(["a", "b", "c", ...thinking]);
  const early = await ask(says("cat", "cat", "cat"), { seats: 5, strategy: "majority" });
  expect(early.verdict).toMatchObject({ outcome: "decided", value: "cat", decidedBy: "quorum" });
  await vi.waitFor(() => expect(stopped.sort()).toEqual(["d", "e"]), SOON);
  const late = await ask(says("cat", "dog", "cow"), { seats: 5, strategy: "majority", timeoutMs: 1_000 });
  expect(late).toMatchObject({ status: "failed", verdict: { decidedBy: "timeout" } });
  await vi.waitFor(() => expect(stopped.sort()).toEqual(["d", "d", "e", "e"]), SOON);
});

it("is cancelled with its task: the seats stop, and the verdict names the reason", async () => {
  const stopped: string[] = [];
  const thinking: Voter[] = FIVE.map((name) => ({
    name,
    say: (_task, { signal }) => new Promise(() => signal.addEventListener("abort", () => stopped.push(name))),
  }));
  const { tasks, show } = await setupBallots(thinking);
  await tasks.submit({ id: "b1", capability: "classify", ballot: { seats: 5, strategy: "majority" } });
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "asking" }), SOON);
  expect(await tasks.status("b1")).toMatchObject({ state: "running", progress: 0 });
  await tasks.cancel("b1");
  expect(await tasks.status("b1")).toMatchObject({ state: "cancelled" });
  await vi.waitFor(() => expect(stopped.sort()).toEqual(FIVE), SOON);
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "cancelled" }), SOON);
});

// What is wrong with a ballot itself: refused before anything is published, or, published by a program that checks
// nothing, the task's end.
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

it("with a mistake in the ballot is refused before anything is published", async () => {
  const { tasks } = await setupBallots([]);
  for (const [what, ballot, field] of WRONG) {
    const task = { capability: "classify", ballot } as never;
    await expect(tasks.submit(task), what).rejects.toMatchObject({ code: "invalid_input", field });
  }
});

it("with a mistake in the ballot ends as failed when a program published it unchecked", async () => {
  const { publishRaw } = await setupBallots(["a"]);
  const results = await Promise.all(
    WRONG.map(([, ballot]) => publishRaw({ capability: "classify", ballot })),
  );
  expect(results.at(-2)?.error?.message).toBe('task: ballot: must be an object, got "three"');
  expect(results.map(({ status, error }) => [status, error?.code, error?.field])).toEqual(
    WRONG.map(([, , field]) => ["failed", "invalid_input", field]),
  );
});

it.each<{ what: string; said: unknown; ballot: Partial<BallotInput>; reason: string }>([
  {
    what: "points to nothing",
    said: { name: "cat" },
    ballot: { pointer: "/label" },
    reason: "nothing at the pointer /label",
  },
  {
    what: "is of another type",
    said: 7,
    ballot: { type: "string" },
    reason: "expected a value of type string, got number",
  },
  { what: "is not a number", said: Number.NaN, ballot: {}, reason: "answered null" },
  { what: "is nothing", said: undefined, ballot: {}, reason: "no output" },
  { what: "is huge", said: "x".repeat(100_000), ballot: {}, reason: "larger than" },
  { what: "holds half a character", said: "\ud800", ballot: {}, reason: "surrogate" },
])("is an abstention, with its reason, of a seat whose answer $what", async ({ said, ballot, reason }) => {
  const odd: Voter = { name: "c", say: () => said };
  const { ask, agentOf } = await setupBallots(["a", "b", odd]);
  const good = ballot.pointer === undefined ? "cat" : { label: "cat" };
  const { verdict } = await ask(says(good, good), {
    seats: 3,
    strategy: "unanimous",
    minAnswers: 2,
    ...ballot,
  });
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat", abstained: 1 });
  expect(verdict?.seats.find(({ agent }) => agent === agentOf("c"))?.abstained).toContain(reason);
});

it("is an abstention of a seat for which a program in another language writes what JSON cannot say", async () => {
  const { ask, transport, subjects, agentOf } = await setupBallots([
    "a",
    "b",
    { name: "c", say: () => new Promise(() => {}) },
  ]);
  const agent = agentOf("c");
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.*.${agent}.>`, ({ subject }) => {
    const [scope, taskId] = subject.split(".").slice(-2) as [string, string];
    const result = encode(resultOf(taskId, agent, Number.NaN), "msgpack");
    const headers = { "Content-Type": "application/msgpack" };
    void transport.log("results").append(subjects.result("classify", scope, taskId), result, { headers });
  });
  onTestFinished(() => tap.close());
  const { verdict } = await ask(says(1, 3), { seats: 3, strategy: "mean" });
  expect(verdict).toMatchObject({ outcome: "decided", value: 2, abstained: 1 });
  expect(verdict?.seats.find((seat) => seat.agent === agent)?.abstained).toContain("NaN");
});

it("does not hold a seat's weight against what its answer says of it", async () => {
  const loud: Voter = { name: "c", say: () => ({ label: "dog", weight: 1_000 }) };
  const { ask } = await setupBallots(["a", "b", loud]);
  const { verdict } = await ask(says({ label: "cat" }, { label: "cat" }), {
    seats: 3,
    strategy: "weighted",
    pointer: "/label",
  });
  expect(verdict).toMatchObject({ value: "cat" });
  expect(new Set(verdict?.seats.map(({ weight }) => weight)).size).toBe(1);
});

it("seats a panel: each seat an agent that offers what the seat asks for", async () => {
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

it("ends a panel in which a seat stays empty, and says whom it lacked", async () => {
  const { tasks } = await setupBallots([{ name: "style", capability: "style", say: () => ["a"] }]);
  const { error, verdict } = await tasks.run({
    capability: "style",
    ballot: { seats: 2, panel: ["grammar", "style"], strategy: "merge", timeoutMs: 700 },
  });
  expect(error?.code).toBe("no_quorum");
  expect(verdict?.reason).toContain("1 of 2 agents for the panel (none for grammar)");
  expect(verdict?.seats[0]).toMatchObject({ seat: 1, agent: "-" });
});
