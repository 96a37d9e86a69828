import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { certainAnswersOf } from "../../../src/consensus/index.ts";
import {
  fitCalibration,
  MAX_MERGED_FINDINGS,
  type MergedFinding,
  majorityOf,
  minAnswersOf,
  type Poll,
  tally,
} from "../../../src/consensus/internal.ts";
import type { BallotInput, Json } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { complete, essenceOf, listsOf, PATIENT, pollOf, RUNS, specOf } from "../ballot/support.ts";

const A = "a";
const B = "b";
const C = "c";
const none = undefined;

/** Rows of values by seat, and the outcome of their count. */
type Row = [values: (Json | undefined)[], essence: string];

describe("majority: more than half of the registered seats", () => {
  it.each<Row>([
    [[A, A, A], 'decided "a"'],
    [[A, A, B, B, A], 'decided "a"'],
    [[A, A, none, none, none], "no_quorum"],
    [[A, A, B, B, none], "tie"],
    [[A, A, B, C, none], "no_quorum"],
    [[A, B, C, none, none], "tie"],
    [[none, none, none], "no_quorum"],
    [[A, A], "pending"],
    [[A, B, C], "pending"],
    [[A, B, C, "d"], "pending"], // The fifth answer may still break the tie, although no value can win.
    [[A, A, B, C], "pending"],
  ])("of 5, %j is %s", (values, essence) => {
    expect(essenceOf(pollOf({ seats: 5, strategy: "majority" }, values))).toBe(essence);
  });

  it("waits for the least number of answers", () => {
    const ballot: BallotInput = { seats: 5, strategy: "majority", minAnswers: 5 };
    expect(essenceOf(pollOf(ballot, [A, A, A, A]))).toBe("pending");
    expect(essenceOf(pollOf(ballot, [A, A, A, none]))).toBe("no_quorum");
    expect(essenceOf(pollOf(ballot, [A, A, A, B, B]))).toBe('decided "a"');
  });

  it("gives the missing number in the reason", () => {
    expect(tally(pollOf({ seats: 5, strategy: "majority" }, [A, A, B, C, none]))).toEqual({
      outcome: "no_quorum",
      reason: "the most common value has 2 of 3 equal answers",
    });
    expect(tally(pollOf({ seats: 5, strategy: "majority" }, [A, none, none, none]))).toEqual({
      outcome: "no_quorum",
      reason: "1 of at least 3 answers",
    });
  });

  it("distinguishes 1, true and their texts", () => {
    expect(essenceOf(pollOf({ seats: 3, strategy: "majority" }, [1, "1", true]))).toBe("tie");
  });
});

describe("quorum: so many equal answers, and more than any other value", () => {
  const ballot: BallotInput = { seats: 5, strategy: "quorum", quorum: 2 };
  it.each<Row>([
    [[A, A], "pending"], // The three open seats could still agree.
    [[A, A, A], 'decided "a"'],
    [[A, A, B, C, none], 'decided "a"'],
    [[A, A, B, B, C], "tie"],
    [[A, B, C, none, none], "tie"],
    [[A, none, none, none, none], "no_quorum"],
  ])("2 of 5, %j is %s", (values, essence) => {
    expect(essenceOf(pollOf(ballot, values))).toBe(essence);
  });
});

describe("unanimous", () => {
  it.each<Row>([
    [[A, A, A], 'decided "a"'],
    [[A, A], "pending"],
    [[A, B], "no_quorum"],
    [[A, A, none], "no_quorum"],
    [[none], "no_quorum"],
  ])("of 3, %j is %s", (values, essence) => {
    expect(essenceOf(pollOf({ seats: 3, strategy: "unanimous" }, values))).toBe(essence);
  });

  it("lets seats abstain when fewer answers are enough", () => {
    expect(essenceOf(pollOf({ seats: 3, strategy: "unanimous", minAnswers: 2 }, [A, A, none]))).toBe(
      'decided "a"',
    );
  });
});

describe("first", () => {
  it("takes the earliest answer of any seat", () => {
    const poll = pollOf({ seats: 3, strategy: "first" }, [A, B, C]);
    const votes = [
      { seat: 1, value: A, arrival: 3 },
      { seat: 2, value: B, arrival: 1 },
    ];
    expect(essenceOf({ ...poll, votes })).toBe('decided "b"');
    expect(essenceOf(pollOf({ seats: 3, strategy: "first" }, [none]))).toBe("pending");
    expect(essenceOf(pollOf({ seats: 3, strategy: "first" }, [none, none, none]))).toBe("no_quorum");
  });
});

describe("weighted: more than half of the registered weight", () => {
  const ballot: BallotInput = { seats: 3, strategy: "weighted", minAnswers: 1 };
  it("follows weights, not numbers of seats", () => {
    expect(essenceOf(pollOf(ballot, [A, B, B], { 1: 3, 2: 1, 3: 1 }))).toBe('decided "a"');
    expect(essenceOf(pollOf(ballot, [A], { 1: 3, 2: 1, 3: 1 }))).toBe('decided "a"');
    expect(essenceOf(pollOf(ballot, [A, B, B], { 1: 2, 2: 1, 3: 1 }))).toBe("tie");
  });

  it("decides nothing when no seat has any weight", () => {
    expect(essenceOf(pollOf(ballot, [A, A, A]))).toBe("no_quorum");
  });

  it("adds weights exactly, in any order", () => {
    const weights = { 1: 0.1, 2: 0.2, 3: 0.3, 4: 0.6 };
    const poll = pollOf({ seats: 4, strategy: "weighted" }, [A, A, A, B], weights);
    expect(essenceOf(poll)).toBe("tie");
  });

  it("rejects weights that no registry can contain", () => {
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => tally(pollOf(ballot, [A], { 1: weight, 2: 1, 3: 1 }))).toThrow("weight from the registry");
    }
  });

  it("takes weights only from the poll", () => {
    const said = { value: "a", weight: 1_000_000 };
    const poll = pollOf(ballot, [said, { value: "b" }, { value: "b" }], { 1: 1, 2: 1, 3: 1 });
    expect(essenceOf(poll)).toBe('decided {"value":"b"}');
    const forged = {
      ...poll,
      votes: poll.votes.map((vote) => ({ ...vote, weight: vote.seat === 1 ? 99 : 1 })),
    };
    expect(essenceOf(forged)).toBe('decided {"value":"b"}');
  });
});

describe("bft: ⌊(n + f) / 2⌋ + 1 of n", () => {
  it.each([
    [4, 3],
    [5, 4],
    [6, 4],
    [7, 5],
    [10, 7],
    [13, 9],
  ])("of %i seats needs %i", (seats, needed) => {
    const ballot: BallotInput = { seats, strategy: "bft" };
    const agreeing = new Array<string>(needed - 1).fill(A);
    expect(essenceOf(pollOf(ballot, agreeing))).toBe("pending");
    expect(essenceOf(pollOf(ballot, [...agreeing, A]))).toBe('decided "a"');
    expect(minAnswersOf(pollOf(ballot, []).spec)).toBe(needed);
  });
});

describe("ranked", () => {
  const condorcet: BallotInput = { seats: 3, strategy: "ranked" };

  it("takes Condorcet's winner, even if few rankings put it first", () => {
    const votes = [
      ["a", "m", "z"],
      ["z", "m", "a"],
      ["m", "a", "z"],
    ];
    expect(essenceOf(pollOf(condorcet, votes))).toBe('decided "m"');
  });

  it("resolves a circle of majorities by the strongest paths, as in Schulze's example of 45 votes", () => {
    const ballots: [number, string][] = [
      [5, "acbed"],
      [5, "adecb"],
      [8, "bedac"],
      [3, "cabed"],
      [7, "caebd"],
      [2, "cbade"],
      [7, "dceba"],
      [8, "ebadc"],
    ];
    const votes = ballots.flatMap(([count, order]) => new Array<string[]>(count).fill([...order]));
    const counted = tally(pollOf({ seats: 45, strategy: "ranked" }, votes));
    expect(counted).toMatchObject({ outcome: "decided", value: "e" });
    expect(counted.outcome === "decided" && counted.ranking?.map(({ value }) => value).join("")).toBe(
      "eacbd",
    );
  });

  it("reports a circle without a strongest path as a tie", () => {
    const circle = [
      ["a", "b", "c"],
      ["b", "c", "a"],
      ["c", "a", "b"],
    ];
    expect(essenceOf(pollOf(condorcet, circle))).toBe("tie");
    expect(essenceOf(pollOf({ ...condorcet, ranking: "borda" }, circle))).toBe("tie");
  });

  it("by Borda prefers a candidate that all rank high to the favourite of a majority", () => {
    const votes = [
      ["a", "b", "c", "d"],
      ["a", "b", "c", "d"],
      ["b", "c", "d", "a"],
    ];
    expect(essenceOf(pollOf(condorcet, votes))).toBe('decided "a"');
    expect(essenceOf(pollOf({ ...condorcet, ranking: "borda" }, votes))).toBe('decided "b"');
  });

  it("ranks omitted candidates below named ones", () => {
    expect(essenceOf(pollOf(condorcet, [["a"], ["a"], ["b", "a"]]))).toBe('decided "a"');
    expect(essenceOf(pollOf({ ...condorcet, ranking: "borda" }, [["a"], ["b"], ["b", "a"]]))).toBe(
      'decided "b"',
    );
  });

  it("refuses to compare more candidates than the bound", () => {
    const votes = [0, 1, 2].map((seat) => Array.from({ length: 40 }, (_, index) => `${seat}-${index}`));
    expect(essenceOf(pollOf(condorcet, votes))).toBe("no_quorum");
  });

  it("decides early when the candidates are declared and the lead is out of reach", () => {
    const known: BallotInput = { ...condorcet, seats: 5, candidates: ["a", "b", "c"] };
    const sure = [["a"], ["a", "b"], ["a", "c"]];
    expect(essenceOf(pollOf(known, sure))).toBe('decided "a"');
    const close = [["a"], ["a", "b"], ["b", "a"]];
    expect(essenceOf(pollOf({ ...known, ranking: "borda" }, sure))).toBe('decided "a"');
    expect(essenceOf(pollOf({ ...known, ranking: "borda" }, close))).toBe("pending");
    expect(essenceOf(pollOf({ ...condorcet, seats: 5 }, sure))).toBe("pending");
  });
});

describe("numbers", () => {
  it("give their mean, median or trimmed mean, with the spread", () => {
    const values = [1, 2, 3, 4, 100];
    expect(tally(pollOf({ seats: 5, strategy: "mean" }, values))).toMatchObject({ value: 22 });
    expect(tally(pollOf({ seats: 5, strategy: "trimmed" }, values))).toMatchObject({ value: 3 });
    const counted = tally(pollOf({ seats: 5, strategy: "median" }, values));
    expect(counted).toMatchObject({
      outcome: "decided",
      value: 3,
      supporters: [3],
      spread: { min: 1, max: 100, medianAbsoluteDeviation: 1 },
    });
    expect(counted.outcome === "decided" && counted.spread?.standardDeviation).toBeCloseTo(43.6177, 3);
  });

  it("of an even count have the mean of the middle two as their median", () => {
    expect(tally(pollOf({ seats: 4, strategy: "median" }, [4, 1, 3, 2]))).toMatchObject({ value: 2.5 });
  });

  it("decide early only when the open answers would be cut off", () => {
    expect(essenceOf(pollOf({ seats: 5, strategy: "median" }, [7, 7, 7]))).toBe("decided 7");
    expect(essenceOf(pollOf({ seats: 5, strategy: "median" }, [7, 7, 8]))).toBe("pending");
    expect(essenceOf(pollOf({ seats: 5, strategy: "mean" }, [7, 7, 7, 7]))).toBe("pending");
    expect(essenceOf(pollOf({ seats: 5, strategy: "trimmed" }, [7, 7, 7, 7]))).toBe("decided 7");
  });

  it("of any size give finite values", () => {
    const number = fc.double({ min: -1e150, max: 1e150, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 3, maxLength: 5 }),
        fc.constantFrom("mean" as const, "median" as const, "trimmed" as const),
        (values, strategy) => {
          const counted = tally(pollOf({ seats: values.length, strategy }, values));
          if (counted.outcome !== "decided") throw new Error(counted.outcome);
          expect(counted.value).toBeGreaterThanOrEqual(Math.min(...values));
          expect(counted.value).toBeLessThanOrEqual(Math.max(...values));
          expect(Object.values(counted.spread!).every(Number.isFinite)).toBe(true);
        },
      ),
      RUNS,
    );
  });
});

describe("merge", () => {
  const ballot: BallotInput = { seats: 3, strategy: "merge", key: ["/id"] };
  const find = (...ids: number[]) => ids.map((id) => ({ id }));

  it("matches findings by key and counts the seats that report each", () => {
    const counted = tally(pollOf(ballot, [find(1, 2, 2), find(2, 3), find(2)]));
    expect(counted).toMatchObject({
      outcome: "decided",
      value: [
        { finding: { id: 2 }, seats: [1, 2, 3], agreement: 1 },
        { finding: { id: 1 }, seats: [1], agreement: 1 / 3 },
        { finding: { id: 3 }, seats: [2], agreement: 1 / 3 },
      ],
    });
  });

  it("keeps only findings that enough seats report, and waits for all seats", () => {
    const two = { ...ballot, quorum: 2 };
    const counted = tally(pollOf(two, [find(1, 2), find(2, 3), none]));
    expect(counted).toMatchObject({ value: [{ finding: { id: 2 }, seats: [1, 2], agreement: 1 }] });
    expect(essenceOf(pollOf(two, [find(1), find(1)]))).toBe("pending");
  });

  it("adds the confidence of a finding with a calibration", () => {
    const samples = Array.from({ length: 400 }, (_, index) => ({
      votes: (index % 3) + 1,
      of: 3,
      isRight: index % 3 === 2 || index % 6 < 2,
    }));
    const calibration = fitCalibration(samples);
    const counted = tally(pollOf({ ...ballot, calibration }, [find(1, 2), find(2), find(2)]));
    const [all, one] = counted.outcome === "decided" ? (counted.value as MergedFinding[]) : [];
    expect(all?.confidence).toBeGreaterThan(0.9);
    expect(one?.confidence).toBeCloseTo(0.5, 1);
  });

  it("omits the least reported findings beyond its bound, and gives their number", () => {
    const many = Array.from({ length: 600 }, (_, id) => ({ id }));
    const others = many.map(({ id }) => ({ id: id + 600 }));
    const counted = tally(pollOf(ballot, [many, others, many]));
    if (counted.outcome !== "decided") throw new Error(counted.outcome);
    expect(counted.omitted).toBe(200);
    expect((counted.value as MergedFinding[]).length).toBe(MAX_MERGED_FINDINGS);
    expect((counted.value as MergedFinding[])[599]?.seats).toEqual([1, 3]);
  });
});

describe("judge and verifier", () => {
  it("get each candidate once, in an order that does not reveal the seats", () => {
    const judge: BallotInput = { seats: 3, strategy: "judge", judge: "referee" };
    expect(tally(pollOf(judge, [B, A, B]))).toEqual({ outcome: "ask", role: "judge", candidates: [A, B] });
    expect(essenceOf(pollOf(judge, [B, A]))).toBe("pending");
    expect(essenceOf(pollOf(judge, [B, none, none]))).toBe("no_quorum");
  });

  it("a judge is not asked about one candidate, a verifier is", () => {
    expect(essenceOf(pollOf({ seats: 3, strategy: "judge", judge: "referee" }, [A, A, A]))).toBe(
      'decided "a"',
    );
    expect(tally(pollOf({ seats: 3, strategy: "verifier", verifier: "tests" }, [A, A, A]))).toEqual({
      outcome: "ask",
      role: "verifier",
      candidates: [A],
    });
  });
});

// Properties over every strategy that counts votes by itself.

const COUNTING: BallotInput[] = [
  { seats: 4, strategy: "majority" },
  { seats: 4, strategy: "majority", minAnswers: 4 },
  { seats: 4, strategy: "majority", minAnswers: 1 },
  { seats: 4, strategy: "weighted" },
  { seats: 4, strategy: "weighted", minAnswers: 1 },
  { seats: 4, strategy: "quorum", quorum: 1 },
  { seats: 4, strategy: "quorum", quorum: 2 },
  { seats: 4, strategy: "quorum", quorum: 4, minAnswers: 1 },
  { seats: 4, strategy: "unanimous" },
  { seats: 4, strategy: "unanimous", minAnswers: 2 },
  { seats: 4, strategy: "bft" },
];
const WEIGHTINGS = [
  { 1: 1, 2: 1, 3: 1, 4: 1 },
  { 1: 3, 2: 1, 3: 1, 4: 1 },
  { 1: 0.1, 2: 0.2, 3: 0.3, 4: 0 },
];

/** Every poll of four seats with 0 to 4 answers from the domain. */
function* everyPoll(ballot: BallotInput, domain: (Json | undefined)[]): Generator<Poll> {
  const weightings = ballot.strategy === "weighted" ? WEIGHTINGS : WEIGHTINGS.slice(0, 1);
  for (const weights of weightings) {
    for (let heard = 0; heard <= 4; heard += 1) {
      for (const values of listsOf(domain, heard)) yield pollOf(ballot, values, weights);
    }
  }
}

describe.each(COUNTING)("%j", PATIENT, (ballot) => {
  const domain = [A, B, C, none];

  it("decides early exactly when no completion of the open seats can change the outcome", () => {
    for (const poll of everyPoll(ballot, domain)) {
      if (poll.open.length === 0) continue;
      // An open seat may repeat a value or give a new one. One fresh value for each seat stands for all new values.
      const fresh = poll.open.map((seat) => `new-${seat}`);
      const ends = new Set<string>();
      for (const values of listsOf([...domain, ...fresh], poll.open.length)) {
        ends.add(essenceOf(complete(poll, values)));
      }
      const early = essenceOf(poll);
      if (early !== "pending") expect([...ends]).toEqual([early]);
      // With weights a count may wait although every completion ends the same.
      else if (ballot.strategy !== "weighted") expect(ends.size).toBeGreaterThan(1);
    }
  });

  it("does not depend on the order of votes", () => {
    for (const poll of everyPoll(ballot, domain)) {
      const turned = [...poll.votes].reverse().map((vote) => ({ ...vote, arrival: 100 - vote.arrival }));
      expect(tally({ ...poll, votes: turned })).toEqual(tally(poll));
    }
  });

  it("never decides with less than its quorum or its least answers", () => {
    for (const poll of everyPoll(ballot, domain)) {
      const counted = tally(poll);
      if (counted.outcome !== "decided") continue;
      const support = poll.votes.filter(({ value }) => value === counted.value);
      expect(counted.supporters).toEqual(support.map(({ seat }) => seat));
      expect(poll.votes.length).toBeGreaterThanOrEqual(minAnswersOf(poll.spec));
      const weightOf = (seats: readonly number[]) =>
        seats.reduce((sum, seat) => sum + Math.round((poll.weights[seat] ?? 0) * 1e6), 0);
      if (ballot.strategy === "majority") expect(support.length).toBeGreaterThanOrEqual(majorityOf(4));
      if (ballot.strategy === "bft") expect(support.length).toBeGreaterThanOrEqual(3);
      if (ballot.strategy === "quorum") expect(support.length).toBeGreaterThanOrEqual(ballot.quorum!);
      if (ballot.strategy === "weighted") {
        expect(2 * weightOf(counted.supporters)).toBeGreaterThan(weightOf(poll.voters));
      }
    }
  });
});

describe("rankings and numbers", PATIENT, () => {
  const orders = fc.shuffledSubarray(["a", "b", "c", "d"], { minLength: 1 });
  const kinds: [BallotInput, fc.Arbitrary<Json>][] = [
    [{ seats: 6, strategy: "ranked", candidates: ["a", "b", "c", "d"], minAnswers: 2 }, orders],
    [
      { seats: 6, strategy: "ranked", ranking: "borda", candidates: ["a", "b", "c", "d"], minAnswers: 2 },
      orders,
    ],
    [{ seats: 6, strategy: "ranked" }, orders],
    [{ seats: 6, strategy: "median", minAnswers: 2 }, fc.integer({ min: 1, max: 3 })],
    [{ seats: 6, strategy: "mean", minAnswers: 2 }, fc.double({ min: -5, max: 5, noNaN: true })],
    [{ seats: 6, strategy: "trimmed", trim: 0.34, minAnswers: 2 }, fc.integer({ min: 1, max: 2 })],
    [{ seats: 6, strategy: "merge" }, fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 })],
    [{ seats: 6, strategy: "judge", judge: "referee" }, fc.constantFrom(A, B)],
  ];

  it.each(kinds)(
    "%j: an early decision equals the decision of every completion, and order makes no difference",
    (ballot, value) => {
      let early = 0;
      const maybe = fc.option(value, { nil: undefined, freq: 5 });
      fc.assert(
        fc.property(
          fc.array(maybe, { maxLength: 6 }),
          fc.array(fc.array(maybe, { minLength: 6, maxLength: 6 }), { minLength: 8, maxLength: 8 }),
          fc.integer({ min: 1, max: 5 }),
          (values, completions, turn) => {
            const poll = pollOf(ballot, values);
            const { votes } = poll;
            const turned = [...votes.slice(turn), ...votes.slice(0, turn)].map((vote, arrival) => ({
              ...vote,
              arrival,
            }));
            expect(tally({ ...poll, votes: turned })).toEqual(tally(poll));
            const now = essenceOf(poll);
            if (now === "pending" || poll.open.length === 0) return;
            early += now.startsWith("decided") ? 1 : 0;
            for (const completion of completions) expect(essenceOf(complete(poll, completion))).toBe(now);
          },
        ),
        { numRuns: scaled(400, 2_000), seed: 7 },
      );
      const canBeEarly = ["ranked", "median", "trimmed"].includes(ballot.strategy) && ballot.minAnswers === 2;
      if (canBeEarly) expect(early).toBeGreaterThan(0);
      else expect(early).toBe(0);
    },
  );
});

describe("answers that a ballot always waits for", () => {
  it.each<[BallotInput, number]>([
    [{ seats: 5, strategy: "majority" }, 3],
    [{ seats: 5, strategy: "majority", minAnswers: 5 }, 5],
    [{ seats: 5, strategy: "quorum", quorum: 5 }, 4],
    [{ seats: 4, strategy: "bft" }, 3],
    [{ seats: 5, strategy: "first" }, 1],
    [{ seats: 5, strategy: "unanimous" }, 2],
    [{ seats: 5, strategy: "unanimous", onDisagreement: "plurality" }, 5],
    [{ seats: 5, strategy: "weighted", minAnswers: 5 }, 3],
    [{ seats: 5, strategy: "weighted", minAnswers: 5, onDisagreement: "plurality" }, 5],
    [{ seats: 5, strategy: "merge" }, 5],
    [{ seats: 5, strategy: "median" }, 3],
  ])("of %j are %i", (ballot, count) => {
    expect(certainAnswersOf(specOf(ballot))).toBe(count);
  });

  const rules = fc.constantFrom("fail" as const, "human" as const);
  const ballots = fc.tuple(fc.integer({ min: 2, max: 9 }), fc.nat(8), rules).chain(([seats, more, rule]) => {
    const some = 1 + (more % seats);
    const onDisagreement = rule;
    return fc.constantFrom<BallotInput>(
      { seats, strategy: "majority", onDisagreement },
      { seats, strategy: "majority", minAnswers: some, onDisagreement },
      { seats, strategy: "quorum", quorum: some, onDisagreement },
      { seats: Math.max(4, seats), strategy: "bft", onDisagreement },
      { seats, strategy: "weighted", onDisagreement },
      { seats, strategy: "weighted", minAnswers: some, onDisagreement },
      { seats, strategy: "unanimous", onDisagreement },
      { seats, strategy: "first" },
    );
  });

  it("are awaited regardless of their values", () => {
    const answers = fc.array(fc.constantFrom(A, B, C), { minLength: 9, maxLength: 9 });
    const weights = fc.array(fc.constantFrom(0, 0.4, 0.85, 2.94), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(ballots, answers, weights, (ballot, values, each) => {
        const weightOf = Object.fromEntries(each.map((weight, index) => [index + 1, weight]));
        for (let count = 0; count < certainAnswersOf(specOf(ballot)); count += 1) {
          const essence = essenceOf(pollOf(ballot, values.slice(0, count), weightOf));
          // If a step follows a disagreement, the ballot waits on after a lost count.
          if (ballot.onDisagreement === "human") expect(essence).not.toContain("decided");
          else expect(essence).toBe("pending");
        }
      }),
      RUNS,
    );
  });
});
