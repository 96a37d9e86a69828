// The recovery of a lost control log: finds out what can be kept and what is lost, and starts a new log from the kept
// state. Owns the plan and its order; consensus/log/snapshot.ts defines a renewed fold.
//
// E1  A log that can be read to its end is never recovered: a recovery must not give up what need not be lost.
// E2  Sequence, term and every counter continue above every number that may have been used: above the numbers in the log,
//     the snapshots and the coordinators, plus a margin for numbers that none of them shows.
// E3  A recovery never gives up data that a newer version can read: complete entries and snapshots that are unknown here.
// E4  Order: store the new snapshot and read it back, empty the stream up to the new start, then append genesis and the
//     snapshot entry. After a crash in between, coordinators still halt, and the next try starts from the snapshot that
//     the first try stored.
import { utf8Bytes } from "../../base/index.ts";
import {
  createMember,
  ENTRY_VERSION,
  emptyFold,
  genesisBody,
  genesisChain,
  haltedError,
  isSealed,
  loadLog,
  type Member,
  readEntry,
  readGenesis,
  renewFold,
  saveFold,
  sealEntry,
} from "../../consensus/index.ts";
import {
  type CoordinatorStatus,
  createSubjects,
  encode,
  type JsonObject,
  SwarmError,
} from "../../protocol/index.ts";
import {
  isStreamMissing,
  type LogInfo,
  refuseDifferences,
  type Stored,
  type Transport,
} from "../../transport/index.ts";
import { type OfficeCommand, type OfficeState, officeCommands } from "../state.ts";
import { ELECTION_TIMES } from "../time.ts";
import { readJson } from "./control-log.ts";
import { placeOf } from "./participation.ts";
import {
  hashBytes,
  listSnapshots,
  type OfficeFold,
  readSnapshot,
  type SnapshotId,
  writeSnapshot,
} from "./snapshot-store.ts";
import { findStartPoint, openOfficeStores, type Place } from "./start-point.ts";

/** Sequences skipped before the new start: a snapshot is due every 20,000 entries, so fifty times as many as can be lost. */
const SEQUENCE_MARGIN = 1_000_000;
/** Terms skipped: each is an election of about a second, so a quarter of an hour of continuous elections. */
const TERM_MARGIN = 1_000;
/** Tokens and revisions skipped: 1,000 for each of {@link SEQUENCE_MARGIN} entries. */
const COUNTER_MARGIN = 1_000_000_000;

/** The effect of a recovery, planned or done. */
export interface Recovery {
  readonly logId: string;
  /** The reason why coordinators cannot continue with the log. */
  readonly problem: string;
  /** The snapshot that the recovery starts from; null when it starts from the beginning of the log. */
  readonly snapshotSeq: number | null;
  /** The state of the entries up to this one is kept. */
  readonly keptSeq: number;
  /** The highest sequence that any source shows. Entries after `keptSeq` are lost, also entries that no source shows. */
  readonly knownSeq: number;
  /** Stored entries of other logs, or after a bad entry, that the recovery discards. */
  readonly discarded: number;
  /** The epoch, the first sequence and the least term of the new log. */
  readonly epoch: number;
  readonly firstSeq: number;
  readonly term: number;
}

/** A recovery that is planned and not done yet. */
export interface RecoveryPlan {
  readonly recovery: Recovery;
  /** Performs the plan. @throws SwarmError `conflict` when another process has written to the log since; `unavailable`. */
  perform(): Promise<void>;
}

/**
 * Plans a recovery from the snapshots, the rest of the log and the status of `coordinators`. Changes nothing.
 * @throws SwarmError `conflict` when the log is sound, a newer version can read it, or it is unclear which log to
 *   continue; `not_found` when there is nothing to start from; `unavailable` when the server does not answer.
 */
export async function planRecovery(
  transport: Transport,
  coordinators: readonly CoordinatorStatus[],
): Promise<RecoveryPlan> {
  const { log, snapshots } = openOfficeStores(transport);
  const info = await log.info().catch((error: unknown) => {
    if (isStreamMissing(error)) return null;
    throw error;
  });
  const problem = await findProblem(transport, info, coordinators);
  const ids = await listSnapshots(snapshots);
  const { base, snapshot } = await findBase(transport, info, ids);
  const { logId } = base;
  const left = await applyRest(transport, info, base);
  const peers = coordinators.filter((each) => each.logId === logId);
  const highest = (...found: number[]) => Math.max(...found);
  const knownSeq = highest(
    base.seq,
    info?.lastSeq ?? 0,
    ...ids.map(({ seq }) => seq),
    ...peers.map(({ appliedSeq }) => appliedSeq),
  );
  const recovery: Recovery = {
    logId,
    problem,
    snapshotSeq: snapshot?.seq ?? null,
    keptSeq: base.seq,
    knownSeq,
    discarded: left.discarded,
    epoch:
      highest(base.epoch, left.epoch, ...ids.map(({ epoch }) => epoch), ...peers.map(({ epoch }) => epoch)) +
      1,
    firstSeq: knownSeq + SEQUENCE_MARGIN,
    term: highest(base.term, left.term, ...peers.map(({ term }) => term)) + TERM_MARGIN,
  };
  return { recovery, perform: () => perform(transport, base, recovery) };
}

/** The reason why coordinators cannot continue with the log. @throws SwarmError `conflict` when they can (E1). */
async function findProblem(
  transport: Transport,
  info: LogInfo | null,
  coordinators: readonly CoordinatorStatus[],
): Promise<string> {
  let member: Member<OfficeState, OfficeCommand>;
  try {
    const { fold, snapshot } = await findStartPoint(openOfficeStores(transport));
    member = createReader(fold, snapshot?.hash ?? null);
    for await (const stored of transport.log("office").read({ fromSeq: fold.seq + 1 })) load(member, stored);
  } catch (error) {
    const isLost = error instanceof SwarmError && error.code === "conflict";
    if (isLost || info === null || info.messages === 0) return (error as Error).message;
    throw error;
  }
  const halted = haltedError(member);
  const { logId, epoch, seq } = member.office.fold;
  if (halted !== undefined) return halted;
  const ahead = coordinators.find(
    (each) => each.logId === logId && each.epoch === epoch && each.appliedSeq > (info?.lastSeq ?? 0),
  );
  if (ahead !== undefined) {
    return `the log ends at ${info?.lastSeq}, below ${ahead.appliedSeq}, which coordinator ${ahead.id} has read`;
  }
  throw new SwarmError(
    "conflict",
    `the control log is sound up to its end at ${seq}: there is nothing to recover`,
  );
}

/** @throws SwarmError `conflict` when the entry after `place` is sound, and only too new for this version (E3). */
function refuseNewerEntry(entry: JsonObject, { logId, seq, chain: previousChain }: Place): void {
  const read = readEntry(entry, { logId, previousChain, parseCommand: officeCommands.parse });
  const isNewer = typeof entry.v === "number" && entry.v > ENTRY_VERSION;
  if (read.ok || !(isNewer || isSealed(entry, previousChain))) return;
  throw refuseNewer(`entry ${seq + 1}: ${read.fault}`);
}

function refuseNewer(what: string): SwarmError {
  return new SwarmError(
    "conflict",
    `${what}; another version wrote it, and can read it: run that version instead of recovering`,
  );
}

/** The newest fold that can be restored without the rest of the log. */
async function findBase(
  transport: Transport,
  info: LogInfo | null,
  ids: readonly SnapshotId[],
): Promise<{ base: OfficeFold; snapshot: SnapshotId | null }> {
  const logIds = new Set(ids.map(({ logId }) => logId));
  if (logIds.size > 1) {
    throw new SwarmError(
      "conflict",
      `there are snapshots of several logs (${[...logIds].join(", ")}): remove the snapshots of all logs but one`,
    );
  }
  const faults: string[] = [];
  for (const id of ids) {
    const read = await readSnapshot(transport.snapshots, id);
    if (read.ok) return { base: read.fold, snapshot: id };
    if (read.isWhole) throw refuseNewer(read.fault);
    faults.push(read.fault);
  }
  const first =
    info === null || info.messages === 0 ? null : await transport.log("office").get(info.firstSeq);
  const genesis = first === null ? null : readGenesis(readJson(first));
  const isSame = genesis?.ok === true && (logIds.size === 0 || logIds.has(genesis.logId));
  if (first !== null && isSame && genesis.epoch === 1) {
    return { base: emptyFold(officeCommands, genesis.logId, { epoch: 1, seq: first.seq }), snapshot: null };
  }
  const why = faults.length === 0 ? "there is no snapshot" : faults.join("; ");
  const found =
    genesis?.ok === true && !isSame
      ? `is another (${genesis.logId})`
      : "does not reach back to its beginning";
  throw new SwarmError(
    "not_found",
    `${why}, and the log ${found}: restore the stream or its snapshots from a backup`,
  );
}

/** Applies the entries that continue `base`, and counts the others, with the highest term and epoch among them. */
async function applyRest(transport: Transport, info: LogInfo | null, base: OfficeFold) {
  let [discarded, term, epoch] = [0, 0, 0];
  if (info === null) return { discarded, term, epoch };
  const member = createReader(base, null);
  for await (const stored of transport.log("office").read({ fromSeq: info.firstSeq })) {
    const entry = readJson(stored);
    const place = placeOf(member);
    if (stored.seq === place.seq + 1) load(member, stored);
    if (stored.seq <= base.seq) continue; // `base` is the fold of the member, which has just applied the entry
    if (stored.seq === place.seq + 1) refuseNewerEntry(entry, place);
    discarded++;
    if (entry.logId !== base.logId) continue;
    if (Number.isSafeInteger(entry.term)) term = Math.max(term, entry.term as number);
    if (Number.isSafeInteger(entry.epoch)) epoch = Math.max(epoch, entry.epoch as number);
  }
  return { discarded, term, epoch };
}

/** A member that only reads. */
function createReader(fold: OfficeFold, hash: string | null): Member<OfficeState, OfficeCommand> {
  return createMember({
    config: {
      node: "recovery",
      members: ["recovery"],
      swarm: fold.logId,
      ...ELECTION_TIMES,
      preVote: true,
      checkQuorum: true,
    },
    seed: 0,
    commandSet: officeCommands,
    snapshot: { fold, hash },
  });
}

/** Applies the entry, unless the member has halted. A gap halts the member, like any other fault. */
function load(member: Member<OfficeState, OfficeCommand>, stored: Stored): void {
  if (haltedError(member) !== undefined) return;
  if (stored.seq === member.office.fold.seq + 1) loadLog(member, [readJson(stored)]);
  else member.office.halted = `entry ${member.office.fold.seq + 1} is missing`;
}

/** Performs the recovery in the order of E4. */
async function perform(transport: Transport, base: OfficeFold, recovery: Recovery): Promise<void> {
  const { logId, epoch, firstSeq, term } = recovery;
  const { log, snapshots } = openOfficeStores(transport);
  const fold = renewFold(base, { epoch, seq: firstSeq, term, skip: COUNTER_MARGIN });
  const text = utf8Bytes(saveFold(fold));
  const hash = await hashBytes(text);
  const object = await writeSnapshot(snapshots, { logId, epoch, seq: firstSeq, hash }, [text]);
  refuseDifferences(await transport.init()); // the stream itself may be gone
  await log.purge({ beforeSeq: firstSeq });
  const subject = createSubjects(transport.prefix).officeLog;
  const append = (entry: object, expectedLastSeq: number) =>
    log.append(subject, encode(entry), { expectedLastSeq });
  await append(genesisBody({ logId, epoch }), firstSeq - 1);
  const entry = sealEntry<OfficeCommand>(
    { v: ENTRY_VERSION, logId, term, at: fold.at, type: "snapshot", seq: firstSeq, hash, object },
    genesisChain(logId, epoch),
  );
  await append(entry as unknown as JsonObject, firstSeq);
}
