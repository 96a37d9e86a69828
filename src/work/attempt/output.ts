// The output of an attempt: whether a result can hold it, and the agent's vote about it. Pure, but for the signature.
import {
  checkPlainData,
  type Encoding,
  type SignedVote,
  type SwarmError,
  type Task,
  TerminalError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Slot } from "../ports.ts";

/** The error of an output that a result would not show as it is; null for every other output. A retry returns the same. */
export function unstorable(output: unknown, encoding: Encoding): SwarmError | null {
  try {
    checkPlainData(output, "output", encoding);
    return null;
  } catch (error) {
    const { message, field } = toSwarmError(error);
    const advice = "return plain data: objects, arrays, strings, finite numbers, booleans and null";
    return new TerminalError(`${message}; ${advice}`, { code: "internal", field });
  }
}

/** The signed vote, when the office asks for one and the slot's agent can sign. */
export function voteOf(slot: Slot, { question }: Task, output: unknown): SignedVote | undefined {
  if (question === undefined || !("seat" in question) || question.nonce === undefined) return undefined;
  return slot.sign?.(question, output);
}
