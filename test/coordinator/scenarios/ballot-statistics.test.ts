// The lessons that the office learns from ballots: real agents, a real runner and log, over the transport in memory.
import { expect, it, onTestFinished, vi } from "vitest";
import { createHost, defineAgent } from "../../../src/agent/index.ts";
import { createMeter, newInstanceId, silentLogger, utf8Text } from "../../../src/base/index.ts";
import type { Ballot } from "../../../src/consensus/index.ts";
import type { OpenBallot } from "../../../src/coordinator/ballots/state/ballots.ts";
import { reducers } from "../../../src/coordinator/state.ts";
import type { BallotInput, Result } from "../../../src/protocol/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import { SOON, setupOffice } from "../support.ts";

type Turn = PromiseWithResolvers<unknown>;
/** Answers that the test gives later, by agent. */
type Turns = Readonly<Record<string, Promise<unknown>>>;

/** An agent that takes its answer from the input, by its name, or from the test. */
const agentNamed = (name: string, turns: Turns) =>
  defineAgent({
    name,
    capabilities: ["classify"],
    model: `model-of-${name[0]}`,
    run: ({ input }) => turns[name] ?? (input as Record<string, unknown>)[name] ?? null,
  });

async function setupBallots(names: readonly string[], turns: Turns = {}) {
  const swarm = await setupOffice();
  const leader = await swarm.start("c1", ["c1"]);
  await vi.waitFor(() => expect(leader.office.tenure).not.toBeNull(), SOON);
  const transport = await swarm.connect();
  const shared = { transport, meter: createMeter(), log: silentLogger, hostId: newInstanceId("test") };
  const host = createHost({
    ...shared,
    role: "test",
    version: "1.0.0",
    roles: names.map((name) => ({ definition: agentNamed(name, turns) })),
  });
  const worker = createWorker({ ...shared, workforce: host.workforce, capabilities: host.capabilities });
  await host.service.start();
  await worker.start();
  const tasks = createTaskClient({ transport: await swarm.connect(), meter: createMeter() });
  onTestFinished(async () => {
    tasks.close();
    await worker.stop();
    await host.service.stop();
  });
  await vi.waitFor(() => expect(leader.office.state.registry.members.size).toBe(names.length), SOON);

  const office = swarm.client;
  return {
    ...swarm,
    leader,
    /** Runs a ballot; each agent answers with its entry in `answers`. */
    async ask(answers: Record<string, unknown>, ballot: Partial<BallotInput> = {}): Promise<Result> {
      const spec = {
        seats: names.length,
        strategy: "weighted",
        minAnswers: names.length,
        ...ballot,
      } as BallotInput;
      const result = await tasks.run(
        { capability: "classify", input: answers, ballot: spec },
        { timeoutMs: 10_000 },
      );
      const { ended } = leader.office.state.ballots;
      await vi.waitFor(() => expect(ended.has(result.taskId)).toBe(true), SOON);
      return result;
    },
    correct: (id: string, value: unknown, key = crypto.randomUUID()) =>
      office.read("ballot-correct", { id, key, value }),
    show: (id: string) => office.read("ballot", { id }),
    lessons: () => leader.office.state.ballots.lessons.get("classify"),
  };
}

const WRONG = { bad1: "dog", bad2: "dog", bad3: "dog", good1: "cat", good2: "cat" };
const FIVE = Object.keys(WRONG);

it("the votes of agents that were right before weigh more, until they overturn a majority of bad agents", async () => {
  const { ask, correct, show } = await setupBallots(FIVE);
  const first = await ask(WRONG);
  expect(first).toMatchObject({ output: "dog", verdict: { value: "dog", agreement: 0.6 } });
  const weights = new Set(first.verdict?.seats.map(({ weight }) => weight.toFixed(6)));
  expect(weights).toEqual(new Set([Math.log(7 / 3).toFixed(6)]));
  expect((await show(first.taskId)).statistics).toMatchObject({ cases: 0, effectiveVoters: null });

  for (let round = 0; round < 10; round += 1) {
    const { taskId } = round === 0 ? first : await ask(WRONG);
    expect(await correct(taskId, "cat")).toMatchObject({ corrected: true, isCounted: true });
  }
  const last = await ask(WRONG);
  expect(last).toMatchObject({ output: "cat", verdict: { value: "cat", agreement: 0.4 } });
  const { statistics } = await show(last.taskId);
  expect(statistics.cases).toBe(10);
  for (const { voter, accuracy, cases, expected, weight } of statistics.agents) {
    const isGood = voter.startsWith("good");
    expect(accuracy?.rate).toBe(isGood ? 1 : 0);
    expect(cases).toBe(10);
    expect(expected).toBeCloseTo(isGood ? 17 / 20 : 7 / 20, 10);
    expect(weight).toBeCloseTo(isGood ? Math.log(17 / 3) : 0, 10);
  }
  expect(statistics.models).toContainEqual(expect.objectContaining({ model: "model-of-b", cases: 30 }));
});

it("a weight in a task is rejected, and a weight in an answer is ignored", async () => {
  const { ask } = await setupBallots(FIVE);
  const boast = { value: "cat", weight: 1_000 };
  const result = await ask({ ...WRONG, good1: boast, good2: boast }, { minAnswers: 5 });
  expect(result).toMatchObject({ output: "dog" });
  const weights = { ...({ weights: { 1: 9 } } as object) };
  await expect(ask(WRONG, weights)).rejects.toMatchObject({ code: "invalid_input" });
});

it("a correction counts once, and a different one replaces it", async () => {
  const { ask, correct, lessons } = await setupBallots(FIVE);
  const { taskId } = await ask(WRONG);
  const before = lessons();
  expect(await correct(taskId, "dog")).toMatchObject({ wasRight: true });
  const once = lessons();
  await correct(taskId, "dog");
  expect(lessons()).toEqual(once);
  expect(await correct(taskId, "cat")).toMatchObject({ wasRight: false });
  expect(lessons()?.voters.voters).toMatchObject({
    "good1/model-of-g": { right: 1, total: 1 },
    "bad1/model-of-b": { right: 0, total: 1 },
  });
  await correct(taskId, "dog");
  expect(lessons()).toEqual(once);
  expect(before?.voters.cases).toBe(0);
});

it("a correction is read by the same rules as an answer, and an impossible one is rejected", async () => {
  const { ask, correct } = await setupBallots(FIVE);
  const spelt = await ask(WRONG, { normalise: { trim: true, ignoreCase: true } });
  expect(await correct(spelt.taskId, " Dog ")).toMatchObject({ wasRight: true });
  await expect(correct(spelt.taskId, null)).rejects.toMatchObject({ code: "invalid_input", field: "value" });
  await expect(correct("nowhere", "dog")).rejects.toMatchObject({ code: "not_found" });

  const numbers = { bad1: 90, bad2: 103, bad3: 99, good1: 100, good2: 101 };
  const mean = await ask(numbers, { strategy: "median" });
  expect(mean.output).toBe(100);
  expect(await correct(mean.taskId, 102)).toMatchObject({ wasRight: true });
  await expect(correct(mean.taskId, "many")).rejects.toMatchObject({ code: "invalid_input" });

  const ranked = await ask(Object.fromEntries(FIVE.map((name) => [name, ["cat", "dog"]])), {
    strategy: "ranked",
  });
  expect(await correct(ranked.taskId, "cat")).toMatchObject({ wasRight: true });

  const merged = await ask(Object.fromEntries(FIVE.map((name) => [name, ["a"]])), { strategy: "merge" });
  await expect(correct(merged.taskId, ["a"])).rejects.toMatchObject({ code: "conflict" });
});

it("a ballot with a known right answer is judged at its end, and no seat sees that answer", async () => {
  const { ask, lessons, correct, transport } = await setupBallots(FIVE);
  const seen: string[] = [];
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.>`, ({ data }) => {
    seen.push(utf8Text(data));
  });
  onTestFinished(() => tap.close());
  const { taskId } = await ask(WRONG, { truth: "cat" });
  expect(lessons()?.voters.voters).toMatchObject({
    "good1/model-of-g": { right: 1, total: 1 },
    "bad1/model-of-b": { right: 0, total: 1 },
  });
  expect(seen).toHaveLength(5);
  expect(seen.filter((body) => body.includes("truth"))).toEqual([]);
  await correct(taskId, "dog");
  expect(lessons()?.voters.voters).toMatchObject({ "bad1/model-of-b": { right: 1, total: 1 } });
  await expect(ask(WRONG, { truth: null })).rejects.toMatchObject({ field: "ballot.truth" });
  await expect(ask(WRONG, { strategy: "mean", truth: "x" })).rejects.toMatchObject({ field: "ballot.truth" });
});

it("the sums of ballots against one agent survive a snapshot", async () => {
  const { ask, show, leader } = await setupBallots(FIVE);
  const { taskId } = await ask(WRONG, { truth: "dog" });
  await ask(WRONG);
  await ask(
    { ...WRONG, bad1: null, good2: null, good1: null },
    { strategy: "majority", minAnswers: 5 },
  ).catch(() => {});
  const { statistics } = await show(taskId);
  expect(statistics.single).toMatchObject({ ballots: 2, decided: 2, compared: 2, finding: null });
  expect(statistics.single?.agreement).toBeCloseTo(0.6, 10);
  expect(statistics.single?.judged).toMatchObject({ cases: 1, ballotAccuracy: 1 });
  const { ballots } = leader.office.state;
  const json = JSON.parse(JSON.stringify(reducers.ballots.toJson(ballots)));
  expect(reducers.ballots.fromJson(json).lessons).toEqual(ballots.lessons);
});

it("the comparison with one agent, and the pairs, use only answers that the ballot hears in any case", async () => {
  const turns = { a: Promise.withResolvers(), b: Promise.withResolvers(), c: Promise.withResolvers() };
  const promises = Object.fromEntries(Object.entries(turns).map(([name, { promise }]) => [name, promise]));
  const { ask, show, leader, lessons } = await setupBallots(Object.keys(turns), promises);
  const asked = ask({}, { strategy: "majority", minAnswers: 2, truth: "cat" });
  const { ballots, registry } = leader.office.state;
  await vi.waitFor(() => expect(ballots.open.size).toBe(1), SOON);
  const [{ id, core }] = [...ballots.open.values()] as [OpenBallot];
  const [control, second, third] = (JSON.parse(core as string) as Ballot).seats.map(
    ({ agent }) => turns[registry.members.get(agent)?.profile.role as keyof typeof turns],
  ) as [Turn, Turn, Turn];
  second.resolve("dog");
  third.resolve("cat");
  await vi.waitFor(async () => expect((await show(id)).answered).toBe(2), SOON);
  expect((await show(id)).spec).not.toHaveProperty("truth");
  control.resolve("cat"); // the ballot hears it only because the others differ
  expect(await asked).toMatchObject({ output: "cat", verdict: { single: { seat: 1, agrees: true } } });
  expect(lessons()?.ballots.majority).toMatchObject({ ballots: 1, compared: 0, bothRight: 0 });
  const { pairs, agents } = lessons()!.voters;
  expect(Object.values(pairs)).toHaveLength(1);
  expect(Object.values(agents).map(({ right }) => right)).toHaveLength(3);
});

it("the verdict gives the number of effective voters once their errors are known", async () => {
  const { ask, show } = await setupBallots(["a", "b", "c"]);
  const answerOf = (index: number) => (index % 2 === 0 ? "cat" : "dog");
  for (let index = 0; index < 20; index += 1) {
    const answer = answerOf(index);
    const { verdict } = await ask(
      { a: answer, b: answer, c: answer },
      { strategy: "majority", truth: "cat" },
    );
    expect(verdict?.effectiveVoters).toBeNull();
  }
  const { taskId, verdict } = await ask({ a: "cat", b: "cat", c: "cat" }, { strategy: "majority" });
  expect(verdict?.effectiveVoters).toBe(1);
  const { statistics } = await show(taskId);
  expect(statistics).toMatchObject({ cases: 20, effectiveVoters: 1, meanCorrelation: 1 });
  expect(statistics.correlations).toContainEqual({
    voters: ["a/model-of-a", "b/model-of-b"],
    correlation: 1,
  });
});

it("ballots are counted in the metrics", async () => {
  const { ask, leader } = await setupBallots(FIVE);
  await ask(WRONG);
  await ask(WRONG, { strategy: "unanimous" }).catch(() => undefined);
  const text = await leader.meter.registry.metrics();
  expect(text).toContain('murmur_ballots_total{strategy="weighted",outcome="decided"} 1');
  expect(text).toContain('murmur_ballots_total{strategy="unanimous",outcome="no_quorum"} 1');
  expect(text).toContain("murmur_ballot_seconds_count 2");
  expect(text).toContain("murmur_ballot_agreement_ratio_count 2");
  expect(text).toContain('murmur_ballot_agreement_ratio_bucket{le="0.6"} 2');
});
