// One open ballot as the holder of the office works on it: what is soft about it, and can be made again from the control
// log and the results of its questions. Owns the shape; who changes it is driver.ts.
import { type Ballot, sightIn } from "../../../consensus/index.ts";
import type { AdviceQuestion, SeatQuestion } from "../../../protocol/index.ts";
import type { OpenBallot } from "../state/ballots.ts";
import { type Addressee, QuestionForm } from "./messages.ts";

/** Outputs of at most this many bytes are kept until the verdict; a larger winner is read again. */
export const MAX_KEPT_OUTPUT_BYTES = 16_384;

/** What a seat put out in a round. */
export interface KeptOutput {
  readonly round: number;
  readonly output: unknown;
}

/** A question whose result has not come yet. */
export interface Question {
  readonly run: LiveBallot;
  readonly taskId: string;
  readonly round: number;
  readonly to: Addressee;
  readonly capability: string;
  /** Where its result is announced, and stored. */
  readonly doneSubject: string;
  readonly resultSubject: string;
  readonly body: SeatQuestion | AdviceQuestion;
  readonly endsAtMs: number;
  /** Every agent that it was put to here: each may have answered it. */
  readonly asked: Set<string>;
  /** Of a signed vote: the bytes that were heard when it was written, and are not to be heard again when it is stored. */
  heard?: Uint8Array;
  /** Where it was placed; null while it is nowhere. */
  place: { readonly host: string; readonly agent: string } | null;
  isAnswered: boolean;
  /** When its result was looked for last, or it was taken up. */
  lookedForMs: number;
  /** Another agent is being found for it. */
  isMoving?: boolean;
}

/** An open ballot. */
export class LiveBallot {
  readonly id: string;
  readonly ballot: OpenBallot;
  readonly form: QuestionForm;
  core: Ballot;
  /** `ending`: its end is on its way into the log, and nothing changes it any more. */
  stage: "open" | "ending" = "open";
  /** Every question of it that was put, by task id. */
  readonly questions = new Map<string, Question>();
  /** Small outputs by seat: one of them becomes the result's. */
  readonly outputs = new Map<number, KeptOutput>();
  /** Bytes of its answers in memory, about. */
  heldBytes = 0;
  /** Resolves when its end is in the log; rejects when it could not be decided here. */
  readonly ended = Promise.withResolvers<void>();
  wakesAtMs: number | null = null;
  cancelWake: (() => void) | undefined;
  /** Called when a question is answered, once the ballot has ended. */
  onAnswered: (() => void) | undefined;
  #sight: { readonly round: number; readonly isRight: ReturnType<typeof sightIn> } | undefined;

  constructor(ballot: OpenBallot, core: Ballot) {
    this.id = ballot.id;
    this.ballot = ballot;
    this.core = core;
    this.form = new QuestionForm(ballot);
    this.ended.promise.catch(() => undefined); // mostly nobody waits for it
  }

  /** Whether the ballot's topology shows a seat the answers of just these seats in that round. */
  maySee(round: number, seat: number, shown: readonly number[]): boolean {
    if (this.#sight?.round !== round) this.#sight = { round, isRight: sightIn(this.core.spec, round) };
    return this.#sight.isRight(seat, shown);
  }

  /** The questions without an answer. */
  get unanswered(): Question[] {
    return [...this.questions.values()].filter(({ isAnswered }) => !isAnswered);
  }
}
