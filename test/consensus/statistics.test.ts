import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Chance, seededChance } from "../../src/base/index.ts";
import {
  accuracyOf,
  addCase,
  addSingle,
  addUsage,
  compareWithSingle,
  EMPTY_RECORD,
  EMPTY_SINGLE,
  effectiveVoters,
  errorCorrelation,
  type JudgedCase,
  MAX_WEIGHT,
  meanCorrelation,
  pairKey,
  type VoterRecord,
  weightOf,
} from "../../src/consensus/index.ts";
import { PATIENT, RUNS } from "./ballot-support.ts";

const names = (count: number) => Array.from({ length: count }, (_, index) => `voter-${index + 1}`);

/**
 * Voters of equal accuracy whose errors have the correlation ρ: each takes a shared draw with probability √ρ, else its own,
 * so that two of them share it with probability ρ.
 */
function simulate(voters: string[], accuracy: number, correlation: number, chance: Chance): JudgedCase {
  const shared = chance.next() < accuracy;
  const answers = voters.map((voter) => ({
    voter,
    model: `${voter}-model`,
    isRight: chance.next() < Math.sqrt(correlation) ? shared : chance.next() < accuracy,
  }));
  return { answers };
}

function recordOf(cases: Iterable<JudgedCase>): VoterRecord {
  let record = EMPTY_RECORD;
  for (const one of cases) record = addCase(record, one);
  return record;
}

function* simulated(count: number, ...args: Parameters<typeof simulate>): Generator<JudgedCase> {
  for (let index = 0; index < count; index += 1) yield simulate(...args);
}

describe("effective voters", PATIENT, () => {
  it("are n / (1 + (n − 1)ρ)", () => {
    expect(effectiveVoters(5, 0)).toBe(5);
    expect(effectiveVoters(5, 1)).toBe(1);
    expect(effectiveVoters(5, 0.25)).toBe(2.5);
    expect(effectiveVoters(1, 0.9)).toBe(1);
    expect(effectiveVoters(5, -0.2)).toBe(5);
    expect(effectiveVoters(64, 0.1)).toBeCloseTo(8.77, 2);
  });

  it.each([
    [3, 0.7, 0.1],
    [5, 0.6, 0],
    [5, 0.8, 0.2],
    [5, 0.8, 0.6],
    [5, 0.9, 0.9],
    [9, 0.75, 0.3],
    [9, 0.55, 0.05],
  ])(
    "of %i simulated voters with accuracy %d and correlation %d are estimated within 20 %%",
    (seats, accuracy, rho) => {
      for (const seed of [1, 2, 3, 4, 5]) {
        const voters = names(seats);
        const record = recordOf(simulated(1_000, voters, accuracy, rho, seededChance(seed)));
        const known = effectiveVoters(seats, rho);
        const estimate = effectiveVoters(seats, meanCorrelation(record, voters)!);
        expect(Math.abs(estimate - known) / known).toBeLessThan(0.2);
        for (const voter of voters) {
          const { rate, low, high } = accuracyOf(record.voters[voter]!)!;
          expect(rate).toBeCloseTo(accuracy, 0.9);
          expect(low < rate && rate < high).toBe(true);
        }
      }
    },
  );

  it("predict the variance of the share of right voters, which is what they are for", () => {
    const [seats, accuracy, rho] = [7, 0.7, 0.3];
    const chance = seededChance(11);
    const shares = [...simulated(20_000, names(seats), accuracy, rho, chance)].map(
      ({ answers }) => answers.filter(({ isRight }) => isRight).length / seats,
    );
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    const worth = (accuracy * (1 - accuracy)) / variance;
    expect(worth / effectiveVoters(seats, rho)).toBeCloseTo(1, 1);
  });
});

describe("the correlation of errors", () => {
  it("is the phi coefficient of the pair's table", () => {
    expect(errorCorrelation([10, 0, 0, 10])).toBe(1);
    expect(errorCorrelation([0, 10, 10, 0])).toBe(-1);
    expect(errorCorrelation([5, 5, 5, 5])).toBe(0);
    expect(errorCorrelation([6, 4, 2, 8])).toBeCloseTo(0.408, 3);
  });

  it("is not told from few cases, or where somebody is always right", () => {
    expect(errorCorrelation([5, 4, 5, 5])).toBeNull();
    expect(errorCorrelation([0, 0, 10, 90])).toBeNull();
    expect(meanCorrelation(EMPTY_RECORD, ["a", "b"])).toBeNull();
  });

  it("is known of two voters of the same name, such as two seats of one role", () => {
    const twins = recordOf(simulated(500, ["same", "same"], 0.7, 0.5, seededChance(3)));
    expect(meanCorrelation(twins, ["same", "same"])).toBeCloseTo(0.5, 1);
    expect(twins.voters.same).toMatchObject({ total: 1_000 });
  });
});

describe("the record", () => {
  const arbitraryCase = fc
    .array(fc.record({ voter: fc.constantFrom("a", "b", "__proto__", "c"), isRight: fc.boolean() }), {
      maxLength: 4,
    })
    .map((answers): JudgedCase => ({ answers }));

  it("takes a case back as if it had never been, so that a correction can replace it", () => {
    fc.assert(
      fc.property(fc.array(arbitraryCase, { maxLength: 10 }), arbitraryCase, (cases, mistaken) => {
        const before = recordOf(cases);
        const after = addCase(addCase(before, mistaken), mistaken, -1);
        for (const [voter, score] of Object.entries(before.voters))
          expect(after.voters[voter]).toEqual(score);
        for (const [pair, table] of Object.entries(before.pairs)) expect(after.pairs[pair]).toEqual(table);
      }),
      RUNS,
    );
  });

  it("is JSON, and takes any name", () => {
    const record = recordOf([
      {
        answers: [
          { voter: "__proto__", isRight: true },
          { voter: "b", isRight: false },
        ],
      },
    ]);
    expect(JSON.stringify(record.voters)).toContain(`"__proto__":{"right":1,"total":1}`);
    expect(record.pairs[pairKey("b", "__proto__")]).toEqual([0, 0, 1, 0]);
  });

  it("is bounded, and who is known least makes room for whoever is new", () => {
    const known = recordOf(simulated(3, names(4), 0.5, 0, seededChance(1)));
    let record = known;
    for (let index = 0; index < 300; index += 1) {
      record = addCase(record, { answers: [{ voter: `new-${index}`, isRight: true }] });
    }
    expect(Object.keys(record.voters)).toHaveLength(256);
    expect(record.voters).toMatchObject(known.voters);
    expect(record.voters["new-299"]).toEqual({ right: 1, total: 1 });
  });
});

describe("weights", () => {
  it("are the log-odds of accuracy, drawn to an unknown voter's and capped", () => {
    expect(weightOf()).toBeCloseTo(Math.log(7 / 3), 10);
    expect(weightOf({ right: 800, total: 1_000 })).toBeCloseTo(Math.log(0.8 / 0.2), 1);
    expect(weightOf({ right: 1_000, total: 1_000 })).toBe(MAX_WEIGHT);
    expect(weightOf({ right: 200, total: 1_000 })).toBe(0);
  });

  it("rise with every right answer and fall with every wrong one", () => {
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), (right, wrong) => {
        const weight = weightOf({ right, total: right + wrong });
        expect(weightOf({ right: right + 1, total: right + wrong + 1 })).toBeGreaterThanOrEqual(weight);
        expect(weightOf({ right, total: right + wrong + 1 })).toBeLessThanOrEqual(weight);
      }),
      RUNS,
    );
  });

  it("decide better than heads where voters differ", () => {
    const chance = seededChance(5);
    const accuracies = [0.9, 0.6, 0.6, 0.6, 0.6];
    const weights = accuracies.map((rate) => weightOf({ right: rate * 1_000, total: 1_000 }));
    let [byHead, byWeight] = [0, 0];
    for (let run = 0; run < 10_000; run += 1) {
      const votes = accuracies.map((rate) => (chance.next() < rate ? 1 : -1));
      byHead += votes.reduce((sum, vote) => sum + vote, 0) > 0 ? 1 : 0;
      byWeight += votes.reduce((sum, vote, index) => sum + vote * weights[index]!, 0) > 0 ? 1 : 0;
    }
    expect(byWeight).toBeGreaterThan(byHead + 300);
  });
});

describe("the single agent", () => {
  const usage = (tokens: number, costUsd: number | null = tokens / 1_024) => ({
    inputTokens: tokens,
    outputTokens: 0,
    costUsd,
  });
  const compare = (
    cases: number,
    ballotAccuracy: number,
    singleAccuracy: number,
    costUsd?: number | null,
  ) => {
    const chance = seededChance(1);
    let record = EMPTY_SINGLE;
    for (let index = 0; index < cases; index += 1) {
      const draw = chance.next();
      record = addSingle(record, {
        ballotRight: draw < ballotAccuracy,
        singleRight: draw < singleAccuracy,
        ballot: usage(500, costUsd),
        single: usage(100),
      });
    }
    return compareWithSingle(record);
  };

  it("was as good when the ballots gained nothing", () => {
    expect(compare(200, 0.8, 0.8)).toMatchObject({
      cases: 200,
      gain: { rate: 0 },
      tokenRatio: 5,
      costRatio: 5,
      finding: "one agent was as good in 200 cases, at 1/5.0 of the price",
    });
  });

  it("was not as good when they gained something, or while too little is known", () => {
    expect(compare(500, 0.9, 0.75)?.finding).toBeNull();
    expect(compare(10, 0.8, 0.8)?.finding).toBeNull();
    expect(compareWithSingle(EMPTY_SINGLE)).toBeNull();
  });

  it("has no price where a cost is unknown; its tokens are compared all the same", () => {
    expect(compare(200, 0.8, 0.8, null)).toMatchObject({ costRatio: null, tokenRatio: 5 });
    expect(addUsage(usage(1), usage(1, null)).costUsd).toBeNull();
  });

  it("is called as good wrongly in at most one of ten records where the gain is just not negligible", () => {
    let wrongly = 0;
    for (let run = 0; run < 500; run += 1) {
      const chance = seededChance(run);
      let record = EMPTY_SINGLE;
      for (let index = 0; index < 150; index += 1) {
        const draw = chance.next();
        // 10 % of cases only the ballot gets right, 5 % only the single agent: a gain of 5 %.
        const [ballotRight, singleRight] =
          draw < 0.7 ? [true, true] : draw < 0.8 ? [true, false] : [false, draw < 0.85];
        record = addSingle(record, { ballotRight, singleRight, ballot: usage(1), single: usage(1) });
      }
      wrongly += compareWithSingle(record)?.finding === null ? 0 : 1;
    }
    expect(wrongly).toBeLessThanOrEqual(50);
  });
});
