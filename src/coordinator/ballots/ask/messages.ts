// What a ballot's questions look like on the wire: the ids of their tasks, their bodies and headers. Pure.
import { utf8Bytes } from "../../../base/index.ts";
import {
  type AdviceQuestion,
  CONTENT_TYPES,
  encodePlacement,
  HEADERS,
  PROTOCOL_VERSION,
  type SeatQuestion,
  sha256,
} from "../../../protocol/index.ts";
import type { OpenBallot } from "../state/ballots.ts";

/** Whom a question is put to. */
export type Addressee = { readonly seat: number } | { readonly role: AdviceQuestion["role"] };

/** The longest id to which `-r8s64` or `-r8verifier` can be added in 64 characters. */
const MAX_PLAIN_ID = 53;

/**
 * The task that carries a question: made of ballot, round and addressee, so that whoever holds the office asks under the
 * same id, and a question that was put twice is answered once.
 */
export function questionTaskId(ballot: string, round: number, to: Addressee): string {
  const stem = ballot.length <= MAX_PLAIN_ID ? ballot : `b${sha256(ballot).slice(0, 40)}`;
  return `${stem}-r${round}${"seat" in to ? `s${to.seat}` : to.role}`;
}

/** What all questions of one ballot have in common, made once. */
export class QuestionForm {
  readonly #ballot: OpenBallot;
  /** The fields of the task as JSON, without its braces. */
  readonly #fields: string;
  readonly #timeoutMs: number;

  constructor(ballot: OpenBallot) {
    this.#ballot = ballot;
    const { timeoutMs, ...fields } = JSON.parse(ballot.task) as { timeoutMs: number };
    this.#timeoutMs = timeoutMs;
    const text = JSON.stringify(fields).slice(1, -1);
    this.#fields = text === "" ? "" : `,${text}`;
  }

  /** The task's body; an attempt may take as long as the task says, and no longer than the question is open. */
  body(capability: string, question: SeatQuestion | AdviceQuestion, openMs: number): Uint8Array {
    const timeoutMs = Math.max(1, Math.min(this.#timeoutMs, Math.ceil(openMs)));
    return utf8Bytes(
      `{"capability":"${capability}","timeoutMs":${timeoutMs}${this.#fields},"question":${JSON.stringify(question)}}`,
    );
  }

  /** The headers of its message. `isAgain`: it may have been asked before, so whoever gets it looks for its result. */
  headers(
    capability: string,
    at: { host: string; agent: string; what: string; placedAt: string; isAgain: boolean },
  ): Record<string, string> {
    const { id, priority, traceparent } = this.#ballot;
    const { host, agent, what, placedAt, isAgain } = at;
    const reasons = [{ what: "ballot", value: what }];
    return {
      [HEADERS.contentType]: CONTENT_TYPES.json,
      [HEADERS.version]: PROTOCOL_VERSION,
      [HEADERS.placement]: encodePlacement({
        host,
        agent,
        score: 0,
        reasons,
        capability,
        priority,
        placedAt,
      }),
      [HEADERS.ballot]: id,
      ...(isAgain ? { [HEADERS.attempt]: "1" } : {}),
      ...(traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent }),
    };
  }
}
