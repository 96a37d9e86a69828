// The control log as a stream: who begins it, what stands in it, and what an append came to. Owns the words between the
// office and JetStream; what entries mean is consensus/ and the reducers.
//
// G1  Genesis is written once, behind nothing (expected last sequence 0), and never by a coordinator. Another one is
//     written only by who recovers a lost log (recovery.ts).
// G2  An append's message id names term, place and entry, so that a repeat is the same message or no message.

import { newId } from "../../base/index.ts";
import { type AppendRequest, genesisBody } from "../../consensus/index.ts";
import { createSubjects, encode, isJsonObject, type JsonObject, SwarmError } from "../../protocol/index.ts";
import { type Log, lastSeqOf, type Stored, type Transport } from "../../transport/index.ts";

/** Where a coordinator that halted over its log is told what to do. */
export const RUNBOOK = "docs/coordinator.md, section “When a coordinator halts”";

/**
 * How long one try of an append may take, in ms. Then its fate is unknown and it is repeated, so this only bounds how
 * long a silent server is waited for; a stream's new leader answers the repeat (4–6 s measured on three servers).
 */
const APPEND_TRY_TIMEOUT_MS = 2_000;

/**
 * Begins the control log of a swarm that was just created; does nothing where it has begun.
 * @returns whether it was begun now.
 * @throws SwarmError `conflict` when the log was used and its entries are lost, as the stream or a snapshot tells: nothing
 *   may begin anew in their place unseen; `unavailable` when there is no stream.
 */
export async function foundOffice(transport: Transport): Promise<boolean> {
  const log = transport.log("office");
  const { messages, lastSeq } = await log.info();
  if (messages > 0) return false;
  const [snapshot] = await transport.snapshots.names();
  if (lastSeq > 0 || snapshot !== undefined) {
    const told = lastSeq > 0 ? `held ${lastSeq} entries` : `there is a snapshot of it (${snapshot})`;
    throw new SwarmError(
      "conflict",
      `the control log is empty, but ${told}: run \`murmur office recover\`; see ${RUNBOOK}`,
    );
  }
  const body = genesisBody({ logId: newId(), epoch: 1 });
  try {
    await log.append(createSubjects(transport.prefix).officeLog, encode(body), { expectedLastSeq: 0 }); // G1
    return true;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "conflict") return false; // another one was first
    throw error;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A stored entry as JSON; `{}`, which no reader accepts, when it is none. */
export function readJson(stored: Stored): JsonObject {
  try {
    const value: unknown = JSON.parse(utf8.decode(stored.data));
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** An append that is on its way, and what the log shows when it is stored. */
export interface SentAppend {
  readonly request: number;
  readonly seq: number;
  readonly data: Uint8Array;
}

/** True when what is stored is what was sent, byte for byte: then it says as much as its acknowledgement. */
export function isSent(sent: SentAppend | null, stored: Stored): sent is SentAppend {
  return sent !== null && sent.seq === stored.seq && Buffer.compare(sent.data, stored.data) === 0;
}

/** What one try of an append came to. Only `unknown` says nothing about what is stored. */
export type AppendOutcome =
  | { readonly type: "accepted"; readonly seq: number }
  | { readonly type: "refused"; readonly lastSeq: number }
  | { readonly type: "unknown"; readonly why: unknown };

/** Tries an append once, `data` being its entry's bytes, and says what is known of it. Never throws. */
export async function tryAppend<C>(
  log: Log,
  subject: string,
  { expectedLastSeq, entry }: AppendRequest<C>,
  data: Uint8Array,
): Promise<AppendOutcome> {
  try {
    const { seq } = await log.append(subject, data, {
      expectedLastSeq,
      messageId: `${entry.term}.${expectedLastSeq}.${entry.chain}`, // G2
      timeoutMs: APPEND_TRY_TIMEOUT_MS,
    });
    return { type: "accepted", seq };
  } catch (error) {
    if (error instanceof SwarmError && error.code === "conflict") {
      // A stream that cannot tell its last sequence (10164) says at least that something else is there.
      return { type: "refused", lastSeq: lastSeqOf(error) ?? expectedLastSeq + 1 };
    }
    return { type: "unknown", why: error };
  }
}
