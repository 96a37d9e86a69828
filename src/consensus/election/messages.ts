// The election messages between members, and the parser that refuses everything else. The parser accepts a message only
// if it has this swarm and version, a known type, all fields, and a term within the bound. Pure.
import { isJsonObject } from "../../protocol/index.ts";

/** The version of the election messages. The parser refuses every other version. */
export const MESSAGE_VERSION = 1;

/** The largest accepted distance of a term above the own term, so that one forged message cannot use up the terms. */
export const MAX_TERM_AHEAD = 1_000_000;

interface Head {
  readonly v: typeof MESSAGE_VERSION;
  readonly swarm: string;
  readonly term: number;
}

interface Tip {
  /** The term of the last control-log entry that the sender has applied; `lastSeq` is its sequence. */
  readonly lastTerm: number;
  readonly lastSeq: number;
}

/** The question "would you vote for me in `term`?". It changes no member's term. */
export interface PreVote extends Head, Tip {
  readonly type: "pre-vote";
}

/** The answer to a pre-vote. When granted, `term` is the term of the question; when refused, the sender's own term. */
export interface PreVoteReply extends Head {
  readonly type: "pre-vote-reply";
  readonly granted: boolean;
}

/**
 * A request for a vote. `transfer` is true when the leader itself started the campaign; it skips the recent-leader
 * rule.
 */
export interface Vote extends Head, Tip {
  readonly type: "vote";
  readonly transfer: boolean;
}

/** The answer to a vote. `term` is the sender's own term. */
export interface VoteReply extends Head {
  readonly type: "vote-reply";
  readonly granted: boolean;
}

/** The sign of life of the leader of `term`. */
export interface Heartbeat extends Head {
  readonly type: "heartbeat";
}

/**
 * The answer to a heartbeat. `seq` is the last log entry that the sender has applied. `abstains` is true while the sender takes
 * part in no election, so that the leader hands the office to another member. Earlier versions do not send it.
 */
export interface HeartbeatReply extends Head {
  readonly type: "heartbeat-reply";
  readonly seq: number;
  readonly abstains?: boolean;
}

/** The leader's request to the receiver to campaign now. */
export interface TimeoutNow extends Head {
  readonly type: "timeout-now";
}

/** Any election message. */
export type Message = PreVote | PreVoteReply | Vote | VoteReply | Heartbeat | HeartbeatReply | TimeoutNow;

/** A message and its receiver. */
export interface Envelope {
  readonly to: string;
  readonly message: Message;
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isFlag = (value: unknown) => typeof value === "boolean";

/** The fields of each type beside `v`, `swarm`, `type` and `term`. */
const FIELDS: ReadonlyMap<unknown, Readonly<Record<string, (value: unknown) => boolean>>> = new Map<
  Message["type"],
  Record<string, (value: unknown) => boolean>
>([
  ["pre-vote", { lastTerm: isCount, lastSeq: isCount }],
  ["pre-vote-reply", { granted: isFlag }],
  ["vote", { lastTerm: isCount, lastSeq: isCount, transfer: isFlag }],
  ["vote-reply", { granted: isFlag }],
  ["heartbeat", {}],
  ["heartbeat-reply", { seq: isCount }],
  ["timeout-now", {}],
]);

/** A parsed message, or the reason of its refusal. */
export type ParsedMessage = { ok: true; message: Message } | { ok: false; error: string };

/** Parses an arrived value. The own term bounds the accepted terms. Unknown extra fields are allowed. */
export function parseMessage(value: unknown, own: { swarm: string; term: number }): ParsedMessage {
  if (!isJsonObject(value)) return refuse("expected a message object");
  if (value.v !== MESSAGE_VERSION) return refuse(`message version is not ${MESSAGE_VERSION}`);
  if (value.swarm !== own.swarm) return refuse(`message is not of swarm "${own.swarm}"`);
  const fields = FIELDS.get(value.type);
  if (fields === undefined) return refuse("message type is unknown");
  const term = value.term;
  if (!isCount(term)) return refuse("message term is not an integer of at least 0");
  if ((term as number) > own.term + MAX_TERM_AHEAD) {
    return refuse(`message term is more than ${MAX_TERM_AHEAD} above the own term ${own.term}`);
  }
  for (const name in fields) {
    if (!Object.hasOwn(value, name)) return refuse(`message field "${name}" is missing`);
    if (!(fields[name] as (value: unknown) => boolean)(value[name])) {
      return refuse(`message field "${name}" has the wrong type`);
    }
  }
  return { ok: true, message: value as unknown as Message };
}

function refuse(error: string): ParsedMessage {
  return { ok: false, error };
}
