// The subjects that a message from outside may make this process publish to. A reply subject is chosen by the sender: if a
// process answered any, the sender could write where its own permissions do not allow it, for example a task's result.
// Both transports pass every such subject through this file (R1), so that no other room has to check one.
// R1: a process publishes to a subject out of a received message only when it lies in the space of its kind.
import type { RefusedReply, Subscription } from "./ports.ts";

/** The space of reply subjects. Streams take none of it, and no component of Murmur listens there but the asker. */
export const INBOX = "_INBOX";
/** The space of the acknowledgements of a JetStream delivery (ADR-15). */
const ACK_SPACE = "$JS.ACK.";
/** The space of the answers to JetStream's flow control. */
const FLOW_SPACE = "$JS.FC.";
/** The longest subject in a report, in characters. */
const REPORTED_LENGTH = 256;

/** True for a subject below `_INBOX.` without wildcards. */
export function isReplySubject(subject: string): boolean {
  return isBelow(subject, `${INBOX}.`);
}

/** True for the subject of an answer to flow control. */
export function isFlowSubject(subject: string): boolean {
  return isBelow(subject, FLOW_SPACE);
}

/** True for an ack subject of this stream and consumer, with or without the tokens for domain and account. */
export function isAckSubject(subject: string, stream: string, consumer: string): boolean {
  if (subject.startsWith(`${ACK_SPACE}${stream}.${consumer}.`)) return true;
  if (!isBelow(subject, ACK_SPACE)) return false;
  const tokens = subject.split(".");
  return tokens.length >= TOKENS_WITH_DOMAIN && tokens[4] === stream && tokens[5] === consumer;
}

/** The tokens of an ack subject with domain and account: 11, and often a random one behind them. */
const TOKENS_WITH_DOMAIN = 11;

function isBelow(subject: string, space: string): boolean {
  return (
    subject.length > space.length &&
    subject.startsWith(space) &&
    !subject.includes("*") &&
    !subject.includes(">") &&
    !subject.includes("..") &&
    !subject.endsWith(".")
  );
}

/** True for the start of inboxes whose replies processes of Murmur send. */
export function isInboxPrefix(prefix: string): boolean {
  return prefix === INBOX || isReplySubject(prefix);
}

/** Reports refused subjects to their listeners. */
export class RefusedReplies {
  readonly #listeners = new Set<(refused: RefusedReply) => void>();

  onRefused(listener: (refused: RefusedReply) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  report({ kind, subject, reply }: RefusedReply): void {
    const refused = {
      kind,
      subject: subject.slice(0, REPORTED_LENGTH),
      reply: reply.slice(0, REPORTED_LENGTH),
    };
    for (const listener of this.#listeners) listener(refused);
  }
}
