// The wire form of a ballot's questions: the ids of their tasks, the bodies and the headers. asker.ts publishes them. Pure.
import { utf8Bytes } from "../../../base/index.ts";
import {
  type AdviceQuestion,
  CONTENT_TYPES,
  classField,
  HEADERS,
  type HostRef,
  PROTOCOL_VERSION,
  type SeatQuestion,
  sha256,
} from "../../../protocol/index.ts";
import type { OpenBallot } from "../state/ballots.ts";

/** The addressee of a question: a seat, or the judge or verifier. */
export type Addressee = { readonly seat: number } | { readonly role: AdviceQuestion["role"] };

/** The longest id that leaves room for `-r8s64` or `-r8verifier` within 64 characters. */
const MAX_PLAIN_ID = 53;

/**
 * The id of the task that carries a question. It is made of ballot, round and addressee. So the next coordinator in office
 * uses the same id, and a question that was published twice gets one result.
 */
export function questionTaskId(ballot: string, round: number, to: Addressee): string {
  const stem = ballot.length <= MAX_PLAIN_ID ? ballot : `b${sha256(ballot).slice(0, 40)}`;
  return `${stem}-r${round}${"seat" in to ? `s${to.seat}` : to.role}`;
}

/** Writes the questions of one ballot. The fields that all of them share are encoded once. */
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

  /** The task's body. An attempt may take the task's own timeout, but not longer than `openMs`, the remaining time in ms. */
  body(capability: string, question: SeatQuestion | AdviceQuestion, openMs: number): Uint8Array {
    const timeoutMs = Math.max(1, Math.min(this.#timeoutMs, Math.ceil(openMs)));
    return utf8Bytes(
      `{"capability":"${capability}","timeoutMs":${timeoutMs}${this.#fields},"question":${JSON.stringify(question)}}`,
    );
  }

  /**
   * The headers of the task's message. `isAgain`: the question may have been published before, so the host first checks for a
   * stored result.
   */
  headers(
    capability: string,
    at: HostRef & { agent: string; addressee: string; placedAt: string; isAgain: boolean },
  ): Record<string, string> {
    const { id, priority, traceparent } = this.#ballot;
    const { isAgain } = at;
    return {
      [HEADERS.contentType]: CONTENT_TYPES.json,
      [HEADERS.version]: PROTOCOL_VERSION,
      [HEADERS.placement]: placementText(at, { capability, priority }),
      [HEADERS.ballot]: id,
      ...(isAgain ? { [HEADERS.attempt]: "1" } : {}),
      ...(traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent }),
    };
  }
}

/**
 * The placement of a question, as `encodePlacement` writes it. All texts in it are tokens, times or an addressee, so none needs an escape,
 * and the general way would cost a coordinator 1 % of its CPU time.
 */
function placementText(
  at: HostRef & { agent: string; addressee: string; placedAt: string },
  { capability, priority }: Pick<OpenBallot, "capability" | "priority">,
): string {
  const { class: ofHost } = classField(at);
  const start = ofHost === undefined ? "{" : `{"class":"${ofHost}",`;
  const reasons = `[{"what":"ballot","value":"${at.addressee}"}]`;
  return `${start}"host":"${at.host}","agent":"${at.agent}","score":0,"reasons":${reasons},"capability":"${capability}","priority":"${priority}","placedAt":"${at.placedAt}"}`;
}
