// The topologies of ballots as declarations: the seats of each wave, the answers that each seat sees, and the seats
// that vote. waves.ts and ballot.ts run the waves. Pure.

import { type BallotSpec, fanOutOf, roundsOf, treeDepthOf, voterCountOf } from "../../protocol/index.ts";

/** One question to one seat. */
export interface Ask {
  readonly seat: number;
  /** A lead combines the answers of its group into one answer. */
  readonly role: "member" | "lead";
  /** The seats whose newest answers the question shows, in this order. */
  readonly sees: readonly number[];
  /** The most answers to show: the answers of the first seats in `sees` that have answered. Default: all. */
  readonly most?: number;
}

/** The questions that are asked together, after the wave before has ended. */
export type Wave = readonly Ask[];

type Shape = Pick<
  BallotSpec,
  "depth" | "fanOut" | "neighbours" | "onDisagreement" | "rounds" | "seats" | "strategy" | "topology"
>;

interface Topology {
  waves(spec: Shape, round: number): Wave[];
  /** Whether the ballot runs rounds up to its bound until the answers settle. If not, a further round is a debate. */
  readonly exchanges: boolean;
}

const TOPOLOGY: Readonly<Record<BallotSpec["topology"], Topology>> = {
  /** The hub asks all seats, and no seat sees another answer. In a debate every seat sees all other answers. */
  star: {
    exchanges: false,
    waves: (spec, round) => [
      range(1, spec.seats).map((seat) => asMember(seat, round === 1 ? [] : others(seat, spec.seats))),
    ],
  },
  /**
   * Seats 1 … fanOut are the first level, and each seat leads the next fanOut free seats, level by level. Members
   * answer first. Then each lead combines the answers of its group into one. Only the seats of the first level vote and
   * debate.
   */
  tree: {
    exchanges: false,
    waves(spec, round) {
      const voters = voterCountOf(spec);
      if (round > 1) return [range(1, voters).map((seat) => asMember(seat, others(seat, voters)))];
      const levels: Ask[][] = Array.from({ length: treeDepthOf(spec) }, () => []);
      for (const seat of range(1, spec.seats)) {
        const group = groupOf(spec, seat);
        // A seat without a group has no answers to wait for, so it answers with the deepest level.
        if (group.length === 0) levels.at(-1)!.push(asMember(seat, []));
        else levels[levelOf(spec, seat) - 1]!.push({ seat, role: "lead", sees: group });
      }
      return levels.reverse();
    },
  },
  /**
   * The seats answer in turn, and each refines the newest answer before it. From round 2 on seat 1 sees the last seat.
   */
  ring: {
    exchanges: true,
    waves: ({ seats }, round) =>
      range(1, seats).map((seat) => {
        const before = range(1, seats - 1).map((step) => ((seat - 1 - step + seats) % seats) + 1);
        const sees = round === 1 ? before.filter((other) => other < seat) : before;
        return [{ seat, role: "member", sees, most: 1 }];
      }),
  },
  /** All seats answer at once, then again with sight of their neighbours, until they agree. */
  mesh: {
    exchanges: true,
    waves: ({ seats, neighbours = seats - 1 }, round) => [
      range(1, seats).map((seat) =>
        asMember(
          seat,
          round === 1 ? [] : range(1, neighbours).map((step) => ((seat - 1 + step) % seats) + 1),
        ),
      ),
    ],
  },
};

/** The latest waves: one answer asks for the waves of its ballot several times. */
let latest: { readonly spec: Shape; readonly round: number; readonly waves: readonly Wave[] } | undefined;

/** The waves of a round, in order. */
export function wavesOf(spec: Shape, round: number): readonly Wave[] {
  if (latest?.spec !== spec || latest.round !== round)
    latest = { spec, round, waves: TOPOLOGY[spec.topology].waves(spec, round) };
  return latest.waves;
}

/** The seats that vote. */
export function votersOf(spec: Shape): number[] {
  return range(1, voterCountOf(spec));
}

/** Whether the seats of this topology exchange answers in every round. */
export function exchangesAnswers({ topology }: Pick<Shape, "topology">): boolean {
  return TOPOLOGY[topology].exchanges;
}

/** The control arm: the seat whose first answer is compared with the ballot's. It is the lowest seat of the first wave. */
export function controlSeatOf(spec: Shape): number {
  return Math.min(...wavesOf(spec, 1)[0]!.map(({ seat }) => seat));
}

/**
 * Creates a function that checks whether a seat may see the answers of the seats `shown` in that round. The driver checks
 * every question before it publishes it. One function serves a whole round, because a mesh of 64 seats has 4,032 lines.
 */
export function sightIn(spec: Shape, round: number): (seat: number, shown: readonly number[]) => boolean {
  const asks = round > roundsOf(spec) ? [] : wavesOf(spec, round).flat();
  const sights = new Map(asks.map(({ seat, sees, most }) => [seat, { sees: new Set(sees), most }]));
  return (seat, shown) => {
    const sight = sights.get(seat);
    if (sight === undefined || shown.length > (sight.most ?? sight.sees.size)) return false;
    return shown.every((from) => sight.sees.has(from));
  };
}

/** The most questions that a ballot can ask: every wave of every round, and one question to the judge or verifier. */
export function mostMessages(spec: Shape): number {
  const asked = range(1, roundsOf(spec))
    .flatMap((round) => wavesOf(spec, round))
    .reduce((sum, wave) => sum + wave.length, 0);
  const { strategy, onDisagreement } = spec;
  const asksAdvice = strategy === "judge" || strategy === "verifier" || onDisagreement === "judge";
  return asked + (asksAdvice ? 1 : 0);
}

/** The lines "seat `to` can see the answer of seat `from`", each once, in the order of their first use. */
export function linesOf(spec: Shape): { from: number; to: number }[] {
  const lines = new Map<string, { from: number; to: number }>();
  for (const { seat, sees, most } of firstRounds(spec)) {
    for (const from of sees.slice(0, most)) lines.set(`${from} ${seat}`, { from, to: seat });
  }
  return [...lines.values()];
}

/** Draws the seats, the answers that they see, and the seats that vote. `name` returns the label of a seat. */
export function drawTopology(
  spec: Shape,
  format: "text" | "mermaid" | "dot",
  name: (seat: number) => string = (seat) => `seat ${seat}`,
): string {
  const voters = votersOf(spec);
  const lines = linesOf(spec);
  const quote = (text: string) => JSON.stringify(text);
  if (format === "text") {
    return range(1, spec.seats)
      .map((seat) => {
        const seen = lines.filter(({ to }) => to === seat).map(({ from }) => from);
        const sees = seen.length === 0 ? "" : `, sees ${seen.join(", ")}`;
        return `${seat}  ${name(seat)}${voters.includes(seat) ? ", votes" : ""}${sees}`;
      })
      .join("\n");
  }
  const seats = range(1, spec.seats).map((seat) =>
    format === "mermaid"
      ? `  s${seat}[${quote(name(seat)).replaceAll('\\"', "#quot;")}]`
      : `  s${seat} [label=${quote(name(seat))}];`,
  );
  const arrows = [
    ...lines.map(({ from, to }) => [`s${from}`, `s${to}`]),
    ...voters.map((seat) => [`s${seat}`, "verdict"]),
  ].map(([from, to]) => (format === "mermaid" ? `  ${from} --> ${to}` : `  ${from} -> ${to};`));
  return format === "mermaid"
    ? ["flowchart TD", ...seats, '  verdict(("verdict"))', ...arrows].join("\n")
    : ["digraph ballot {", ...seats, "  verdict [shape=doublecircle];", ...arrows, "}"].join("\n");
}

/** The questions of the first two rounds. Every later round equals the second. */
function firstRounds(spec: Shape): Ask[] {
  return range(1, Math.min(2, roundsOf(spec))).flatMap((round) => wavesOf(spec, round).flat());
}

/** The group of a seat in a tree: the next fanOut seats after the groups of all seats before it. */
function groupOf(spec: Shape, seat: number): number[] {
  const fanOut = fanOutOf(spec);
  const first = fanOut * seat + 1;
  return range(first, Math.min(first + fanOut - 1, spec.seats));
}

/** The level of a seat in a tree. Level 1 votes. */
function levelOf(spec: Shape, seat: number): number {
  const fanOut = fanOutOf(spec);
  let level = 1;
  for (let lead = seat; lead > fanOut; level += 1) lead = Math.ceil(lead / fanOut) - 1;
  return level;
}

function asMember(seat: number, sees: readonly number[]): Ask {
  return { seat, role: "member", sees };
}

function others(seat: number, seats: number): number[] {
  return range(1, seats).filter((other) => other !== seat);
}

function range(first: number, last: number): number[] {
  const all: number[] = [];
  for (let next = first; next <= last; next++) all.push(next);
  return all;
}
