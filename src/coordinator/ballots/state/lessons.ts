// What the office learns from ballots that ended, by capability: sums of what they said, gained and cost, and of whose truth
// is known, how often agents, kinds and models were right and how their errors go together. Pure, and of bounded size.
//
// L1  A ballot that ended is counted once, and judged by one truth: another one takes the place of the first.
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

/** What is known of one capability. Never changed: another one takes its place. */
export interface Lessons {
  readonly voters: VoterRecord;
  /** By form: `first` says what its single agent said, a mesh costs twice a star, and either would hide what others gain. */
  readonly ballots: Readonly<Partial<Record<BallotForm, BallotRecord>>>;
}

/** Ballots that are compared with one agent together: those of one strategy and topology. A star has its strategy's name. */
type BallotForm = BallotStrategy | `${BallotStrategy}/${TopologyKind}`;

/** The form of a ballot. */
export function formOf({ strategy, topology }: Pick<EndedBallot, "strategy" | "topology">): BallotForm {
  return topology === "star" ? strategy : `${strategy}/${topology}`;
}

/** Nothing is known. */
export const NO_LESSONS: Lessons = { voters: EMPTY_RECORD, ballots: {} };

/** Counts a ballot that ended, and judges it if its truth is known. One that was cancelled says nothing. */
export function learnEnd(lessons: Lessons, ended: EndedBallot): Lessons {
  if (ended.outcome === "cancelled") return lessons;
  const { agreement, spent, single } = ended;
  const facts = { isDecided: ended.outcome === "decided", agreement, spent };
  const counted = change(lessons, ended, (record) =>
    addBallot(record, single === undefined ? facts : { ...facts, single }),
  );
  return ended.truth === null ? counted : judge(counted, ended, ended.truth, 1);
}

/** Judges a ballot by a truth that was told after its end, in place of the one that was known before (L1). */
export function learnTruth(lessons: Lessons, ended: EndedBallot, truth: string): Lessons {
  if (ended.truth === truth || ended.outcome === "cancelled") return lessons;
  const before = ended.truth === null ? lessons : judge(lessons, ended, ended.truth, -1);
  return judge(before, ended, truth, 1);
}

function judge(lessons: Lessons, ended: EndedBallot, truth: string, times: 1 | -1): Lessons {
  const isRight = (mark: string | null) => mark !== null && isSame(ended, mark, truth);
  const { single, seats, isIndependent } = ended;
  const right = single && { ballotRight: isRight(ended.mark), singleRight: isRight(single.mark) };
  const compared = right ? change(lessons, ended, (record) => addPaired(record, right, times)) : lessons;
  if (!isIndependent) return compared;
  const answers = seats.flatMap(({ mark, ...who }) =>
    mark === null ? [] : [{ ...who, isRight: isRight(mark) }],
  );
  return { ...compared, voters: addCase(compared.voters, { answers }, times) };
}

function change(lessons: Lessons, ended: EndedBallot, to: (record: BallotRecord) => BallotRecord): Lessons {
  const { ballots } = lessons;
  const form = formOf(ended);
  return { ...lessons, ballots: { ...ballots, [form]: to(ballots[form] ?? EMPTY_BALLOTS) } };
}
