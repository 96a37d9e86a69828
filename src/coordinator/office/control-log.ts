// The control log as a JetStream stream: its genesis, the JSON of its entries, and the outcome of an append. Owns the
// translation between the office and JetStream; consensus/ and the reducers own the meaning of entries.
//
// G1  Genesis is written once, as the first message (expected last sequence 0), and never by a coordinator. Only a
//     recovery of a lost log writes another one (recovery.ts).
// G2  The message id of an append names term, sequence and entry, so that JetStream drops a repeat as a duplicate.

import { newId } from "../../base/index.ts";
import { type AppendRequest, genesisBody } from "../../consensus/index.ts";
import { createSubjects, encode, isJsonObject, type JsonObject, SwarmError } from "../../protocol/index.ts";
import { type Log, lastSeqOf, type Stored, type Transport } from "../../transport/index.ts";

/** The page that tells an operator what to do about a coordinator that halted over its log. */
export const RUNBOOK = "docs/coordinator.md, section “When a coordinator halts”";

/**
 * How long one try of an append may take, in ms. After that its outcome is unknown and the append is repeated, so this
 * time only bounds the wait for a silent server; a stream's new leader answers the repeat (4–6 s measured on three
 * servers).
 */
const APPEND_TRY_TIMEOUT_MS = 2_000;

/**
 * Writes the genesis of a new swarm's control log; does nothing when the log has one.
 * @returns whether this call wrote it.
 * @throws SwarmError `conflict` when the log is empty but was used before, as the stream or a snapshot shows: a new log
 *   must not silently replace the lost one; `unavailable` when there is no stream.
 */
export async function foundOffice(transport: Transport): Promise<boolean> {
  const log = transport.log("office");
  const { messages, lastSeq } = await log.info();
  if (messages > 0) return false;
  const [snapshot] = await transport.snapshots.names();
  if (lastSeq > 0 || snapshot !== undefined) {
    const trace = lastSeq > 0 ? `held ${lastSeq} entries` : `there is a snapshot of it (${snapshot})`;
    throw new SwarmError(
      "conflict",
      `the control log is empty, but ${trace}: run \`murmur office recover\`; see ${RUNBOOK}`,
    );
  }
  const body = genesisBody({ logId: newId(), epoch: 1 });
  try {
    await log.append(createSubjects(transport.prefix).officeLog, encode(body), { expectedLastSeq: 0 }); // G1
    return true;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "conflict") return false; // another process was first
    throw error;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A stored entry as JSON; `{}`, which no reader accepts, when it is no JSON object. */
export function readJson(stored: Stored): JsonObject {
  try {
    const value: unknown = JSON.parse(utf8.decode(stored.data));
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** An append in flight: the sequence and the bytes that the log will show once the append is stored. */
export interface SentAppend {
  readonly request: number;
  readonly seq: number;
  readonly data: Uint8Array;
}

/** True when the stored message is the sent one, byte for byte. That proves as much as an acknowledgement. */
export function isSent(sent: SentAppend | null, stored: Stored): sent is SentAppend {
  return sent !== null && sent.seq === stored.seq && Buffer.compare(sent.data, stored.data) === 0;
}

/** The outcome of one try of an append. After `unknown`, the entry may be stored or not. */
export type AppendOutcome =
  | { readonly type: "accepted"; readonly seq: number }
  | { readonly type: "refused"; readonly lastSeq: number }
  | { readonly type: "unknown"; readonly why: unknown };

/** Tries an append once and returns its outcome. `data` holds the bytes of the entry. Never throws. */
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
      // JetStream may report the conflict without its last sequence (error 10164). Then at least one other entry is there.
      return { type: "refused", lastSeq: lastSeqOf(error) ?? expectedLastSeq + 1 };
    }
    return { type: "unknown", why: error };
  }
}
