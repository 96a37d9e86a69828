// The lessons that the reducer of ballots learns over time, from commands as the runner writes them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Chance, seededChance } from "../../../../src/base/index.ts";
import { accuracyOf, type Ballot, effectiveVoters, openBallot } from "../../../../src/consensus/index.ts";
import { viewBallot } from "../../../../src/coordinator/ballots/show/view.ts";
import { reducers } from "../../../../src/coordinator/state.ts";
import { ballotSchema, type Json } from "../../../../src/protocol/index.ts";

const { ballots } = reducers;
type State = ReturnType<typeof ballots.empty>;

const RIGHT = "a".repeat(64);
const WRONG = "b".repeat(64);
const NAMES = ["v1", "v2", "v3", "v4", "v5"];

/** A ballot with these answers, from its opening to its receipt. */
function play(state: State, id: string, marks: readonly (string | null)[], fields: object = {}): void {
  playUntilReceipt(state, id, marks, fields);
  decide(state, { type: "ballots-settle", ids: [id] });
}

function playUntilReceipt(
  state: State,
  id: string,
  marks: readonly (string | null)[],
  fields: object = {},
): void {
  const votes = (mark: string) => marks.filter((other) => other === mark).length;
  const mark = votes(RIGHT) > marks.length / 2 ? RIGHT : votes(WRONG) > marks.length / 2 ? WRONG : null;
  const end = {
    id,
    result: "{}",
    isFailed: mark === null,
    stragglers: [],
    equivocators: [],
    ended: {
      strategy: "majority",
      topology: "star",
      outcome: mark === null ? "no_quorum" : "decided",
      decidedBy: "all",
      agreement: mark === null ? 0 : votes(mark) / marks.length,
      rounds: 1,
      endedAtMs: 2,
      mark,
      truth: null,
      isIndependent: true,
      seats: marks.map((each, index) => ({
        agent: `${NAMES[index]}-1`,
        voter: NAMES[index] as string,
        mark: each,
      })),
      spent: { tokens: 500, costUsd: 0.5 },
      single: { mark: marks[0] ?? null, agrees: marks[0] === mark, spent: { tokens: 100, costUsd: 0.125 } },
      ...fields,
    },
  } as const;
  decide(state, { type: "ballots-open", ballots: [openedAs(id, marks.length)] });
  decide(state, { type: "ballots-end", ends: [end] });
}

function openedAs(id: string, seats: number) {
  const spec = ballotSchema.parse({ seats, strategy: "majority" });
  const [core]: [Ballot, unknown] = openBallot({
    id,
    spec,
    seats: Array.from({ length: seats }, (_, index) => ({
      seat: index + 1,
      agent: `${NAMES[index]}-1`,
      weight: 1,
    })),
    nonce: "n",
    atMs: 1,
  });
  const at = { capability: "classify", priority: "normal", scope: "-", encoding: "json" } as const;
  return { id, ...at, storedAtMs: 1, openedAtMs: 1, task: "{}", core: JSON.stringify(core), bytes: 1 };
}

function decide(state: State, command: object): Json {
  const { type } = command as { type: keyof typeof ballots.commands };
  return ballots.decide(state, ballots.commands[type].parse(command) as never, 0);
}

const correct = (state: State, id: string, truth: string) =>
  decide(state, { type: "ballot-correct", id, truth });
const lessonsOf = (state: State) => state.lessons.get("classify");

/** The answers of five voters of equal accuracy whose errors have the correlation ρ: a shared draw with probability √ρ. */
function simulate(accuracy: number, rho: number, chance: Chance): string[] {
  const shared = chance.next() < accuracy;
  const each = () => (chance.next() < Math.sqrt(rho) ? shared : chance.next() < accuracy);
  return NAMES.map(() => (each() ? RIGHT : WRONG));
}

describe("over time", () => {
  it.each([
    [0.7, 0.1],
    [0.8, 0.3],
    [0.75, 0.6],
  ])(
    "the estimates for voters of accuracy %d and correlation %d get better with each case, across snapshots too",
    (accuracy, rho) => {
      const chance = seededChance(3);
      let state = ballots.empty();
      const known = effectiveVoters(5, rho);
      const errors: number[] = [];
      for (let index = 0; index < 1_500; index += 1) {
        play(state, `b${index}`, simulate(accuracy, rho, chance));
        correct(state, `b${index}`, RIGHT);
        if (index % 500 !== 499) continue;
        state = ballots.fromJson(JSON.parse(JSON.stringify(ballots.toJson(state))) as Json);
        const page = viewBallot(
          { ballots: state, registry: reducers.registry.empty() },
          `b${index}`,
          undefined,
        );
        errors.push(Math.abs(page.statistics.effectiveVoters! - known) / known);
        for (const { accuracy: rate } of page.statistics.agents) {
          expect(rate!.rate).toBeGreaterThan(accuracy - 0.06);
          expect(rate!.rate).toBeLessThan(accuracy + 0.06);
        }
      }
      expect(errors.at(-1)).toBeLessThan(0.1);
      expect(Math.max(...errors)).toBeLessThan(0.2);
      expect(state.ended.size).toBe(1_024);
      expect(lessonsOf(state)?.voters.cases).toBe(1_500);
    },
  );

  it("ballots are compared with their single agent, and judged where the truth is known", () => {
    const state = ballots.empty();
    play(state, "b1", [WRONG, RIGHT, RIGHT, RIGHT, WRONG]);
    play(state, "b2", [RIGHT, RIGHT, RIGHT, null, null]);
    play(state, "b3", [null, RIGHT, RIGHT, RIGHT, RIGHT], {
      single: { mark: null, agrees: false, spent: null },
    });
    for (const id of ["b1", "b2", "b3"]) correct(state, id, RIGHT);
    const page = viewBallot({ ballots: state, registry: reducers.registry.empty() }, "b1", undefined);
    expect(page.statistics.single).toMatchObject({
      ballots: 3,
      decided: 3,
      compared: 3,
      differed: 2,
      tokenRatio: 5,
      costRatio: 4,
      judged: { cases: 3, ballotAccuracy: 1, singleAccuracy: 1 / 3 },
    });
  });

  it("each topology has its own figures for cost and accuracy", () => {
    const state = ballots.empty();
    const mesh = { isIndependent: false, topology: "mesh", rounds: 2, spent: { tokens: 1_000, costUsd: 1 } };
    play(state, "b1", [RIGHT, RIGHT, RIGHT]);
    play(state, "b2", [RIGHT, WRONG, WRONG], mesh);
    for (const id of ["b1", "b2"]) correct(state, id, RIGHT);
    const reloaded = ballots.fromJson(JSON.parse(JSON.stringify(ballots.toJson(state))) as Json);
    const shown = (id: string) =>
      viewBallot({ ballots: reloaded, registry: reducers.registry.empty() }, id, undefined).statistics.single;
    expect(shown("b1")).toMatchObject({ ballots: 1, tokenRatio: 5, judged: { ballotAccuracy: 1 } });
    expect(shown("b2")).toMatchObject({ ballots: 1, tokenRatio: 10, judged: { ballotAccuracy: 0 } });
  });

  it("a cancelled ballot teaches nothing, and one whose seats saw each other teaches nothing about its voters", () => {
    const state = ballots.empty();
    play(state, "b1", [RIGHT, RIGHT, RIGHT], { outcome: "cancelled", decidedBy: null });
    correct(state, "b1", RIGHT);
    play(state, "b2", [RIGHT, RIGHT, RIGHT], { isIndependent: false, topology: "mesh" });
    correct(state, "b2", RIGHT);
    expect(lessonsOf(state)?.voters).toMatchObject({ cases: 0, voters: {} });
    expect(lessonsOf(state)?.ballots["majority/mesh"]).toMatchObject({ ballots: 1, bothRight: 1 });
  });

  it("a ballot can be corrected before its receipt", () => {
    const [first, second] = [ballots.empty(), ballots.empty()];
    play(first, "b1", [RIGHT, WRONG, RIGHT]);
    correct(first, "b1", RIGHT);
    playUntilReceipt(second, "b1", [RIGHT, WRONG, RIGHT]);
    expect(correct(second, "b1", RIGHT)).toMatchObject({ wasRight: true });
    decide(second, { type: "ballots-settle", ids: ["b1"] });
    expect(lessonsOf(second)).toEqual(lessonsOf(first));
  });
});

describe("corrections", () => {
  const marks = fc.array(fc.constantFrom(RIGHT, WRONG, null), { minLength: 5, maxLength: 5 });
  const played = fc.array(marks, { minLength: 1, maxLength: 6 });
  const corrected = fc.array(fc.tuple(fc.nat(5), fc.constantFrom(RIGHT, WRONG)), { maxLength: 20 });
  /** All counts that the formulas use; the time of an agent's last case is not one of them. */
  const counts = (state: State) =>
    JSON.parse(JSON.stringify([...state.lessons]).replaceAll(/,"last":\d+/g, "")) as Json;

  it("count once, and the last one counts, in any order of ends and corrections", () => {
    fc.assert(
      fc.property(played, corrected, fc.nat(5), (all, corrections, turn) => {
        const state = ballots.empty();
        for (const [index, each] of all.entries()) play(state, `b${index}`, each);
        const last = new Map<number, string>();
        for (const [index, truth] of corrections) {
          const at = index % all.length;
          correct(state, `b${at}`, truth);
          correct(state, `b${at}`, truth);
          last.set(at, truth);
        }
        const other = ballots.empty();
        const order = [...all.keys()].map((index) => (index + turn) % all.length);
        for (const index of order) play(other, `b${index}`, all[index]!, { truth: last.get(index) ?? null });
        const [[, lessons] = []] = counts(state) as [string, object][];
        const [[, others] = []] = counts(other) as [string, object][];
        expect(lessons).toEqual(others);
      }),
      { numRuns: 200 },
    );
  });

  it("lead to a record that gives the accuracy of each voter", () => {
    const state = ballots.empty();
    for (let index = 0; index < 10; index += 1) {
      play(state, `b${index}`, [RIGHT, index < 3 ? WRONG : RIGHT, RIGHT, null, null]);
      correct(state, `b${index}`, RIGHT);
    }
    const { voters } = lessonsOf(state)!.voters;
    expect(accuracyOf(voters.v2!)?.rate).toBe(0.7);
    expect(voters).not.toHaveProperty("v4");
  });
});
