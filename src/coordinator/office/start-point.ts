// Finds the start point of a coordinator: the newest snapshot that can be verified and fits the log, or the beginning of
// the log. Decides also when a coordinator must not start at all.
//
// B1  A snapshot fits the log when the entry at its sequence has the chain hash that the snapshot's fold ends with. Then it
//     is a fold of this very log, no matter which process made it and whether the log mentions it.
// B2  A coordinator never starts from a log shorter than it, or any snapshot, has already seen, nor after an entry that it
//     cannot read.
// B3  A log of a later epoch starts with a snapshot, never without one: its genesis replaces the earlier entries.
import { sleep } from "../../base/index.ts";
import { emptyFold, genesisChain, readGenesis } from "../../consensus/index.ts";
import { isJsonObject, SwarmError } from "../../protocol/index.ts";
import {
  isStreamMissing,
  type Log,
  type LogInfo,
  type Objects,
  type Transport,
} from "../../transport/index.ts";
import { officeCommands } from "../state.ts";
import { RUNBOOK, readJson } from "./control-log.ts";
import { listSnapshots, type OfficeFold, readSnapshot, type SnapshotId } from "./snapshot-store.ts";

/** How long the look at the log before an `office-taken` may take, in ms: a request lost with a server would take 5 s. */
const LOOK_TIMEOUT_MS = 1_000;

/** A place in a log, with the facts that identify it. */
export interface Place {
  readonly logId: string;
  readonly seq: number;
  /** Chain hash of the entry at `seq`. */
  readonly chain: string;
}

/** The point in the log where a coordinator starts to read. */
export interface StartPoint {
  /** The fold up to the start point; the reader becomes its owner. */
  readonly fold: OfficeFold;
  /** The snapshot of that fold; null at the beginning of the log. */
  readonly snapshot: SnapshotId | null;
  /** The faults of newer snapshots that could not be used. */
  readonly rejected: readonly string[];
}

/**
 * Finds the start point of a coordinator that has read up to `seen` before, if it has.
 * @throws SwarmError `conflict` when the log is unusable: no coordinator may start; `unavailable` while the log cannot be
 *   read, or has no genesis yet.
 */
export async function findStartPoint(
  { log, snapshots }: { log: Log; snapshots: Objects },
  seen?: Place,
): Promise<StartPoint> {
  const ids = await listSnapshots(snapshots);
  const { info, head } = await readBeginning(log, ids[0]);
  const logId = head.logId as string;
  const foreign = ids.find((id) => id.logId !== logId);
  if (foreign !== undefined) {
    throw refuseLog(`the log is ${logId}, but the snapshot of ${foreign.seq} is of log ${foreign.logId}`);
  }
  const newest = ids[0];
  if (newest !== undefined && newest.seq > info.lastSeq) {
    throw refuseLog(
      `the log ends at ${info.lastSeq}, below ${newest.seq} of epoch ${newest.epoch}, which a snapshot holds`,
    );
  }
  if (seen !== undefined) await checkSeen(log, info, { ...seen, logId }, seen);
  const rejected: string[] = [];
  for (const id of ids) {
    if (id.seq < info.firstSeq) break;
    const read = await readSnapshot(snapshots, id);
    if (!read.ok) {
      rejected.push(read.fault);
      continue;
    }
    const chain = await readChain(log, id.seq);
    if (chain === null)
      throw new SwarmError("unavailable", `entry ${id.seq} of the control log is not there yet`);
    if (chain !== read.fold.chain) {
      throw refuseLog(`entry ${id.seq} differs from the last entry of its snapshot`); // B1
    }
    return { fold: read.fold, snapshot: id, rejected };
  }
  return { fold: beginAtGenesis(info, head, rejected), snapshot: null, rejected };
}

/** The counts and the first entry of the log. */
async function readBeginning(log: Log, newest: SnapshotId | undefined) {
  const kept = newest === undefined ? "" : `, but there is a snapshot of ${newest.seq}`;
  let info: LogInfo;
  try {
    info = await log.info();
  } catch (error) {
    if (newest === undefined || !isStreamMissing(error)) throw error;
    throw refuseLog(`the log's stream is gone${kept}`);
  }
  if (info.messages === 0) {
    if (newest === undefined && info.lastSeq === 0) {
      throw new SwarmError("unavailable", "the control log has no genesis yet; run `murmur init`");
    }
    throw refuseLog(`the log is empty after ${info.lastSeq}${kept}`);
  }
  const first = await log.get(info.firstSeq);
  if (first === null) throw new SwarmError("unavailable", "the control log's first entry is not there yet");
  const head = readJson(first);
  if (typeof head.logId !== "string")
    throw refuseLog(`sequence ${info.firstSeq} is no entry of a control log`);
  return { info, head };
}

async function checkSeen(log: Log, info: LogInfo, { logId }: Place, seen: Place): Promise<void> {
  if (logId !== seen.logId) throw refuseLog(`the log is ${logId}; this coordinator has read ${seen.logId}`);
  if (info.lastSeq < seen.seq) {
    throw refuseLog(`the log ends at ${info.lastSeq}, below ${seen.seq}, which this coordinator has read`);
  }
  if (seen.seq < info.firstSeq) return;
  const chain = await readChain(log, seen.seq);
  if (chain !== null && chain !== seen.chain) {
    throw refuseLog(`entry ${seen.seq} differs from the entry that this coordinator has read`);
  }
}

function beginAtGenesis(info: LogInfo, head: object, rejected: readonly string[]): OfficeFold {
  const why = rejected.length === 0 ? "there is no snapshot" : rejected.join("; ");
  if (!isJsonObject(head) || head.type !== "genesis") {
    throw refuseLog(`the log begins at ${info.firstSeq}, after its genesis, and ${why}`);
  }
  const read = readGenesis(head);
  if (!read.ok) throw refuseLog(read.fault);
  if (read.epoch > 1) throw refuseLog(`the log begins with epoch ${read.epoch}, and ${why}`); // B3
  return emptyFold(officeCommands, read.logId, { epoch: read.epoch, seq: info.firstSeq });
}

/** The chain hash of the entry at `seq`; null when there is no entry. */
export async function readChain(log: Log, seq: number): Promise<string | null> {
  const stored = await log.get(seq);
  if (stored === null) return null;
  const entry = readJson(stored);
  if (typeof entry.chain === "string") return entry.chain;
  const genesis = readGenesis(entry);
  return genesis.ok ? genesisChain(genesis.logId, genesis.epoch) : "none";
}

/** Whether the entry at `place` differs from the entry that was read; null when that is unknown. */
export async function isReplaced(log: Log, { seq, chain }: Place): Promise<boolean | null> {
  const found = await readChain(log, seq).catch(() => null);
  return found === null ? null : found !== chain;
}

/**
 * Whether `append` would take the office of another log than the log that was read up to `place`. A replaced log may have
 * grown to exactly that sequence, where the expected sequence alone fences nothing. Null when that is unknown: a log that
 * is unavailable now may be replaced before the append reaches it.
 */
export async function targetsReplacedLog(
  log: Log,
  place: Place,
  { entry, expectedLastSeq }: { entry: { readonly type: string }; expectedLastSeq: number | null },
): Promise<boolean | null> {
  if (entry.type !== "office-taken" || place.seq !== expectedLastSeq) return false;
  const seen = new AbortController();
  const late = sleep(LOOK_TIMEOUT_MS, { signal: seen.signal }).catch(() => undefined);
  try {
    return await Promise.race([isReplaced(log, place), late.then(() => null)]);
  } finally {
    seen.abort();
  }
}

/** The error for an unusable log: a coordinator that reads it halts. */
export function refuseLog(reason: string): SwarmError {
  return new SwarmError("conflict", `${reason}; see ${RUNBOOK}`);
}

/** True when the log has a later epoch than `epoch`: an operator has recovered it. */
export async function isRecovered(log: Log, epoch: number): Promise<boolean> {
  const { messages, firstSeq } = await log.info();
  const first = messages === 0 ? null : await log.get(firstSeq);
  const genesis = first === null ? null : readGenesis(readJson(first));
  return genesis?.ok === true && genesis.epoch > epoch;
}

/** Opens the two stores of the office. */
export function openOfficeStores(transport: Transport): { log: Log; snapshots: Objects } {
  return { log: transport.log("office"), snapshots: transport.snapshots };
}
