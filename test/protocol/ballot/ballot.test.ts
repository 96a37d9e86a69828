import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readPlainBallot } from "../../../src/protocol/ballot/ballot.ts";
import {
  type BallotInput,
  ballotSchema,
  fanOutOf,
  parse,
  roundsOf,
  SwarmError,
  voterCountOf,
} from "../../../src/protocol/index.ts";

const read = (ballot: unknown) => parse(z.strictObject({ ballot: ballotSchema }), { ballot }, "task").ballot;

function fieldOf(ballot: unknown): string | undefined {
  try {
    read(ballot);
  } catch (error) {
    expect(error).toBeInstanceOf(SwarmError);
    expect((error as SwarmError).code).toBe("invalid_input");
    return (error as SwarmError).field;
  }
  return undefined;
}

describe("a ballot", () => {
  it("needs seats and a strategy, and gets defaults for the rest", () => {
    expect(read({ seats: 5, strategy: "majority" })).toEqual({
      seats: 5,
      strategy: "majority",
      pointer: "",
      timeoutMs: 300_000,
      diversity: "agent",
      onDisagreement: "fail",
      topology: "star",
    });
  });

  it("is read from memory the second time, as a copy of its own", () => {
    const written = { seats: 5, strategy: "majority", quorum: undefined };
    expect(readPlainBallot(written), "a field without JSON is for the schema").toBeUndefined();
    const first = readPlainBallot({ seats: 5, strategy: "majority" })!;
    expect(first).toStrictEqual(ballotSchema.parse({ seats: 5, strategy: "majority" }));
    Object.assign(first, { seats: 6 });
    expect(readPlainBallot({ seats: 5, strategy: "majority" })?.seats).toBe(5);
    expect(readPlainBallot({ seats: 0, strategy: "majority" })).toBeUndefined();
    expect(readPlainBallot(JSON.parse('{"seats":5,"strategy":"majority","__proto__":{}}'))).toBeUndefined();
  });

  const faults: [string, Record<string, unknown>][] = [
    ["strategy", { strategy: "loudest" }],
    ["strategy", { strategy: 7 }],
    ["seats", { seats: 0 }],
    ["seats", { seats: 10_000 }],
    ["seats", { seats: 2.5 }],
    ["seats", { seats: "5" }],
    ["seats", { seats: Number.NaN }],
    ["seats", { strategy: "bft", seats: 3 }],
    ["quorum", { strategy: "quorum" }],
    ["quorum", { strategy: "quorum", quorum: 6 }],
    ["quorum", { strategy: "quorum", quorum: 0 }],
    ["quorum", { quorum: 3 }],
    ["minAnswers", { minAnswers: 6 }],
    ["panel", { panel: ["lint", "types"] }],
    ["panel.0", { seats: 1, panel: ["a.b"] }],
    ["calibration", { calibration: { intercept: 0, slope: 1, cells: [] } }],
    ["calibration.slope", { strategy: "merge", calibration: { intercept: 0, slope: Number.NaN, cells: [] } }],
    ["judge", { strategy: "judge" }],
    ["judge", { strategy: "judge", judge: "" }],
    ["judge", { strategy: "judge", judge: "a.b" }],
    ["judge", { onDisagreement: "judge" }],
    ["judge", { judge: "referee" }],
    ["verifier", { strategy: "verifier" }],
    ["verifier", { verifier: "tests" }],
    ["pointer", { pointer: "label" }],
    ["pointer", { pointer: "/a~2b" }],
    ["pointer", { pointer: "/a~" }],
    ["pointer", { pointer: 3 }],
    ["pointer", { pointer: `/${"a".repeat(256)}` }],
    ["normalise.tolerance", { normalise: { tolerance: 0 } }],
    ["normalise.tolerance", { normalise: { tolerance: Number.NaN } }],
    ["normalise.fold", { normalise: { fold: true } }],
    ["type", { strategy: "mean", type: "string" }],
    ["type", { type: "date" }],
    ["trim", { trim: 0.1 }],
    ["trim", { strategy: "trimmed", trim: 0.5 }],
    ["key", { key: ["/id"] }],
    ["key.0", { strategy: "merge", key: ["id"] }],
    ["ranking", { ranking: "borda" }],
    ["candidates", { candidates: ["a", "b"] }],
    ["candidates", { strategy: "ranked", candidates: ["a"] }],
    ["timeoutMs", { timeoutMs: 0 }],
    ["timeoutMs", { timeoutMs: Number.POSITIVE_INFINITY }],
    ["diversity", { diversity: "colour" }],
    ["diversity", { strategy: "bft", diversity: "none" }],
    ["onDisagreement", { onDisagreement: "shout" }],
    ["onDisagreement", { strategy: "bft", onDisagreement: "plurality" }],
    ["onDisagreement", { strategy: "mean", onDisagreement: "debate" }],
    ["onDisagreement", { topology: "mesh", onDisagreement: "debate" }],
    ["rounds", { rounds: 2 }],
    ["rounds", { onDisagreement: "debate", rounds: 1 }],
    ["rounds", { onDisagreement: "debate", rounds: 9 }],
    ["topology", { topology: "web" }],
    ["topology", { strategy: "bft", topology: "mesh" }],
    ["depth", { depth: 2 }],
    ["depth", { topology: "tree", depth: 3, fanOut: 4 }],
    ["fanOut", { fanOut: 2 }],
    ["fanOut", { topology: "tree", seats: 7, fanOut: 2 }],
    ["quorum", { topology: "tree", seats: 6, strategy: "quorum", quorum: 3 }],
    ["neighbours", { neighbours: 2 }],
    ["neighbours", { topology: "mesh", neighbours: 5 }],
    ["budget.maxMessages", { budget: { maxMessages: 4 } }],
    ["budget.maxMessages", { strategy: "judge", judge: "referee", budget: { maxMessages: 5 } }],
    ["budget.maxHops", { topology: "ring", budget: { maxHops: 4 } }],
    ["budget.maxUsd", { budget: { maxUsd: 0 } }],
    ["jury", { jury: 12 }],
  ];
  it.each(faults)("is rejected with an error that names %s: %o", (field, fault) => {
    expect(fieldOf({ seats: 5, strategy: "majority", ...fault })).toBe(`ballot.${field}`);
  });

  it.each([{}, { seats: 5 }, { strategy: "majority" }, null, 5, "majority", []])("cannot be %o", (value) => {
    expect(fieldOf(value)).toMatch(/^ballot/);
  });

  it.each<BallotInput>([
    { seats: 1, strategy: "first" },
    { seats: 64, strategy: "weighted", onDisagreement: "plurality" },
    { seats: 3, strategy: "judge", judge: "referee", onDisagreement: "human" },
    { seats: 4, strategy: "bft", onDisagreement: "debate", rounds: 3 },
    { seats: 6, strategy: "majority", topology: "tree", depth: 2, fanOut: 2 },
    { seats: 5, strategy: "first", topology: "ring", rounds: 2, budget: { maxMessages: 10 } },
    { seats: 5, strategy: "median", topology: "mesh", neighbours: 2, rounds: 3 },
    { seats: 3, strategy: "merge", key: ["/file", "/line"], quorum: 2 },
    { seats: 3, strategy: "ranked", ranking: "borda", candidates: ["a", 1, true] },
  ])("may be %o", (ballot) => {
    expect(read(ballot)).toMatchObject(ballot);
  });
});

it("a tree without a fan-out has the fewest leads with room for all seats, and only the leads vote", () => {
  const tree = (seats: number) => read({ seats, strategy: "majority", topology: "tree" });
  expect([3, 6, 7, 12, 13, 64].map((seats) => fanOutOf(tree(seats)))).toEqual([2, 2, 3, 3, 4, 8]);
  expect(voterCountOf(tree(12))).toBe(3);
  expect(voterCountOf(read({ seats: 12, strategy: "majority" }))).toBe(12);
});

it("a debate and a mesh have two rounds by default, and every other ballot has one", () => {
  expect(roundsOf(read({ seats: 3, strategy: "majority" }))).toBe(1);
  expect(roundsOf(read({ seats: 3, strategy: "majority", onDisagreement: "debate" }))).toBe(2);
  expect(roundsOf(read({ seats: 3, strategy: "majority", topology: "mesh", rounds: 5 }))).toBe(5);
});
