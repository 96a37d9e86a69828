import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Chance, seededChance } from "../../../src/base/index.ts";
import {
  accuracyOf,
  addCase,
  correlationOf,
  EMPTY_RECORD,
  effectiveVoters,
  expectedAccuracy,
  meanCorrelation,
  pairKey,
  type VoterRecord,
  weightOf,
} from "../../../src/consensus/index.ts";
import { errorCorrelation, type JudgedCase, MAX_WEIGHT } from "../../../src/consensus/internal.ts";
import { scaled } from "../../support/scale.ts";
import { PATIENT, RUNS } from "../ballot/support.ts";

const names = (count: number) => Array.from({ length: count }, (_, index) => `voter-${index + 1}`);

/**
 * Voters of equal accuracy with error correlation ρ: each uses a shared draw with probability √ρ, otherwise its own
 * draw, so that two voters share a draw with probability ρ.
 */
function simulate(voters: string[], accuracy: number, correlation: number, chance: Chance): JudgedCase {
  const shared = chance.next() < accuracy;
  const answers = voters.map((voter) => ({
    agent: `${voter}-1`,
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
      for (let seed = 1; seed <= scaled(2, 5); seed += 1) {
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

  it("predict the variance of the share of right voters", () => {
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

describe("ballots that end early", PATIENT, () => {
  it.each([
    [0.7, 0.3],
    [0.8, 0.2],
    [0.8, 0.6],
  ])("still show the worth of five voters with accuracy %d and correlation %d", (accuracy, rho) => {
    const voters = names(5);
    const chance = seededChance(7);
    let record = EMPTY_RECORD;
    for (let index = 0; index < 2_000; index += 1) {
      // The voters answer in random order, and the ballot ends with the third equal answer.
      const { answers } = simulate(voters, accuracy, rho, chance);
      const order = answers.map((answer) => ({ answer, at: chance.next() })).sort((a, b) => a.at - b.at);
      const heard = order.map(({ answer }, at) => ({ ...answer, isLate: at >= 3 }));
      const isDecided = (upTo: number) =>
        [true, false].some(
          (side) => heard.slice(0, upTo).filter(({ isRight }) => isRight === side).length === 3,
        );
      const last = [3, 4, 5].find(isDecided);
      record = addCase(record, { answers: heard.slice(0, last) });
    }
    const known = effectiveVoters(5, rho);
    const estimate = effectiveVoters(5, meanCorrelation(record, voters)!);
    expect(Math.abs(estimate - known) / known).toBeLessThan(0.2);
    for (const voter of voters) expect(accuracyOf(record.voters[voter]!)?.rate).toBeCloseTo(accuracy, 0.9);
  });
});

describe("the correlation of errors", () => {
  it("is the phi coefficient of the pair's table", () => {
    expect(errorCorrelation([10, 0, 0, 10])).toBe(1);
    expect(errorCorrelation([0, 10, 10, 0])).toBe(-1);
    expect(errorCorrelation([5, 5, 5, 5])).toBe(0);
    expect(errorCorrelation([6, 4, 2, 8])).toBeCloseTo(0.408, 3);
  });

  it("is unknown with few cases, or if a voter is always right", () => {
    expect(errorCorrelation([5, 4, 5, 5])).toBeNull();
    expect(errorCorrelation([0, 0, 10, 90])).toBeNull();
    expect(meanCorrelation(EMPTY_RECORD, ["a", "b"])).toBeNull();
  });

  it("is known for two voters of one kind, such as two seats of one role", () => {
    const twins = recordOf(simulated(500, ["same", "same"], 0.7, 0.5, seededChance(3)));
    expect(meanCorrelation(twins, ["same", "same"])).toBeCloseTo(0.5, 1);
    expect(twins.voters.same).toMatchObject({ total: 1_000 });
  });

  it("of many voters of one kind is unknown with few cases, even if they make many pairs", () => {
    const few = recordOf(simulated(19, Array(9).fill("same"), 0.7, 0.5, seededChance(3)));
    expect(correlationOf(few, "same", "same")).toBeNull();
    const enough = recordOf(simulated(20, Array(9).fill("same"), 0.7, 0.5, seededChance(3)));
    expect(correlationOf(enough, "same", "same")).not.toBeNull();
  });
});

describe("the record", () => {
  const arbitraryCase = fc
    .array(
      fc.record({
        agent: fc.constantFrom("a1", "a2", "b1", "7", "__proto__"),
        voter: fc.constantFrom("a", "b", "__proto__", "c"),
        model: fc.constantFrom("m", "n", undefined),
        isRight: fc.boolean(),
      }),
      { maxLength: 5 },
    )
    .map((answers): JudgedCase => ({ answers }));
  /** The parts of a record that the formulas use: all except the numbers of last cases. */
  const known = ({ agents, ...record }: VoterRecord) => ({
    ...record,
    agents: Object.fromEntries(
      Object.entries(agents).map(([name, { right, total }]) => [name, { right, total }]),
    ),
  });

  it("removes a case without a trace, so that a correction can replace it", () => {
    fc.assert(
      fc.property(fc.array(arbitraryCase, { maxLength: 10 }), arbitraryCase, (cases, mistaken) => {
        const before = recordOf(cases);
        expect(known(addCase(addCase(before, mistaken), mistaken, -1))).toEqual(known(before));
      }),
      RUNS,
    );
  });

  it("does not depend on the order of cases, nor on the order of answers", () => {
    const shuffled = fc
      .array(arbitraryCase, { maxLength: 10 })
      .chain((cases) =>
        fc.tuple(
          fc.constant(cases),
          fc.shuffledSubarray(cases, { minLength: cases.length }),
          fc.infiniteStream(fc.nat(4)),
        ),
      );
    fc.assert(
      fc.property(shuffled, ([cases, others, turns]) => {
        const turned = others.map(({ answers }) => {
          const turn = turns.next().value as number;
          return { answers: [...answers.slice(turn), ...answers.slice(0, turn)].reverse() };
        });
        expect(known(recordOf(turned))).toEqual(known(recordOf(cases)));
      }),
      RUNS,
    );
  });

  it("is JSON, and takes any name", () => {
    const record = recordOf([
      {
        answers: [
          { agent: "p1", voter: "__proto__", isRight: true },
          { agent: "b1", voter: "b", isRight: false },
        ],
      },
    ]);
    expect(JSON.stringify(record.voters)).toContain(`"__proto__":{"right":1,"total":1}`);
    expect(record.pairs[pairKey("b", "__proto__")]).toEqual([0, 0, 1, 0]);
  });

  it("is bounded: a new kind replaces the kind with the fewest cases, and a new agent the agent with the oldest case", () => {
    const before = recordOf(simulated(3, names(4), 0.5, 0, seededChance(1)));
    let record = before;
    for (let index = 0; index < 300; index += 1) {
      record = addCase(record, { answers: [{ agent: `id-${index}`, voter: `new-${index}`, isRight: true }] });
    }
    expect(Object.keys(record.voters)).toHaveLength(256);
    expect(record.voters).toMatchObject(before.voters);
    expect(record.voters["new-299"]).toEqual({ right: 1, total: 1 });
    expect(Object.keys(record.agents)).toHaveLength(256);
    expect(record.agents).not.toHaveProperty("voter-1-1");
    expect(record.agents["id-299"]).toEqual({ right: 1, total: 1, last: 303 });
  });

  it("of the largest size stays below 200 KiB", () => {
    let record = EMPTY_RECORD;
    for (let from = 0; from < 400; from += 60) {
      const answers = Array.from({ length: 64 }, (_, index) => ({
        agent: `agent-of-some-length-${from + index}`,
        voter: `reviewer/vendor-model-${from + index}`,
        model: `vendor-model-${from + index}`,
        isRight: index % 2 === 0,
      }));
      record = addCase(record, { answers });
    }
    expect(Object.keys(record.pairs)).toHaveLength(2_048);
    expect(JSON.stringify(record).length).toBeLessThan(200 * 1_024);
  });
});

describe("weights", () => {
  const who = { agent: "a1", voter: "a" };
  const weigh = (right: number, total: number) =>
    weightOf(
      { ...EMPTY_RECORD, voters: { a: { right, total } }, agents: { a1: { right, total, last: 1 } } },
      who,
    );

  it("are the log-odds of accuracy, moved towards an unknown voter's and capped", () => {
    expect(weightOf(EMPTY_RECORD, who)).toBeCloseTo(Math.log(7 / 3), 10);
    expect(weigh(800, 1_000)).toBeCloseTo(Math.log(0.8 / 0.2), 1);
    expect(weigh(1_000, 1_000)).toBe(MAX_WEIGHT);
    expect(weigh(200, 1_000)).toBe(0);
  });

  it("rise with every right answer and fall with every wrong one", () => {
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), (right, wrong) => {
        const weight = weigh(right, right + wrong);
        expect(weigh(right + 1, right + wrong + 1)).toBeGreaterThanOrEqual(weight);
        expect(weigh(right, right + wrong + 1)).toBeLessThanOrEqual(weight);
      }),
      RUNS,
    );
  });

  it("of a new agent equal those of its kind, and follow its own cases later", () => {
    const good = Array.from({ length: 100 }, () => ({
      answers: [{ agent: "a1", voter: "a", isRight: true }],
    }));
    const record = recordOf(good);
    const fresh = { agent: "a2", voter: "a" };
    expect(expectedAccuracy(record, fresh)).toBeCloseTo(107 / 110, 10);
    expect(expectedAccuracy(record, { agent: "b1", voter: "b" })).toBe(0.7);
    const bad = Array.from({ length: 50 }, () => ({ answers: [{ ...fresh, isRight: false }] }));
    const later = recordOf([...good, ...bad]);
    expect(weightOf(later, fresh)).toBe(0);
    expect(weightOf(later, who)).toBeGreaterThan(2);
  });

  it("decide better than equal votes when voters differ", () => {
    const chance = seededChance(5);
    const accuracies = [0.9, 0.6, 0.6, 0.6, 0.6];
    const weights = accuracies.map((rate) => weigh(rate * 1_000, 1_000));
    let [byHead, byWeight] = [0, 0];
    for (let run = 0; run < 10_000; run += 1) {
      const votes = accuracies.map((rate) => (chance.next() < rate ? 1 : -1));
      byHead += votes.reduce((sum, vote) => sum + vote, 0) > 0 ? 1 : 0;
      byWeight += votes.reduce((sum, vote, index) => sum + vote * weights[index]!, 0) > 0 ? 1 : 0;
    }
    expect(byWeight).toBeGreaterThan(byHead + 300);
  });
});
