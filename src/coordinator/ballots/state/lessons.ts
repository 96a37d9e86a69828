// The lessons from ended ballots, by capability: sums of outcomes, gains and costs; and, from ballots whose right answer
// (truth) is known, how often agents, kinds and models were right, and how often they were wrong together. The reducer of
// ballots (ballots.ts) calls this file. Pure, and of bounded size.
//
// L1  Each ended ballot counts once, and is judged by one truth: a later truth replaces the earlier one.
import {
  addBallot,
  addCase,
  addPaired,
  type BallotRecord,
  EMPTY_BALLOTS,
  EMPTY_RECORD,
  isSame,
  type VoterRecord,
} from "../../../consensus/index.ts";
import type { BallotStrategy, TopologyKind } from "../../../protocol/index.ts";
import type { EndedBallot } from "./archive.ts";

/** The lessons about one capability. Immutable: a change makes a new value. */
export interface Lessons {
  readonly voters: VoterRecord;
  /**
   * The sums of the ballots of each form. Forms are not added up, because they differ too much: a `first` ballot repeats the
   * answer of one agent, a mesh costs twice as much as a star, and either would hide the gain of the others.
   */
  readonly ballots: Readonly<Partial<Record<BallotForm, BallotRecord>>>;
}

/** A strategy with its topology, such as `majority/mesh`; a star has no suffix. */
type BallotForm = BallotStrategy | `${BallotStrategy}/${TopologyKind}`;

/** The form of a ballot. */
export function formOf({ strategy, topology }: Pick<EndedBallot, "strategy" | "topology">): BallotForm {
  return topology === "star" ? strategy : `${strategy}/${topology}`;
}

/** The lessons before the first ballot. */
export const NO_LESSONS: Lessons = { voters: EMPTY_RECORD, ballots: {} };

/** Counts an ended ballot, and judges it if its truth is known. A cancelled ballot teaches nothing. */
export function learnEnd(lessons: Lessons, ended: EndedBallot): Lessons {
  if (ended.outcome === "cancelled") return lessons;
  const { agreement, spent, single } = ended;
  const facts = { isDecided: ended.outcome === "decided", agreement, spent };
  const counted = change(lessons, ended, (record) =>
    addBallot(record, single === undefined ? facts : { ...facts, single }),
  );
  return ended.truth === null ? counted : judge(counted, ended, ended.truth, 1);
}

/** Judges a ballot by a truth that became known after its end, and takes an earlier judgement back (L1). */
export function learnTruth(lessons: Lessons, ended: EndedBallot, truth: string): Lessons {
  if (ended.truth === truth || ended.outcome === "cancelled") return lessons;
  const before = ended.truth === null ? lessons : judge(lessons, ended, ended.truth, -1);
  return judge(before, ended, truth, 1);
}

/** Adds the judgement of a ballot by this truth; `times` −1 removes it. */
function judge(lessons: Lessons, ended: EndedBallot, truth: string, times: 1 | -1): Lessons {
  const isRight = (mark: string | null) => mark !== null && isSame(ended, mark, truth);
  const { single, seats, isIndependent } = ended;
  const right = single && { ballotRight: isRight(ended.mark), singleRight: isRight(single.mark) };
  const compared = right ? change(lessons, ended, (record) => addPaired(record, right, times)) : lessons;
  if (!isIndependent) return compared;
  const answers = seats.flatMap(({ mark, ...voter }) =>
    mark === null ? [] : [{ ...voter, isRight: isRight(mark) }],
  );
  return { ...compared, voters: addCase(compared.voters, { answers }, times) };
}

/** Replaces the sums of the ballot's form by the result of `to`. */
function change(lessons: Lessons, ended: EndedBallot, to: (record: BallotRecord) => BallotRecord): Lessons {
  const { ballots } = lessons;
  const form = formOf(ended);
  return { ...lessons, ballots: { ...ballots, [form]: to(ballots[form] ?? EMPTY_BALLOTS) } };
}
