import { describe, expect, it } from "vitest";
import { drawTopology, mostMessages, sightIn } from "../../../src/consensus/index.ts";
import { linesOf, votersOf, wavesOf } from "../../../src/consensus/internal.ts";
import type { BallotInput } from "../../../src/protocol/index.ts";
import { scaled } from "../../support/scale.ts";
import { specOf } from "./support.ts";

const shapeOf = (more: Partial<BallotInput>) => specOf({ seats: 6, strategy: "majority", ...more });
const askedIn = (more: Partial<BallotInput>, round = 1) =>
  wavesOf(shapeOf(more), round).map((wave) => wave.map(({ seat }) => seat));

/** Whether a seat may see another seat's answer in the first two rounds. Every later round equals the second. */
const mayTell = (spec: ReturnType<typeof shapeOf>, from: number, to: number) =>
  [1, 2].some((round) => sightIn(spec, round)(to, [from]));

describe("waves", () => {
  it("of a star are one, and no seat sees an answer before a debate", () => {
    expect(askedIn({})).toEqual([[1, 2, 3, 4, 5, 6]]);
    expect(linesOf(shapeOf({}))).toEqual([]);
    expect(mayTell(shapeOf({}), 1, 2)).toBe(false);
    expect(mayTell(shapeOf({ onDisagreement: "debate" }), 1, 2)).toBe(true);
  });

  it("of a tree go from the deepest level up, and each lead sees only its own group", () => {
    const tree: Partial<BallotInput> = { seats: 14, topology: "tree", depth: 3, fanOut: 2 };
    expect(askedIn(tree)).toEqual([
      [7, 8, 9, 10, 11, 12, 13, 14],
      [3, 4, 5, 6],
      [1, 2],
    ]);
    expect(votersOf(shapeOf(tree))).toEqual([1, 2]);
    expect(mayTell(shapeOf(tree), 7, 3)).toBe(true);
    expect(mayTell(shapeOf(tree), 3, 1)).toBe(true);
    expect(mayTell(shapeOf(tree), 7, 1)).toBe(false);
    expect(mayTell(shapeOf(tree), 1, 3)).toBe(false);
    expect(mayTell(shapeOf(tree), 7, 8)).toBe(false);
  });

  it("of a tree that is not full ask seats without a group together with the deepest level", () => {
    expect(askedIn({ seats: 5, topology: "tree", fanOut: 3 })).toEqual([[2, 3, 4, 5], [1]]);
  });

  it("of a ring are one seat each, and from the second round on seat 1 sees the last", () => {
    expect(askedIn({ topology: "ring" })).toEqual([[1], [2], [3], [4], [5], [6]]);
    expect(mayTell(shapeOf({ topology: "ring" }), 6, 1)).toBe(false);
    expect(mayTell(shapeOf({ topology: "ring", rounds: 2 }), 6, 1)).toBe(true);
    expect(linesOf(shapeOf({ topology: "ring" })).map(({ from, to }) => `${from}${to}`)).toEqual([
      "12",
      "23",
      "34",
      "45",
      "56",
    ]);
  });

  it("of a mesh are all seats at once, each seeing its neighbours from the second round on", () => {
    const mesh: Partial<BallotInput> = { topology: "mesh", neighbours: 2 };
    expect(askedIn(mesh, 2)).toEqual([[1, 2, 3, 4, 5, 6]]);
    expect([2, 3, 4].map((from) => mayTell(shapeOf(mesh), from, 1))).toEqual([true, true, false]);
    expect(linesOf(shapeOf({ topology: "mesh" }))).toHaveLength(30);
  });

  it.each<[Partial<BallotInput>, number]>([
    [{}, 6],
    [{ onDisagreement: "debate", rounds: 3 }, 18],
    [{ onDisagreement: "judge", judge: "referee" }, 7],
    [{ topology: "tree", onDisagreement: "debate", rounds: 3 }, 6 + 2 + 2],
    [{ topology: "ring", rounds: 4 }, 24],
    [{ topology: "mesh", rounds: 5 }, 30],
  ])("of %j are %i questions at most", (more, most) => {
    expect(mostMessages(shapeOf(more))).toBe(most);
  });

  it("ask every seat exactly once in the first round, for every tree", () => {
    for (let seats = 2; seats <= 64; seats += scaled(5, 1)) {
      for (let fanOut = 1; fanOut < seats; fanOut += 1) {
        const parsed = [2, 3, 4, 5].flatMap((depth) => {
          try {
            return [shapeOf({ seats, topology: "tree", depth, fanOut })];
          } catch {
            return []; // No tree of this depth and fan-out has so many seats.
          }
        });
        expect(parsed.length).toBeLessThanOrEqual(1);
        for (const spec of parsed) {
          const asks = wavesOf(spec, 1);
          expect(asks.every((wave) => wave.length > 0)).toBe(true);
          expect(
            asks
              .flat()
              .map(({ seat }) => seat)
              .sort((a, b) => a - b),
          ).toEqual(Array.from({ length: seats }, (_, index) => index + 1));
          // A seat sees only seats of earlier waves, and exactly one seat sees each seat that does not vote.
          const seen = asks.flatMap((wave, index) =>
            wave.flatMap(({ sees }) => {
              const before = asks
                .slice(0, index)
                .flat()
                .map(({ seat }) => seat);
              expect(before).toEqual(expect.arrayContaining([...sees]));
              return sees;
            }),
          );
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen.length).toBe(seats - votersOf(spec).length);
        }
      }
    }
  });
});

describe("a drawing", () => {
  const tree = shapeOf({ seats: 3, topology: "tree", fanOut: 2 });

  it("shows the seats that vote and the answers that each seat sees", () => {
    expect(drawTopology(tree, "text", (seat) => `agent-${seat}`)).toBe(
      ["1  agent-1, votes, sees 3", "2  agent-2, votes", "3  agent-3"].join("\n"),
    );
  });

  it("is also available as Mermaid and DOT, with escaped names", () => {
    expect(drawTopology(tree, "mermaid", (seat) => `"${seat}"`)).toBe(
      [
        "flowchart TD",
        '  s1["#quot;1#quot;"]',
        '  s2["#quot;2#quot;"]',
        '  s3["#quot;3#quot;"]',
        '  verdict(("verdict"))',
        "  s3 --> s1",
        "  s1 --> verdict",
        "  s2 --> verdict",
      ].join("\n"),
    );
    expect(drawTopology(tree, "dot", (seat) => `"${seat}"`)).toContain('  s1 [label="\\"1\\""];');
    expect(drawTopology(tree, "dot")).toContain("  s3 -> s1;");
  });
});
