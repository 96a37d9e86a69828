// Signed votes over a real server: agents that lie in every way, and the fate of their votes.
import { randomBytes } from "node:crypto";
import { expect, it, onTestFinished, vi } from "vitest";
import type { VotePort } from "../../../src/agent/index.ts";
import { utf8Text } from "../../../src/base/index.ts";
import { hashValue, signVote, voteKeyOf } from "../../../src/consensus/index.ts";
import type { Evidence, Json, SeatQuestion, SignedVote, Task, Verdict } from "../../../src/protocol/index.ts";
import { resultOf, setupBallots, store } from "../ballots/swarm.ts";
import { SOON } from "../support.ts";

/** Makes the signed vote of a lying agent; undefined for no vote. */
type Lie = (question: SeatQuestion & { nonce: string }, sign: Sign) => SignedVote | undefined;
type Sign = (fields: Partial<Omit<SignedVote, "signature">> & { value?: Json }) => SignedVote;

/** Vote keys that sign as `lie` says, and a function that signs other votes for the test. */
function liar(lie: Lie) {
  const seed = randomBytes(32);
  const { privateKey, publicKey } = voteKeyOf(seed);
  const signFor =
    (question: SeatQuestion & { nonce: string }): Sign =>
    ({ value, ...fields }) => {
      const { ballot, round, nonce, seat } = question;
      const hash = hashValue(value ?? null);
      return signVote({ ballot, round, nonce, seat, hash, ...fields }, privateKey);
    };
  const votes: VotePort = {
    createKey: () => ({
      publicKey,
      sign(question) {
        if (question.nonce === undefined) return undefined;
        const signed = { ...question, nonce: question.nonce };
        return lie(signed, signFor(signed));
      },
    }),
  };
  return { votes, signFor };
}

const seatOf = (verdict: Verdict | undefined, agent: string) =>
  verdict?.seats.find((seat) => seat.agent === agent);

it("a bft ballot decides for the honest value despite a wrong value, a forged signature and a replayed vote", async () => {
  let gate = Promise.withResolvers<void>();
  const patient = ["a", "b", "c", "d", "e", "f", "g"].map((name) => ({
    name,
    say: () => gate.promise.then(() => "cat"),
  }));
  const { ask, host, agentOf, evidence } = await setupBallots(patient, { nats: true });
  let old: SignedVote | undefined;
  const says = (name: string) => [{ name, say: () => "dog" }];
  const stranger = voteKeyOf(randomBytes(32)).privateKey;
  await host(says("wrong"), liar((_question, sign) => sign({ value: "dog" })).votes);
  await host(
    says("forger"),
    liar(({ ballot, round, nonce, seat }) =>
      signVote({ ballot, round, nonce, seat, hash: hashValue("dog") }, stranger),
    ).votes,
  );
  await host(
    says("replayer"),
    liar((_question, sign) => {
      old ??= sign({ value: "dog" });
      return old;
    }).votes,
  );
  // The honest agents answer last, after every lie. In the first ballot the replayer's vote is genuine.
  for (const lies of [["forged forger"], ["forged forger", "replayed replayer"]]) {
    evidence.length = 0;
    gate = Promise.withResolvers();
    const answer = ask(null, { seats: 10, strategy: "bft" });
    await vi.waitFor(() => expect(evidence).toHaveLength(lies.length), SOON);
    await vi.waitFor(() => expect(old).toBeDefined(), SOON); // the replayer has a vote to replay in the next ballot
    gate.resolve();
    const { verdict } = await answer;
    expect(verdict).toMatchObject({ outcome: "decided", value: "cat", agreement: 0.7 });
    const kept = verdict?.evidence ?? [];
    expect(kept.map(({ kind, agent }) => `${kind} ${agent?.split("-")[0]}`).sort()).toEqual(lies);
    expect(evidence).toEqual(kept);
    expect(seatOf(verdict, agentOf("a"))?.signature).toMatch(/^[A-Za-z0-9_-]{86}$/);
  }
});

it("the office keeps both votes of an equivocator, counts neither, marks the agent, and seats it no more", async () => {
  const gate = Promise.withResolvers<void>();
  const waiting = ["a", "b", "c"].map((name) => ({ name, say: () => gate.promise.then(() => "cat") }));
  const { ask, host, leader, agentOf, evidence, office, subjects, transport, show } = await setupBallots(
    waiting,
    { nats: true },
  );
  const asked = Promise.withResolvers<{ question: SeatQuestion; sign: Sign }>();
  await host(
    [{ name: "liar", say: () => "cat" }],
    liar((question, sign) => {
      asked.resolve({ question, sign });
      return sign({ value: "cat" });
    }).votes,
  );
  const answer = ask(null, { seats: 4, strategy: "bft" }, { id: "b1" });
  const { question, sign } = await asked.promise;
  const taskId = `b1-r1s${question.seat}`;
  const subject = subjects.result("classify", "b1", taskId);
  // The server stores the first vote and rejects the second, but the coordinator sees both.
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ answered: 1 }), SOON);
  const second = { ...resultOf(taskId, agentOf("liar"), "dog"), vote: sign({ value: "dog" }) };
  expect(await store(transport, subject, second)).toBe(false);
  await vi.waitFor(() => expect(evidence).toHaveLength(1), SOON);
  expect(await show("b1")).toMatchObject({ evidence: [{ kind: "double", agent: agentOf("liar") }] });
  gate.resolve();
  const { verdict } = await answer;
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat", agreement: 0.75, evidence });
  expect(seatOf(verdict, agentOf("liar"))).toMatchObject({
    abstained: "signed two different values in one round",
  });
  expect(evidence[0]?.votes.map(({ hash }) => hash)).toEqual([hashValue("cat"), hashValue("dog")]);
  const { at: _at, ...noted } = evidence[0] as Evidence;
  expect(leader.notes.filter(({ kind }) => !kind.startsWith("office"))).toMatchObject([
    { kind: "vote-refused", facts: { ballot: "b1", capability: "classify", evidence: noted } },
    { kind: "agent-marked", facts: { ballot: "b1", agent: agentOf("liar") } },
  ]);
  expect(await office.read("agent", { agent: agentOf("liar") })).toMatchObject({ equivocations: 1 });
  expect(await office.read("agent", { agent: agentOf("a") })).toMatchObject({ equivocations: 0 });
  const after = await ask(null, { seats: 4, strategy: "bft", timeoutMs: 300 });
  expect(after.error?.message).toContain("only 3 of 4 agents for classify that sign votes");
});

it("a forged result in a seat's name does not silence the seat", async () => {
  const gate = Promise.withResolvers<void>();
  const waiting = ["a", "b", "c", "d"].map((name) => ({ name, say: () => gate.promise.then(() => "cat") }));
  const { ask, evidence, subjects, transport } = await setupBallots(waiting, { nats: true });
  const written: Promise<boolean>[] = [];
  const tap = transport.bus.subscribe(`${transport.prefix}.placed.>`, ({ subject, data }) => {
    const { question } = JSON.parse(utf8Text(data)) as {
      question: SeatQuestion & { nonce: string };
    };
    const { ballot, round, nonce, seat } = question;
    const [, , , , agent = "", scope = "", taskId = ""] = subject.split(".");
    const vote = signVote(
      { ballot, round, nonce, seat, hash: hashValue("dog") },
      voteKeyOf(randomBytes(32)).privateKey,
    );
    const at = subjects.result("classify", scope, taskId);
    written.push(store(transport, at, { ...resultOf(taskId, agent, "dog"), vote }));
  });
  onTestFinished(() => tap.close());
  const answer = ask(null, { seats: 4, strategy: "bft" });
  await vi.waitFor(() => expect(evidence).toHaveLength(4), SOON);
  expect(await Promise.all(written)).toEqual([true, true, true, true]);
  gate.resolve();
  const { verdict, output } = await answer;
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat" });
  expect(output).toBe("cat");
  expect(verdict?.evidence?.map(({ kind }) => kind)).toEqual(["forged", "forged", "forged", "forged"]);
});

it("a vote for an earlier round is refused", async () => {
  const gate = Promise.withResolvers<void>();
  // The seats disagree at first, so there is a second round. In that round the honest agents answer last.
  const torn = ["a", "b", "c", "d"].map((name, index) => ({
    name,
    say: ({ question }: Task) =>
      (question as SeatQuestion).round === 1 ? ["cat", "dog"][index % 2] : gate.promise.then(() => "cat"),
  }));
  const { ask, host, agentOf, evidence } = await setupBallots(torn, { nats: true });
  let first: SignedVote | undefined;
  await host(
    [{ name: "late", say: () => "cow" }],
    liar((_question, sign) => {
      first ??= sign({ value: "cow" });
      return first;
    }).votes,
  );
  const answer = ask(null, { seats: 5, strategy: "bft", onDisagreement: "debate" });
  await vi.waitFor(() => expect(evidence).toHaveLength(1), SOON);
  gate.resolve();
  const { verdict } = await answer;
  expect(verdict).toMatchObject({ outcome: "decided", value: "cat", rounds: 2, evidence });
  // Each round has its own nonce, so the check of the nonce may already catch an old vote.
  expect(evidence[0]).toMatchObject({ kind: expect.stringMatching(/late|replayed/), agent: agentOf("late") });
});

it("an agent without a registered key gets no seat", async () => {
  const { ask, host } = await setupBallots(["a", "b", "c"]);
  await host(["keyless"], null);
  const answers = { a: "cat", b: "cat", c: "cat", keyless: "cat" };
  const { error } = await ask(answers, { seats: 4, strategy: "bft", timeoutMs: 300 });
  expect(error).toMatchObject({ code: "no_quorum", message: expect.stringContaining("only 3 of 4 agents") });
});
