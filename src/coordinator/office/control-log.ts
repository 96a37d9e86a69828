// The control log as a stream: who begins it, how it is opened, what an append came to, and whether it is still the log
// that was read. Owns the words between the office and JetStream; what entries mean is consensus/ and the reducers.
//
// G1  Genesis is written once, behind nothing (expected last sequence 0), and never by a coordinator.
// G2  An append's message id names term, place and entry, so that a repeat is the same message or no message.

import { newId } from "../../base/index.ts";
import {
  type AppendRequest,
  canonicalJson,
  type Genesis,
  genesisBody,
  type JsonObject,
  readGenesis,
} from "../../consensus/index.ts";
import { createSubjects, encode, SwarmError } from "../../protocol/index.ts";
import { isStreamMissing, type Log, lastSeqOf, type Stored, type Transport } from "../../transport/index.ts";

/** Where a coordinator that halted over its log is told what to do. */
export const RUNBOOK = "docs/coordinator.md, section “When a coordinator halts”";

/**
 * How long one try of an append may take, in ms. Then its fate is unknown and it is repeated, so this only bounds how
 * long a silent server is waited for; a stream's new leader answers the repeat (4–6 s measured on three servers).
 */
const APPEND_TIMEOUT_MS = 2_000;

/**
 * Begins the control log of a swarm that was just created; does nothing where it has begun.
 * @returns whether it was begun now.
 * @throws SwarmError `conflict` when the stream was used and then emptied: its entries are lost, and nothing may begin
 *   anew in their place unseen; `unavailable` when there is no stream.
 */
export async function foundOffice(transport: Transport): Promise<boolean> {
  const log = transport.log("office");
  const { messages, lastSeq } = await log.info();
  if (messages > 0) return false;
  if (lastSeq > 0) {
    throw new SwarmError(
      "conflict",
      `the control log is empty, but held ${lastSeq} entries: restore the stream from a backup; see ${RUNBOOK}`,
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

/**
 * Reads where the log begins.
 * @throws SwarmError `unavailable` while there is no stream or no genesis; `conflict` when it begins with something else.
 */
export async function openControlLog(log: Log): Promise<Genesis> {
  for await (const stored of log.read({ limit: 1 })) {
    const read = readGenesis(readJson(stored));
    if (read.ok) return { logId: read.logId, epoch: read.epoch, seq: stored.seq };
    throw new SwarmError("conflict", `${read.fault}, at sequence ${stored.seq}; see ${RUNBOOK}`);
  }
  throw new SwarmError("unavailable", "the control log has not begun; run `murmur init`");
}

/** A stored entry as JSON; `{}`, which no reader accepts, when it is none. */
export function readJson(stored: Stored): JsonObject {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(stored.data)) as JsonObject;
  } catch {
    return {};
  }
}

/** What one try of an append came to. Only `unknown` says nothing about what is stored. */
export type AppendOutcome =
  | { readonly type: "accepted"; readonly seq: number }
  | { readonly type: "refused"; readonly lastSeq: number }
  | { readonly type: "unknown"; readonly why: unknown };

/** Tries an append once and says what is known of it. Never throws. */
export async function tryAppend<C>(
  log: Log,
  subject: string,
  { expectedLastSeq, entry }: AppendRequest<C>,
): Promise<AppendOutcome> {
  try {
    const { seq } = await log.append(subject, encode(entry), {
      expectedLastSeq,
      messageId: `${entry.term}.${expectedLastSeq}.${entry.chain}`, // G2
      timeoutMs: APPEND_TIMEOUT_MS,
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

/** What a look at the log shows. */
export type LogHealth =
  | { readonly type: "sound"; readonly lastSeq: number }
  /** Certain: it is another log. */
  | { readonly type: "foreign"; readonly reason: string }
  /** Gone or shorter than what was read. A server that is cut off from its group may say so for a while. */
  | { readonly type: "doubtful"; readonly reason: string }
  | { readonly type: "unreadable"; readonly reason: string };

/** Looks whether the log is still the one of `genesis` and holds at least `appliedSeq`. */
export async function inspectLog(log: Log, genesis: Genesis, appliedSeq: number): Promise<LogHealth> {
  try {
    const { lastSeq } = await log.info();
    const first = await log.get(genesis.seq);
    if (first !== null && canonicalJson(readJson(first)) !== canonicalJson(genesisBody(genesis))) {
      return {
        type: "foreign",
        reason: `the log was replaced: sequence ${genesis.seq} is not the genesis of ${genesis.logId}`,
      };
    }
    if (first === null)
      return { type: "doubtful", reason: `genesis of ${genesis.logId} at sequence ${genesis.seq} is gone` };
    if (lastSeq < appliedSeq) {
      return { type: "doubtful", reason: `the log ends at ${lastSeq}, below ${appliedSeq} that was read` };
    }
    return { type: "sound", lastSeq };
  } catch (error) {
    const { message } = error as Error;
    return isStreamMissing(error)
      ? { type: "doubtful", reason: "the log's stream is gone" }
      : { type: "unreadable", reason: message };
  }
}
