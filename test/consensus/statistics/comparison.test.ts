import { describe, expect, it } from "vitest";
import { seededChance } from "../../../src/base/index.ts";
import {
  addBallot,
  addPaired,
  type BallotRecord,
  compareWithSingle,
  EMPTY_BALLOTS,
} from "../../../src/consensus/index.ts";
import { binomialAtMost, NEGLIGIBLE_GAIN, type Spent } from "../../../src/consensus/internal.ts";

const spent = (tokens: number, costUsd: number | null = tokens / 1_024): Spent => ({ tokens, costUsd });

/** Ballots with the same value as one agent alone, except for some. */
function ballots(count: number, differed: number, costUsd?: number | null): BallotRecord {
  let record = EMPTY_BALLOTS;
  for (let index = 0; index < count; index += 1) {
    record = addBallot(record, {
      isDecided: true,
      agreement: 0.75,
      spent: spent(500, costUsd),
      single: { agrees: index >= differed, spent: spent(100) },
    });
  }
  return record;
}

/** Judged cases: the ballot is right in the first ones, the single agent in the others, with one draw each. */
function judged(cases: number, ballotAccuracy: number, singleAccuracy: number): BallotRecord {
  const chance = seededChance(1);
  let record = ballots(cases, cases);
  for (let index = 0; index < cases; index += 1) {
    const draw = chance.next();
    record = addPaired(record, { ballotRight: draw < ballotAccuracy, singleRight: draw < singleAccuracy });
  }
  return record;
}

describe("ballots over time", () => {
  it("are summed up: agreement, and tokens and money as multiples of one agent's usage", () => {
    expect(compareWithSingle(ballots(8, 2))).toMatchObject({
      ballots: 8,
      decided: 8,
      agreement: 0.75,
      compared: 8,
      differed: 2,
      tokenRatio: 5,
      costRatio: 5,
      judged: null,
      finding: null,
    });
    expect(compareWithSingle(EMPTY_BALLOTS)).toMatchObject({
      agreement: null,
      tokenRatio: null,
      finding: null,
    });
  });

  it("have no price when a cost is unknown; the price covers the other ballots, and tokens cover all", () => {
    expect(compareWithSingle(ballots(3, 0, null))).toMatchObject({ costRatio: null, tokenRatio: 5 });
    const mixed = addBallot(ballots(3, 0), {
      isDecided: true,
      agreement: 1,
      spent: spent(500, null),
      single: { agrees: true, spent: spent(100) },
    });
    expect(mixed).toMatchObject({ compared: 4, priced: 3 });
    expect(compareWithSingle(mixed)).toMatchObject({ costRatio: 5, tokenRatio: 5 });
  });

  it("are not compared if the single agent was not asked; an agent that abstained was asked", () => {
    const facts = { isDecided: true, agreement: 1, spent: spent(500) };
    expect(addBallot(EMPTY_BALLOTS, facts)).toMatchObject({ ballots: 1, compared: 0 });
    const silent = addBallot(EMPTY_BALLOTS, { ...facts, single: { agrees: false, spent: null } });
    expect(silent).toMatchObject({ compared: 1, differed: 1, ballotTokens: 0, priced: 0 });
  });

  it("without a decision gained nothing over one agent", () => {
    const single = { agrees: false, spent: spent(100) };
    const torn = addBallot(EMPTY_BALLOTS, { isDecided: false, agreement: 0.5, spent: spent(500), single });
    expect(torn).toMatchObject({ ballots: 1, decided: 0, compared: 1, differed: 0, agreement: 0 });
  });
});

describe("one agent was as good", () => {
  it("if ballots with a known truth gained nothing", () => {
    const found = compareWithSingle(judged(200, 0.8, 0.8));
    expect(found.judged).toMatchObject({ cases: 200, gain: { rate: 0 } });
    expect(found.finding).toBe(
      "one agent was as good in 200 ballots whose right answer is known, at 1/5.0 of the money",
    );
  });

  it("but not if they gained something, or if too few cases are known", () => {
    expect(compareWithSingle(judged(500, 0.9, 0.75)).finding).toBeNull();
    expect(compareWithSingle(judged(10, 0.8, 0.8)).finding).toBeNull();
  });

  it("without truth, if ballots rarely decided for another value: 59 are enough if none did", () => {
    expect(compareWithSingle(ballots(58, 0)).finding).toBeNull();
    expect(compareWithSingle(ballots(59, 0, null)).finding).toBe(
      "one agent was as good: 0 of 59 ballots decided for another value than it did, at 1/5.0 of the tokens",
    );
    expect(compareWithSingle(ballots(93, 1)).finding).toContain("1 of 93");
    expect(compareWithSingle(ballots(200, 10)).finding).toBeNull();
  });

  it("but not by the second test if the first shows a gain that is not negligible", () => {
    let record = ballots(1_000, 20);
    for (let index = 0; index < 40; index += 1) {
      record = addPaired(record, { ballotRight: true, singleRight: index % 2 === 0 });
    }
    expect(compareWithSingle(record).finding).toBeNull();
  });

  it("is a wrong finding of either test in at most one of ten records with a gain just above negligible", () => {
    let [byTruth, byAgreement] = [0, 0];
    for (let run = 0; run < 500; run += 1) {
      const chance = seededChance(run);
      let paired = EMPTY_BALLOTS;
      let differed = 0;
      for (let index = 0; index < 150; index += 1) {
        const draw = chance.next();
        // Only the ballot is right in 10 % of the cases, only the single agent in 5 %: a gain of 5 %.
        const [ballotRight, singleRight] =
          draw < 0.7 ? [true, true] : draw < 0.8 ? [true, false] : [false, draw < 0.85];
        paired = addPaired(paired, { ballotRight, singleRight });
        differed += chance.next() < NEGLIGIBLE_GAIN ? 1 : 0;
      }
      byTruth += compareWithSingle(paired).finding === null ? 0 : 1;
      byAgreement += compareWithSingle(ballots(150, differed)).finding === null ? 0 : 1;
    }
    expect(byTruth).toBeLessThanOrEqual(50);
    expect(byAgreement).toBeLessThanOrEqual(35);
  });

  it("by the exact binomial distribution", () => {
    expect(binomialAtMost(0, 10, 0.05)).toBeCloseTo(0.95 ** 10, 12);
    expect(binomialAtMost(2, 100, 0.05)).toBeCloseTo(0.118263, 6);
    expect(binomialAtMost(400, 10_000, 0.05)).toBeGreaterThan(0);
    expect(binomialAtMost(400, 10_000, 0.05)).toBeLessThan(1e-5);
    expect(binomialAtMost(5, 10, 0.05)).toBe(1);
  });

  it("removes a judgement without a trace", () => {
    const before = judged(10, 0.8, 0.6);
    const case_ = { ballotRight: true, singleRight: false };
    expect(addPaired(addPaired(before, case_), case_, -1)).toEqual(before);
  });
});
