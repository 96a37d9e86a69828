import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { integerBetween, seededChance } from "../../../src/base/index.ts";
import {
  type Ballot,
  type BallotEffect,
  type BallotEvent,
  type BallotResult,
  effectsOf,
  hashValue,
  mostMessages,
  openBallot,
  sightIn,
  signVote,
  stepBallot,
  wakeAtMs,
} from "../../../src/consensus/index.ts";
import { type BallotInput, roundsOf, verdictSchema } from "../../../src/protocol/index.ts";
import { driveBallot, keyOf, PATIENT, RUNS, seatsOf, specOf } from "./support.ts";

describe("a star", () => {
  it("asks every seat at once, and shows none of them another's answer", () => {
    const drive = driveBallot({ seats: 3, strategy: "majority", pointer: "/label" });
    expect(drive.asks().map(({ seat, agent, round }) => [seat, agent, round])).toEqual([
      [1, "agent-1", 1],
      [2, "agent-2", 1],
      [3, "agent-3", 1],
    ]);
    expect(drive.asked(2)).toEqual({
      ballot: "b1",
      seat: 2,
      round: 1,
      rounds: 1,
      pointer: "/label",
      role: "member",
      answers: [],
    });
  });

  it("decides when enough seats agree, cancels the other questions, and explains the verdict", () => {
    const drive = driveBallot(
      { seats: 5, strategy: "majority", pointer: "/label" },
      { effectiveVoters: 3.2 },
    );
    const usage = { inputTokens: 100, outputTokens: 10, costUsd: 0.01 };
    drive.step({ type: "answer", seat: 2, round: 1, output: { label: "cat", why: "ears" }, usage, atMs: 1 });
    drive.step({ type: "answer", seat: 1, round: 1, output: { label: "dog" }, usage, atMs: 2 });
    drive.answer(4, { label: "cat" });
    expect(drive.closed()).toBeUndefined();
    drive.answer(5, { label: "cat" });
    expect(drive.cancelled()).toEqual([{ seat: 3, round: 1 }]);
    const result = drive.closed()!;
    expect(verdictSchema.parse(result.verdict)).toEqual(result.verdict);
    expect(result).toEqual({
      type: "close",
      arrivals: [2, 1, 4, 5],
      verdict: {
        outcome: "decided",
        strategy: "majority",
        topology: "star",
        value: "cat",
        agreement: 0.6,
        decidedBy: "quorum",
        abstained: 0,
        seats: [
          { seat: 1, agent: "agent-1", value: "dog", round: 1, weight: 1 },
          { seat: 2, agent: "agent-2", value: "cat", round: 1, weight: 1 },
          { seat: 3, agent: "agent-3", weight: 1 },
          { seat: 4, agent: "agent-4", value: "cat", round: 1, weight: 1 },
          { seat: 5, agent: "agent-5", value: "cat", round: 1, weight: 1 },
        ],
        rounds: 1,
        messages: 5,
        hops: 1,
        winner: 2,
        effectiveVoters: 3.2,
        usage: { inputTokens: 200, outputTokens: 20, costUsd: 0.02 },
        single: { seat: 1, agrees: false, usage },
      },
    });
  });

  it("counts only a seat's first answer, and no answer from another sender or after the end", () => {
    const drive = driveBallot({ seats: 3, strategy: "majority" });
    drive.answer(1, "a");
    drive.answer(1, "b");
    drive.answer(2, "b", 1, 7);
    drive.answer(9, "b");
    drive.answer(2, "b");
    drive.answer(3, "a");
    expect(drive.closed()?.verdict.value).toBe("a");
    const { ballot, effects } = drive;
    const told = effects.length;
    drive.answer(2, "b");
    drive.step({ type: "cancel", reason: "too late", atMs: 9 });
    drive.tick(1_000_000);
    expect(drive.ballot).toEqual(ballot);
    expect(effects.length).toBe(told);
  });

  it("has the reasons of abstentions in the verdict", () => {
    const drive = driveBallot({ seats: 5, strategy: "majority", pointer: "/label", timeoutMs: 100 });
    drive.answer(1, { label: Number.NaN });
    drive.answer(2, "no object");
    drive.step({ type: "abstain", seat: 3, round: 1, reason: "tool_failed: exit 1", atMs: 3 });
    expect(drive.closed()).toMatchObject({
      error: { code: "no_quorum" },
      verdict: { outcome: "no_quorum", decidedBy: "early", abstained: 3 },
    });
    expect(drive.closed()?.verdict.seats.map(({ abstained }) => abstained)).toEqual([
      "expected a finite number, got NaN",
      "nothing at the pointer /label",
      "tool_failed: exit 1",
      undefined,
      undefined,
    ]);
  });

  it("ends at its deadline with the answers so far", () => {
    const drive = driveBallot({ seats: 5, strategy: "mean", minAnswers: 2, timeoutMs: 100 });
    expect(wakeAtMs(drive.ballot)).toBe(100);
    drive.answer(1, 1, 99);
    drive.answer(2, 3, 99);
    drive.answer(3, 100, 100); // The deadline itself is too late.
    expect(drive.closed()?.verdict).toMatchObject({ value: 2, decidedBy: "timeout", abstained: 3 });
    expect(drive.cancelled().map(({ seat }) => seat)).toEqual([3, 4, 5]);
    expect(wakeAtMs(drive.ballot)).toBeNull();
  });

  it("with too few answers ends in no_quorum at the deadline", () => {
    const drive = driveBallot({ seats: 3, strategy: "median", timeoutMs: 100 });
    drive.answer(1, 5);
    drive.tick(100);
    expect(drive.closed()?.error).toEqual({
      code: "no_quorum",
      message:
        "median: 1 of at least 2 answers (1 of 3 seats answered, 2 abstained); the verdict has each seat's answer",
    });
  });

  it("closes when its task is cancelled", () => {
    const drive = driveBallot({ seats: 2, strategy: "unanimous" });
    drive.step({ type: "cancel", reason: "the scope was cancelled", atMs: 1 });
    expect(drive.closed()?.error).toEqual({ code: "cancelled", message: "the scope was cancelled" });
    expect(drive.cancelled()).toHaveLength(2);
  });

  it("with vacant seats asks no seat, and ends in no_quorum", () => {
    const spec = specOf({ seats: 3, strategy: "majority" });
    const vacant = { seats: [3], reason: "only 2 of 3 agents were there in time" };
    const seats = [1, 2, 3].map((seat) => ({ seat, agent: seat === 3 ? "-" : `a${seat}`, weight: 1 }));
    const [ballot, effects] = openBallot({ id: "b", spec, seats, nonce: "n", atMs: 0, vacant });
    expect(effects).toMatchObject([
      {
        type: "close",
        error: { code: "no_quorum" },
        verdict: {
          outcome: "no_quorum",
          reason: vacant.reason,
          decidedBy: "timeout",
          messages: 0,
          seats: [{}, {}, { agent: "-", abstained: "no agent was there for this seat" }],
        },
      },
    ]);
    expect(ballot.stage).toBe("closed");
    expect(wakeAtMs(ballot)).toBeNull();
  });

  it("refuses a wrong list of seats, and bft seats without a key", () => {
    const spec = specOf({ seats: 3, strategy: "majority" });
    const open = (seats: ReturnType<typeof seatsOf>, strategy = spec) =>
      openBallot({ id: "b1", spec: strategy, seats, nonce: "n", atMs: 0 });
    expect(() => open(seatsOf(2))).toThrow("seats 1 to 3");
    expect(() => open(seatsOf(4), specOf({ seats: 4, strategy: "bft" }))).toThrow("registered key");
  });
});

describe("a seat whose agent is gone", () => {
  it("passes to a substitute, which gets the same question, and keeps its earlier answer", () => {
    const drive = driveBallot({ seats: 3, strategy: "unanimous", onDisagreement: "debate" });
    for (const [index, value] of ["a", "a", "b"].entries()) drive.answer(index + 1, value);
    const question = drive.asked(3);
    expect(
      drive.step({ type: "reseat", substitute: { ...seatsOf(3)[2]!, agent: "other" }, atMs: 2 }),
    ).toEqual([]);
    const again = effectsOf(drive.ballot).find((effect) => effect.type === "ask" && effect.seat === 3);
    expect(again).toMatchObject({ agent: "other", round: 2, question });
    expect(drive.ballot.answers).toMatchObject([{}, {}, { seat: 3, round: 1, value: "b" }]);
  });

  it("keeps its agent after the ballot is closed", () => {
    const drive = driveBallot({ seats: 1, strategy: "first" });
    drive.answer(1, "a");
    drive.step({ type: "reseat", substitute: { ...seatsOf(1)[0]!, agent: "other" }, atMs: 2 });
    expect(drive.ballot.seats).toEqual(seatsOf(1));
  });
});

describe("weights", () => {
  it("come from the opening, regardless of the answers", () => {
    const seats = seatsOf(3, (seat) => ({ weight: seat === 3 ? 2 : 0.5 }));
    const drive = driveBallot({ seats: 3, strategy: "weighted", pointer: "/v", minAnswers: 1 }, { seats });
    drive.answer(1, { v: "a", weight: 1e9 });
    drive.answer(3, { v: "b" });
    expect(drive.closed()?.verdict).toMatchObject({
      value: "b",
      seats: [{ weight: 0.5 }, { weight: 0.5 }, { weight: 2 }],
    });
  });
});

describe("disagreement", () => {
  const split = (more: Partial<BallotInput>) => {
    const drive = driveBallot({ seats: 5, strategy: "majority", timeoutMs: 1_000, ...more });
    for (const [index, value] of ["a", "a", "b", "c", "d"].entries()) drive.answer(index + 1, value, 10);
    return drive;
  };

  it("fails by default", () => {
    expect(split({}).closed()?.error?.code).toBe("no_quorum");
  });

  it("can accept the plurality", () => {
    expect(split({ onDisagreement: "plurality" }).closed()?.verdict).toMatchObject({
      value: "a",
      decidedBy: "plurality",
      agreement: 0.4,
    });
  });

  it("with two equally common values stays a tie", () => {
    const drive = driveBallot({ seats: 4, strategy: "majority", onDisagreement: "plurality" });
    for (const [index, value] of ["a", "b", "a", "b"].entries()) drive.answer(index + 1, value);
    expect(drive.closed()?.error?.code).toBe("tie");
  });

  it("does not accept a plurality of too few answers", () => {
    const drive = driveBallot({
      seats: 5,
      strategy: "majority",
      onDisagreement: "plurality",
      timeoutMs: 100,
    });
    drive.answer(1, "a");
    drive.tick(100);
    expect(drive.closed()?.error?.code).toBe("no_quorum");
  });

  it("can lead to a debate: each seat sees the other answers, for a bounded number of rounds", () => {
    const drive = split({ onDisagreement: "debate", rounds: 3 });
    expect(drive.asked(4)).toMatchObject({
      round: 2,
      rounds: 3,
      answers: [
        { seat: 1, value: "a" },
        { seat: 2, value: "a" },
        { seat: 3, value: "b" },
        { seat: 5, value: "d" },
      ],
    });
    drive.answer(5, "d", 20);
    drive.step({ type: "abstain", seat: 1, round: 2, reason: "crashed", atMs: 20 }); // Seat 1 keeps its answer a.
    drive.answer(4, "a", 20);
    drive.answer(3, "b", 20);
    expect(drive.closed()).toBeUndefined();
    drive.answer(2, "a", 20);
    expect(drive.closed()?.verdict).toMatchObject({
      value: "a",
      rounds: 2,
      messages: 10,
      hops: 2,
      agreement: 0.6,
    });
    expect(drive.closed()?.verdict.seats.map(({ round }) => round)).toEqual([1, 2, 2, 2, 2]);
  });

  it("that a debate does not resolve fails after the last round", () => {
    const drive = split({ onDisagreement: "debate", rounds: 2 });
    for (const [index, value] of ["a", "b", "c", "d", "e"].entries()) drive.answer(index + 1, value, 20);
    expect(drive.closed()).toMatchObject({ error: { code: "tie" }, verdict: { rounds: 2, messages: 10 } });
  });

  it("can go to a judge, who gets the candidates without names", () => {
    const drive = split({ onDisagreement: "judge", judge: "referee" });
    expect(drive.effects.at(-1)).toMatchObject({
      type: "consult",
      capability: "referee",
      question: {
        role: "judge",
        candidates: ["a", "b", "c", "d"].map((value, index) => ({ candidate: index + 1, value })),
      },
    });
    drive.step({ type: "advice", output: { choice: 2, reason: "it compiles" }, atMs: 20 });
    expect(drive.closed()?.verdict).toMatchObject({
      value: "b",
      decidedBy: "judge",
      reason: "it compiles",
      messages: 6,
    });
  });

  it.each<[string, Partial<BallotEvent & { type: "advice" }>]>([
    ["nonsense", { output: "the second one, I think" }],
    ["a number of no candidate", { output: { choice: 5 } }],
    ["a fraction", { output: { choice: 1.5 } }],
    ["nothing", { output: undefined }],
    ["an error", { failed: "tool_failed" }],
  ])("is not settled by a judge who answers %s", (_, advice) => {
    const drive = split({ onDisagreement: "judge", judge: "referee" });
    drive.step({ type: "advice", atMs: 20, ...advice });
    expect(drive.closed()).toMatchObject({ error: { code: "no_quorum" }, verdict: { decidedBy: "judge" } });
    expect(drive.closed()?.verdict.reason).toContain("judge");
  });

  it("is not resolved by a judge that times out", () => {
    const drive = split({ onDisagreement: "judge", judge: "referee" });
    drive.tick(wakeAtMs(drive.ballot)!);
    expect(drive.closed()?.verdict.reason).toBe("the judge did not answer in time");
  });

  it("can wait for a person", () => {
    const drive = split({ onDisagreement: "human" });
    expect(drive.effects.at(-1)).toMatchObject({ type: "ask-human", endsAtMs: 1_000 });
    expect(drive.step({ type: "human", by: "ada", choice: 9, atMs: 20 })).toMatchObject([
      { type: "refuse", code: "invalid_input", field: "choice" },
    ]);
    expect(drive.step({ type: "human", by: "ada", value: Number.NaN, atMs: 20 })).toMatchObject([
      { type: "refuse", code: "invalid_input", field: "value" },
    ]);
    drive.step({ type: "human", by: "ada", choice: 3, atMs: 30 });
    expect(drive.closed()?.verdict).toMatchObject({
      value: "c",
      decidedBy: "human",
      reason: "decided by ada",
    });
    expect(drive.step({ type: "human", by: "bob", choice: 1, atMs: 40 })).toMatchObject([
      { type: "refuse", code: "conflict" },
    ]);
  });

  it("can be resolved by a person with a new value, until the deadline", () => {
    const drive = split({ onDisagreement: "human" });
    drive.step({ type: "human", by: "ada", value: "none of them", atMs: 999 });
    expect(drive.closed()?.verdict).toMatchObject({ value: "none of them", agreement: 0 });
    const late = split({ onDisagreement: "human" });
    late.tick(1_000);
    expect(late.closed()?.verdict.reason).toContain("no person decided it in time");
  });

  it("among rankings sends the first candidate of each ranking to a judge", () => {
    const drive = driveBallot({ seats: 2, strategy: "ranked", onDisagreement: "judge", judge: "referee" });
    drive.answer(1, ["b", "a"]);
    drive.answer(2, ["a", "b"]);
    expect(drive.effects.at(-1)).toMatchObject({
      question: { candidates: [{ value: "a" }, { value: "b" }] },
    });
    drive.step({ type: "advice", output: { choice: 2 }, atMs: 2 });
    expect(drive.closed()?.verdict).toMatchObject({ value: "b", winner: 1 });
  });
});

describe("the strategies judge and verifier", () => {
  it("ask after the last seat has answered, and use the advice", () => {
    const drive = driveBallot({ seats: 3, strategy: "judge", judge: "referee", timeoutMs: 1_000 });
    drive.answer(1, "x");
    drive.answer(2, "y");
    drive.tick(500); // The judge gets half of the time.
    drive.step({ type: "advice", output: { choice: 2 }, atMs: 600 });
    expect(drive.closed()?.verdict).toMatchObject({ value: "y", decidedBy: "judge", abstained: 1 });
  });

  it("take the most common candidate that the verifier passes", () => {
    const drive = driveBallot({ seats: 5, strategy: "verifier", verifier: "tests" });
    for (const [index, value] of ["a", "b", "b", "c", "c"].entries()) drive.answer(index + 1, value);
    drive.step({ type: "advice", output: { passed: [1, 2] }, atMs: 2 });
    expect(drive.closed()?.verdict).toMatchObject({ value: "b", decidedBy: "verifier" });
  });

  it.each<[unknown, string, string]>([
    [{ passed: [] }, "no_quorum", "no candidate passed"],
    [{ passed: [2, 3] }, "tie", "split"],
    [{ passed: [4] }, "no_quorum", "candidate 4 of 3"],
    [{ passed: "all" }, "no_quorum", "expected the verifier to answer"],
  ])("end without a value on %j", (output, code, reason) => {
    const drive = driveBallot({ seats: 5, strategy: "verifier", verifier: "tests" });
    for (const [index, value] of ["a", "b", "b", "c", "c"].entries()) drive.answer(index + 1, value);
    drive.step({ type: "advice", output, atMs: 2 });
    expect(drive.closed()?.error?.code).toBe(code);
    expect(drive.closed()?.verdict.reason).toContain(reason);
  });

  it("can fall back on the plurality or on a person", () => {
    const judge: BallotInput = { seats: 3, strategy: "judge", judge: "referee", timeoutMs: 900 };
    const plurality = driveBallot({ ...judge, onDisagreement: "plurality" });
    const human = driveBallot({ ...judge, onDisagreement: "human" });
    for (const drive of [plurality, human]) {
      for (const [index, value] of ["a", "b", "b"].entries()) drive.answer(index + 1, value);
      drive.step({ type: "advice", output: "?", atMs: 2 });
    }
    expect(plurality.closed()?.verdict).toMatchObject({ value: "b", decidedBy: "plurality" });
    expect(human.ballot.stage).toBe("human");
  });
});

describe("a tree", () => {
  const tree: BallotInput = { seats: 6, strategy: "majority", topology: "tree", timeoutMs: 1_000 };

  it("asks members first, then shows each lead its group, and the leads vote", () => {
    const drive = driveBallot({ ...tree, strategy: "unanimous" });
    expect(drive.asks().map(({ seat }) => seat)).toEqual([3, 4, 5, 6]);
    for (const [seat, value] of [
      [3, "a"],
      [4, "b"],
      [5, "b"],
    ] as const)
      drive.answer(seat, value);
    drive.answer(6, null);
    expect(drive.asked(1)).toMatchObject({
      role: "lead",
      answers: [
        { seat: 3, value: "a" },
        { seat: 4, value: "b" },
      ],
    });
    expect(drive.asked(2)).toMatchObject({ role: "lead", answers: [{ seat: 5, value: "b" }] });
    drive.answer(1, "b");
    drive.answer(2, "b");
    expect(drive.closed()?.verdict).toMatchObject({
      value: "b",
      agreement: 4 / 6,
      messages: 6,
      hops: 2,
      single: { seat: 3, agrees: false },
    });
  });

  it("does not wait forever for a silent member", () => {
    const drive = driveBallot(tree);
    drive.tick(500);
    expect(drive.asked(1)).toMatchObject({ role: "lead", answers: [] });
    drive.answer(1, "a", 600);
    drive.answer(2, "a", 600);
    expect(drive.closed()?.verdict).toMatchObject({ value: "a", abstained: 4 });
  });

  it("lets only its leads debate", () => {
    const drive = driveBallot({ ...tree, onDisagreement: "debate" });
    for (const seat of [3, 4, 5, 6]) drive.answer(seat, "x");
    drive.answer(1, "a");
    drive.answer(2, "b");
    expect(drive.ballot.open).toEqual([1, 2]);
    expect(drive.asked(1)).toMatchObject({ round: 2, role: "member", answers: [{ seat: 2, value: "b" }] });
  });
});

describe("a ring", () => {
  const ring: BallotInput = { seats: 3, strategy: "first", topology: "ring" };

  it("shows each seat the answer before it, and the last seat has the final answer", () => {
    const drive = driveBallot(ring);
    expect(drive.asks().map(({ seat }) => seat)).toEqual([1]);
    drive.answer(1, "draft");
    expect(drive.asked(2)?.answers).toEqual([{ seat: 1, value: "draft" }]);
    drive.step({ type: "abstain", seat: 2, round: 1, reason: "crashed", atMs: 1 });
    expect(drive.asked(3)?.answers).toEqual([{ seat: 1, value: "draft" }]); // Seat 3 sees the newest answer before it, because seat 2 has none.
    drive.answer(3, "final");
    expect(drive.closed()?.verdict).toMatchObject({ value: "final", winner: 3, hops: 3, messages: 3 });
  });

  it("repeats rounds until no seat changes its answer", () => {
    const drive = driveBallot({ ...ring, rounds: 5 });
    for (const value of ["v1", "v2", "v3"]) drive.answer(drive.ballot.open[0]!, value);
    expect(drive.asked(1)).toMatchObject({ round: 2, answers: [{ seat: 3, value: "v3" }] });
    for (let turn = 0; turn < 3; turn += 1) drive.answer(drive.ballot.open[0]!, "v3");
    expect(drive.closed()?.verdict).toMatchObject({ value: "v3", rounds: 2, agreement: 1 });
  });

  it("decides as soon as enough seats agree in its last round", () => {
    const drive = driveBallot({ ...ring, seats: 5, strategy: "majority" });
    for (const value of ["a", "a", "a"]) drive.answer(drive.ballot.open[0]!, value);
    expect(drive.closed()?.verdict).toMatchObject({ value: "a", decidedBy: "quorum", messages: 3 });
  });
});

describe("a mesh", () => {
  const mesh: BallotInput = { seats: 4, strategy: "majority", topology: "mesh", rounds: 4 };
  const answerAll = (drive: ReturnType<typeof driveBallot>, ...values: string[]) => {
    for (const [index, value] of values.entries()) drive.answer(index + 1, value);
  };

  it("exchanges answers until all agree", () => {
    const drive = driveBallot({ ...mesh, neighbours: 2 });
    answerAll(drive, "a", "a", "a", "b");
    expect(drive.closed()).toBeUndefined(); // A majority is not enough before the last round.
    expect(drive.asked(4)?.answers.map(({ seat }) => seat)).toEqual([1, 2]);
    answerAll(drive, "a", "a", "a", "a");
    expect(drive.closed()?.verdict).toMatchObject({ value: "a", rounds: 2, agreement: 1 });
  });

  it("stops when no seat changes its answer, and counts", () => {
    const drive = driveBallot(mesh);
    answerAll(drive, "a", "a", "a", "b");
    answerAll(drive, "a", "a", "a", "b");
    expect(drive.closed()?.verdict).toMatchObject({
      value: "a",
      rounds: 2,
      agreement: 0.75,
      decidedBy: "all",
    });
  });

  it("stops at its last round, and in that round as early as the count allows", () => {
    const drive = driveBallot({ ...mesh, rounds: 2 });
    answerAll(drive, "a", "b", "c", "d");
    answerAll(drive, "x", "x", "x");
    expect(drive.closed()?.verdict).toMatchObject({ value: "x", rounds: 2, decidedBy: "quorum" });
  });

  it.each([
    ["messages", { maxMessages: 11 }],
    ["hops", { maxHops: 2 }],
    ["money", { maxUsd: 0.08 }],
  ] as const)("stops when its budget of %s is used up", (stoppedBy, budget) => {
    const drive = driveBallot({ ...mesh, rounds: 8, budget });
    const usage = { inputTokens: 1, outputTokens: 1, costUsd: 0.01 };
    for (let count = 0; drive.closed() === undefined; count += 1) {
      const { round, open } = drive.ballot;
      drive.step({ type: "answer", seat: open[0]!, round, output: `${count}`, usage, atMs: 1 });
    }
    expect(drive.closed()?.verdict).toMatchObject({ rounds: 2, messages: 8, stoppedBy });
  });

  it("stops asking when a cost is unknown and a limit of money is set", () => {
    const drive = driveBallot({ ...mesh, budget: { maxUsd: 5 } });
    const usage = { inputTokens: 1, outputTokens: 1, costUsd: null };
    for (const seat of [1, 2, 3, 4])
      drive.step({ type: "answer", seat, round: 1, output: seat, usage, atMs: 1 });
    expect(drive.closed()?.verdict).toMatchObject({
      rounds: 1,
      stoppedBy: "money",
      usage: { costUsd: null },
    });
  });

  it.each([
    ["messages", { maxMessages: 3 }],
    ["money", { maxUsd: 3 }],
  ])("asks no judge when its budget of %s is used up", (budget, limits) => {
    const torn = { seats: 3, strategy: "majority", onDisagreement: "judge", judge: "referee" } as const;
    const drive = driveBallot({ ...torn, budget: limits });
    const usage = { inputTokens: 1, outputTokens: 1, costUsd: 1 };
    const effects = [1, 2, 3].flatMap((seat) =>
      drive.step({ type: "answer", seat, round: 1, output: seat, usage, atMs: 1 }),
    );
    expect(effects.filter(({ type }) => type === "consult")).toEqual([]);
    expect(drive.closed()?.verdict).toMatchObject({
      outcome: "no_quorum",
      stoppedBy: budget,
      reason: `the budget of ${budget} was used up before the judge could be asked`,
      messages: 3,
    });
  });
});

// Properties of every ballot, for all answers and orders.

const BALLOTS: BallotInput[] = [
  { seats: 5, strategy: "majority" },
  { seats: 5, strategy: "majority", minAnswers: 5 },
  { seats: 4, strategy: "quorum", quorum: 2, onDisagreement: "plurality" },
  { seats: 5, strategy: "weighted", onDisagreement: "debate", rounds: 3 },
  { seats: 4, strategy: "unanimous", onDisagreement: "human" },
  { seats: 4, strategy: "ranked", candidates: ["a", "b", "c"], onDisagreement: "judge", judge: "referee" },
  { seats: 4, strategy: "judge", judge: "referee", onDisagreement: "human" },
  { seats: 4, strategy: "verifier", verifier: "tests" },
  { seats: 5, strategy: "median" },
  { seats: 4, strategy: "merge" },
  { seats: 4, strategy: "bft", onDisagreement: "debate" },
  { seats: 7, strategy: "majority", topology: "tree", depth: 2, fanOut: 3, onDisagreement: "debate" },
  { seats: 4, strategy: "majority", topology: "ring", rounds: 3, budget: { maxHops: 9 } },
  { seats: 4, strategy: "majority", topology: "mesh", neighbours: 1, rounds: 4, budget: { maxMessages: 13 } },
];

/** The answer of a seat in a round, of the type that the ballot counts; undefined when its task fails. */
function outputOf(ballot: BallotInput, seed: number, seat: number, round: number): unknown {
  const chance = seededChance(seed * 10_007 + seat * 101 + round);
  const letter = ["a", "b", "c"][integerBetween(chance, 0, 2)]!;
  const kind = integerBetween(chance, 0, 9);
  if (kind === 0) return undefined;
  if (kind === 1) return null;
  if (ballot.strategy === "ranked") return [letter];
  if (ballot.strategy === "median") return integerBetween(chance, 1, 3);
  return ballot.strategy === "merge" ? [letter] : letter;
}

interface Played {
  result: BallotResult;
  ballot: Ballot;
  asked: number;
  longest: number;
}

const ASKING: ReadonlySet<string> = new Set(["ask", "consult", "ask-human"]);

function nameOf(effect: BallotEffect): string {
  return effect.type === "ask" ? `ask ${effect.round}.${effect.seat}` : effect.type;
}

/** Plays a ballot to its end. Open seats answer in an order drawn from `order`; a `silent` seat never answers. */
function play(
  input: BallotInput,
  seed: number,
  order: number,
  silent: (seat: number) => boolean = () => false,
): Played {
  const chance = seededChance(order);
  const spec = specOf(input);
  const seats = seatsOf(spec.seats, (seat) => ({
    weight: (seat % 3) + 0.5,
    publicKey: keyOf(seat).publicKey,
  }));
  let [ballot, effects] = openBallot({ id: "b1", spec, seats, nonce: "n", atMs: 0 });
  const nonces = new Map<number, string>();
  const played: Omit<Played, "result" | "ballot"> = { asked: 0, longest: 0 };
  let result: BallotResult | undefined;
  let atMs = 0;
  const asked = new Map(effects.map((effect) => [nameOf(effect), JSON.stringify(effect)]));
  const otherwise: BallotEffect[] = [];
  for (let turn = 0; turn < 1_000 && result === undefined; turn += 1) {
    for (const effect of effects) {
      if (effect.type === "close") result = effect;
      if (effect.type === "ask" || effect.type === "consult") played.asked += 1;
      if (effect.type !== "ask") continue;
      if (effect.question.nonce !== undefined) nonces.set(effect.round, effect.question.nonce);
      const shown = effect.question.answers.map(({ seat }) => seat);
      const isShownRightly = sightIn(spec, effect.round)(effect.seat, shown);
      if (!isShownRightly || effect.endsAtMs > spec.timeoutMs) otherwise.push(effect);
    }
    if (result !== undefined) break;
    const { stage, round } = ballot;
    const open = ballot.open.filter((seat) => !silent(seat));
    let event: BallotEvent;
    if (stage === "consulting") {
      const output = spec.strategy === "verifier" ? { passed: [1] } : { choice: 1 };
      event = { type: "advice", output: seed % 5 === 0 ? "nonsense" : output, atMs };
    } else if (stage === "human" && seed % 2 === 0) {
      event = { type: "human", by: "ada", value: "mine", atMs };
    } else if (stage === "human" || open.length === 0) {
      atMs = wakeAtMs(ballot)!;
      event = { type: "tick", atMs };
    } else {
      const seat = open[integerBetween(chance, 0, open.length - 1)]!;
      const output = outputOf(input, seed, seat, round);
      const nonce = nonces.get(round)!;
      const vote =
        spec.strategy === "bft" && typeof output === "string"
          ? signVote({ ballot: "b1", round, nonce, seat, hash: hashValue(output) }, keyOf(seat).privateKey)
          : undefined;
      event =
        output === undefined
          ? { type: "abstain", seat, round, reason: "failed", atMs }
          : { type: "answer", seat, round, output, vote, atMs };
    }
    ballot = JSON.parse(JSON.stringify(ballot)) as Ballot;
    [ballot, effects] = stepBallot(ballot, event);
    // A driver that takes over here must repeat the open questions word for word.
    for (const effect of effects) {
      if (ASKING.has(effect.type)) asked.set(nameOf(effect), JSON.stringify(effect));
    }
    for (const effect of effectsOf(ballot)) {
      if (JSON.stringify(effect) !== asked.get(nameOf(effect))) otherwise.push(effect);
    }
  }
  expect(otherwise).toEqual([]);
  expect(result).toBeDefined();
  expect(atMs).toBeLessThanOrEqual(spec.timeoutMs);
  return { result: result!, ballot, ...played };
}

const essence = ({ result }: Played) => [result.verdict.outcome, result.verdict.value, result.error?.code];

describe.each(BALLOTS)("any run of %j", PATIENT, (input) => {
  // Signatures take most of the time of a run.
  const someRuns = { numRuns: input.strategy === "bft" ? RUNS.numRuns / 5 : RUNS.numRuns };
  const runs = fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer(), fc.integer());

  it("ends, with the same result for every order of answers", () => {
    fc.assert(
      fc.property(runs, ([seed, order, otherOrder]) => {
        const [one, other] = [play(input, seed, order), play(input, seed, otherOrder)];
        expect(essence(other)).toEqual(essence(one));
      }),
      someRuns,
    );
  });

  it("ends by its deadline when seats are silent", () => {
    fc.assert(
      fc.property(runs, fc.integer({ min: 0, max: 127 }), ([seed, order], mask) => {
        const played = play(input, seed, order, (seat) => (mask & (1 << (seat - 1))) !== 0);
        expect(verdictSchema.parse(played.result.verdict)).toEqual(played.result.verdict);
      }),
      someRuns,
    );
  });

  it("asks no more questions, and builds no longer chains, than its budget allows", () => {
    const spec = specOf(input);
    fc.assert(
      fc.property(runs, ([seed, order]) => {
        const { asked, result } = play(input, seed, order);
        expect(asked).toBe(result.verdict.messages);
        expect(asked).toBeLessThanOrEqual(mostMessages(spec));
        expect(asked).toBeLessThanOrEqual(spec.budget?.maxMessages ?? Number.POSITIVE_INFINITY);
        expect(result.verdict.hops).toBeLessThanOrEqual(spec.budget?.maxHops ?? Number.POSITIVE_INFINITY);
        expect(result.verdict.rounds).toBeLessThanOrEqual(roundsOf(spec));
      }),
      someRuns,
    );
  });
});

describe("fuzzed events", PATIENT, () => {
  it("never make a ballot throw, and every ballot still ends", () => {
    const event = fc.record({
      type: fc.constantFrom("answer", "abstain", "advice", "human", "tick"),
      seat: fc.integer({ min: -1, max: 7 }),
      round: fc.integer({ min: 0, max: 4 }),
      output: fc.anything(),
      vote: fc.anything(),
      value: fc.anything(),
      choice: fc.option(fc.integer({ min: -1, max: 5 }), { nil: undefined }),
      failed: fc.option(fc.string(), { nil: undefined }),
      reason: fc.string(),
      by: fc.string(),
    });
    fc.assert(
      fc.property(fc.constantFrom(...BALLOTS), fc.array(event, { maxLength: 30 }), (input, events) => {
        const drive = driveBallot(input);
        let atMs = 0;
        for (const something of events) {
          atMs += 1_000;
          drive.step({ ...something, atMs } as unknown as BallotEvent);
        }
        drive.tick(300_000);
        expect(drive.ballot.stage).toBe("closed");
        expect(drive.effects.filter(({ type }) => type === "close")).toHaveLength(1);
      }),
      RUNS,
    );
  });
});
