// Topologies of ballots as declarations: who is asked in which wave, whose answers each then sees, and who votes. Owns
// nothing else; the one mechanism that runs waves is ballot.ts.

import { type BallotSpec, fanOutOf, roundsOf, treeDepthOf, voterCountOf } from "../../protocol/index.ts";

/** One question to one seat. */
export interface Ask {
  readonly seat: number;
  /** A lead makes one answer of its group's. */
  readonly role: "member" | "lead";
  /** Seats whose newest answers it is shown, in this order. */
  readonly sees: readonly number[];
  /** How many of them at most, the first that have an answer; without it all. */
  readonly most?: number;
}

/** Questions that are asked together, once the wave before is over. */
export type Wave = readonly Ask[];

type Shape = Pick<
  BallotSpec,
  "depth" | "fanOut" | "neighbours" | "onDisagreement" | "rounds" | "seats" | "strategy" | "topology"
>;

interface Topology {
  waves(spec: Shape, round: number): Wave[];
  /** Whether every round up to the bound is wanted, unless the answers settle; else a further one is a debate. */
  readonly exchanges: boolean;
}

const TOPOLOGY: Readonly<Record<BallotSpec["topology"], Topology>> = {
  /** The hub asks all; nobody sees anybody. In a debate everybody sees everybody. */
  star: {
    exchanges: false,
    waves: (spec, round) => [
      range(1, spec.seats).map((seat) => asMember(seat, round === 1 ? [] : others(seat, spec.seats))),
    ],
  },
  /**
   * Seats 1 … fanOut lead, and each seat leads the next fanOut seats that are free, level by level. Members answer first,
   * then each lead makes one answer of its group's; those of the first level vote, and alone debate.
   */
  tree: {
    exchanges: false,
    waves(spec, round) {
      const voters = voterCountOf(spec);
      if (round > 1) return [range(1, voters).map((seat) => asMember(seat, others(seat, voters)))];
      const levels: Ask[][] = Array.from({ length: treeDepthOf(spec) }, () => []);
      for (const seat of range(1, spec.seats)) {
        const group = groupOf(spec, seat);
        // A seat without a group waits for nobody: it answers with the deepest.
        if (group.length === 0) levels.at(-1)!.push(asMember(seat, []));
        else levels[levelOf(spec, seat) - 1]!.push({ seat, role: "lead", sees: group });
      }
      return levels.reverse();
    },
  },
  /** One after the other, each refining the newest answer before it; from the second round on seat 1 sees the last. */
  ring: {
    exchanges: true,
    waves: ({ seats }, round) =>
      range(1, seats).map((seat) => {
        const before = range(1, seats - 1).map((step) => ((seat - 1 - step + seats) % seats) + 1);
        const sees = round === 1 ? before.filter((other) => other < seat) : before;
        return [{ seat, role: "member", sees, most: 1 }];
      }),
  },
  /** All at once, then again with sight of the neighbours, until they agree. */
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

/** The waves of a round, first to last. */
export function wavesOf(spec: Shape, round: number): Wave[] {
  return TOPOLOGY[spec.topology].waves(spec, round);
}

/** The seats that vote. */
export function votersOf(spec: Shape): number[] {
  return range(1, voterCountOf(spec));
}

/** Whether seats of this topology exchange answers for as many rounds as there may be. */
export function exchangesAnswers({ topology }: Pick<Shape, "topology">): boolean {
  return TOPOLOGY[topology].exchanges;
}

/** The control arm: the lowest of the seats that are asked first, which see nobody. */
export function controlSeatOf(spec: Shape): number {
  return Math.min(...wavesOf(spec, 1)[0]!.map(({ seat }) => seat));
}

/**
 * Whether a seat may be shown the answers of just these seats in that round: what every question is held to before it is
 * put. Made once a round, because a mesh of 64 has 4,032 lines.
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

/** The most questions that a ballot can ask: every wave of every round, and the judge or verifier once. */
export function mostMessages(spec: Shape): number {
  const asked = range(1, roundsOf(spec))
    .flatMap((round) => wavesOf(spec, round))
    .reduce((sum, wave) => sum + wave.length, 0);
  const { strategy, onDisagreement } = spec;
  const asksAdvice = strategy === "judge" || strategy === "verifier" || onDisagreement === "judge";
  return asked + (asksAdvice ? 1 : 0);
}

/** Who can see whose answer, each line once, in the order in which they are first used. */
export function linesOf(spec: Shape): { from: number; to: number }[] {
  const lines = new Map<string, { from: number; to: number }>();
  for (const { seat, sees, most } of firstRounds(spec)) {
    for (const from of sees.slice(0, most)) lines.set(`${from} ${seat}`, { from, to: seat });
  }
  return [...lines.values()];
}

/** Draws the seats, whose answers they see, and who votes. `name` tells what stands on a seat. */
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

/** The questions of the first two rounds; every later round is as the second. */
function firstRounds(spec: Shape): Ask[] {
  return range(1, Math.min(2, roundsOf(spec))).flatMap((round) => wavesOf(spec, round).flat());
}

/** The seats that a seat of a tree leads: the fanOut next ones after those of the seats before it. */
function groupOf(spec: Shape, seat: number): number[] {
  const fanOut = fanOutOf(spec);
  const first = fanOut * seat + 1;
  return range(first, Math.min(first + fanOut - 1, spec.seats));
}

/** The level of a seat of a tree, 1 for those that vote. */
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
