// An open ballot in the memory of the coordinator in office. Nothing here is stored: the next coordinator builds it again from
// the control log and the results of the ballot's questions. Only the runner (driver.ts) changes a live ballot, and only the
// asker (asker.ts) changes its questions; other files only read them.
import { type Ballot, sightIn } from "../../../consensus/index.ts";
import type { AdviceQuestion, BallotSpec, HostAddress, SeatQuestion } from "../../../protocol/index.ts";
import type { OpenBallot } from "../state/ballots.ts";
import { type Addressee, QuestionForm } from "./messages.ts";

/** The largest output that is kept in memory until the verdict, in bytes; a larger winner is read again. */
export const MAX_KEPT_OUTPUT_BYTES = 16_384;

/** An open ballot. */
export interface LiveBallot {
  readonly id: string;
  /** The ballot as the control log holds it. */
  readonly ballot: OpenBallot;
  /** The decider's state, at least as new as the copy in the control log. */
  readonly core: Ballot;
  /** `ending`: the ballot's end is being stored in the control log, and the decider gets no more events. */
  readonly stage: "open" | "ending";
  readonly questions: BallotQuestions;
  /**
   * Resolves when the control log holds the ballot's end; rejects when the present try to store it failed. After a failed
   * try it is another promise, for the next try.
   */
  readonly whenDecided: Promise<void>;
}

/** The output of a seat in a round. */
export interface KeptOutput {
  readonly round: number;
  readonly output: unknown;
}

/** A question to a seat, a judge or a verifier. */
export interface Question {
  /** The ballot that asks. */
  readonly live: LiveBallot;
  readonly taskId: string;
  readonly round: number;
  readonly to: Addressee;
  readonly capability: string;
  /** The subject of the server's announcement that the result is stored. */
  readonly doneSubject: string;
  /** The subject of the stored result. */
  readonly resultSubject: string;
  readonly body: SeatQuestion | AdviceQuestion;
  /** The end of the wait for the answer; ms since 1970. */
  readonly endsAtMs: number;
  /** Every agent that this coordinator sent the question to: each of them may have answered it. */
  readonly asked: Set<string>;
  /** The bytes of a signed vote that was counted when it was written. The same bytes are skipped once they are stored. */
  countedBytes?: Uint8Array;
  /** The agent that has the question, and its host; null before the question is placed. */
  place: (Readonly<HostAddress> & { readonly agent: string }) | null;
  isAnswered: boolean;
  /** The time at which the asker last checked for the result, or registered the question; ms since 1970. */
  checkedAtMs: number;
  /** Whether the asker is moving the question to another agent. */
  isMoving?: boolean;
}

/** The questions of one ballot, and the answers that are held in memory for its verdict. */
export class BallotQuestions {
  /** The form that encodes the ballot's questions. */
  readonly form: QuestionForm;
  readonly #spec: BallotSpec;
  readonly #byTaskId = new Map<string, Question>();
  /** Small outputs, by seat: one of them becomes the output of the ballot's result. */
  readonly #outputs = new Map<number, KeptOutput>();
  #heldBytes = 0;
  #sight: { readonly round: number; readonly isRight: ReturnType<typeof sightIn> } | undefined;
  #allAnswered: PromiseWithResolvers<void> | undefined;

  constructor(ballot: OpenBallot, spec: BallotSpec) {
    this.form = new QuestionForm(ballot);
    this.#spec = spec;
  }

  /** Adds a question, or replaces the question with the same task id. */
  add(question: Question): void {
    this.#byTaskId.set(question.taskId, question);
  }

  /** The task ids of all questions. */
  get taskIds(): Iterable<string> {
    return this.#byTaskId.keys();
  }

  /** The questions without an answer so far. */
  get unanswered(): Question[] {
    return [...this.#byTaskId.values()].filter(({ isAnswered }) => !isAnswered);
  }

  /** Notes that the question has its answer. */
  markAnswered(question: Question): void {
    question.isAnswered = true;
    if (this.#allAnswered !== undefined && this.unanswered.length === 0) this.#allAnswered.resolve();
  }

  /** Resolves when every question has an answer. */
  whenAllAnswered(): Promise<void> {
    this.#allAnswered ??= Promise.withResolvers();
    if (this.unanswered.length === 0) this.#allAnswered.resolve();
    return this.#allAnswered.promise;
  }

  /** Counts the memory that an answer takes, and keeps its output unless `kept` is null. */
  hold(seat: number, heldBytes: number, kept: KeptOutput | null): void {
    this.#heldBytes += heldBytes;
    if (kept !== null) this.#outputs.set(seat, kept);
  }

  /** The approximate bytes of the ballot's answers in memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The kept output of a seat in a round; undefined when it was too large to keep, or another coordinator received it. */
  outputOf(seat: number, round: number): KeptOutput | undefined {
    const kept = this.#outputs.get(seat);
    return kept?.round === round ? kept : undefined;
  }

  /** Whether the ballot's topology lets a seat see the answers of all seats in `shown` in that round. */
  maySee(round: number, seat: number, shown: readonly number[]): boolean {
    if (this.#sight?.round !== round) this.#sight = { round, isRight: sightIn(this.#spec, round) };
    return this.#sight.isRight(seat, shown);
  }
}
