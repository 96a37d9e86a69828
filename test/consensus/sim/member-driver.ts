// The driver of a production member in the world of the simulator. It starts the member from snapshots (findBeginning),
// watches its log (LogWatch), makes snapshots and trims the log before them. It also deletes the log, re-creates it or
// restores it from a backup, and recovers it.
//
// M1  A member that has read more than the log contains halts, and none of its later appends is stored (I5 of the log).
// M2  A member never starts from a log that ends before its own last position, or before the newest snapshot.
// M3  A recovery keeps everything that the newest snapshot and the rest of the log contain. Terms, tokens and sequences
//     continue above all earlier ones.

import { assert } from "../../../src/base/index.ts";
import { type SnapshotNote, saveFold } from "../../../src/consensus/index.ts";
import {
  findStartPoint,
  isRecovered,
  LogWatch,
  listSuperfluous,
  nameSnapshot,
  type Place,
  planRecovery,
  type Recovery,
  SnapshotRetention,
  sortSnapshots,
  targetsReplacedLog,
} from "../../../src/coordinator/internal.ts";
import { type CoordinatorStatus, SwarmError, sha256 } from "../../../src/protocol/index.ts";
import type { Log, Objects } from "../../../src/transport/index.ts";
import { DISASTERS, Disaster } from "./disasters.ts";
import type { LineNode, Reply, SealedEntry } from "./lines.ts";
import { createMemberNode } from "./member-node.ts";
import { officeWorkload } from "./office-workload.ts";
import { ObjectStore, recoveryTransport, viewLog } from "./ports.ts";
import { type Append, Lineage, type SharedLog } from "./shared-log.ts";
import { type Bench, type Driver, type DriverParts, electionLine, type SimulatedNode } from "./world.ts";

const LOG_ID = "simulated";
const STEP_MS = 50;
/** The number of entries after a snapshot that makes the next one due. */
const SNAPSHOT_ENTRIES = 10;
/** The interval between two checks of the log, in steps. */
const LOOK_STEPS = 8;
/** The number of steps after which a log that looks wrong counts as lost. It is longer than any replica is stale. */
const DOUBT_STEPS = 60;
/** The most ticks that are counted after a pause. */
const MAX_BURST_TICKS = 20;
/** The pause between two tries to start. */
const RETRY_STEPS = 5;

/** The amount that a recovery adds to tokens and revisions. */
export const RECOVERY_SKIP = 1_000_000_000;

const FAULTS = [
  ...DISASTERS,
  "ticks late after a pause",
  "snapshot made",
  "snapshot lost on its way to the store",
  "snapshot damaged in the store",
  "snapshot given up with the office",
  "started from a snapshot",
  "started from an older snapshot",
  "log trimmed",
  "snapshot newer than the log",
  "log trimmed before it was read",
  "member halted because of its log",
  "start refused: less than a snapshot has seen",
  "start refused: less than this process has seen",
  "start refused: no log, or another",
  "log recovered",
  "log recovered with less than was acknowledged",
  "recovery refused: the log is sound",
  "new log started, nothing left of the old one",
  "append held back from another log",
  "append held back from a missing log",
] as const;

/** The actions of the driver that a mutant may do wrongly. */
export interface Habits {
  /** The snapshots that a starting member sees. */
  readonly snapshots: (store: ObjectStore, log: SharedLog) => Objects;
  /** Whether a process remembers its position in the log when it starts its member again. */
  readonly remembers: boolean;
  /** Whether the process checks its log. */
  readonly watches: boolean;
  /** The first sequence of the log to keep; null keeps all of it. */
  readonly keepFrom: (snapshots: SnapshotRetention) => number | null;
}

/** The habits of production. */
export const GOOD_HABITS: Habits = {
  snapshots: (store) => store.port,
  remembers: true,
  watches: true,
  keepFrom: ({ keptFromSeq }) => keptFromSeq,
};

/** The bench of a production member, or of a broken member. */
export function memberBench(
  createNode: () => LineNode = createMemberNode,
  habits: Habits = GOOD_HABITS,
): Bench {
  return {
    createNode,
    createWorkload: officeWorkload,
    createDriver: (parts) => new MemberDriver(parts, habits),
    origin: { logId: LOG_ID, epoch: 1, seq: 1 },
    isTimeReal: true,
    faults: FAULTS,
  };
}

type AppendWay = Parameters<Driver["append"]>[2];

/** The memory of one process beside its member. */
interface Process {
  readonly node: SimulatedNode;
  /** The kind of the next start, and the first step for it; null while the member runs. */
  starting: { readonly kind: "current" | "lagging"; readonly from: number } | null;
  /** The position in the log when the process ended its last member; null in a new process. */
  seen: Place | null;
  /** The number of steps since the log lost entries that the member has read. */
  endangeredSteps: number;
  watch: LogWatch | null;
  nextLook: number;
  /** The step since which checks of the log have seen a stale replica. */
  staleSince: number | null;
  snapshots: SnapshotRetention;
  /** True from the request of a checkpoint until its snapshot is reported or given up. */
  isMaking: boolean;
}

class MemberDriver implements Driver {
  readonly #parts: DriverParts;
  readonly #processes: Process[] = [];
  readonly #store = new ObjectStore();
  readonly #disaster: Disaster;
  readonly #habits: Habits;
  #looks: Promise<void>[] = [];
  #recovering = false;
  #isRecovered = false;

  constructor(parts: DriverParts, habits: Habits) {
    this.#parts = parts;
    this.#habits = habits;
    this.#disaster = new Disaster(parts.stage, parts.log, parts.shared.workload.createModel);
  }

  // Starting

  /** Starts a new process, which remembers nothing. */
  start(node: SimulatedNode, kind: "current" | "lagging"): void {
    const process = this.#processOf(node);
    this.#end(process, kind, null);
  }

  fallBehind(node: SimulatedNode): void {
    this.#parts.stage.count("log trimmed before it was read");
    this.#distrust(this.#processOf(node), "the log was trimmed beyond what was read");
  }

  #end(process: Process, kind: "current" | "lagging", seen: Place | null): void {
    process.node.isUp = false;
    process.starting = { kind, from: this.#parts.stage.now };
    process.seen = seen;
    process.endangeredSteps = 0;
    process.watch = null;
  }

  /** Ends the member of this process. The process continues, remembers its position, and starts a member again. */
  #distrust(process: Process, reason: string): void {
    const { stage, log, say } = this.#parts;
    const { node } = process;
    const seen = this.#placeOf(node);
    const isBehind = log.firstSeq > process.snapshots.coveredSeq && seen.seq < log.lastSeq;
    assert(isBehind || this.#disaster.lost !== null, `${node.id} distrusts a sound log: ${reason}`);
    node.observer.mayHalt = true;
    say(node, { op: "distrust", reason });
    if (!isBehind) stage.count("member halted because of its log");
    this.#end(process, "current", seen);
  }

  settle(): Promise<void> | null {
    const { now } = this.#parts.stage;
    const due = this.#processes.filter(({ starting }) => starting !== null && starting.from <= now);
    if (due.length === 0 && this.#looks.length === 0 && !this.#recovering) return null;
    return this.#settle(due);
  }

  async #settle(due: readonly Process[]): Promise<void> {
    await Promise.all(this.#looks.splice(0));
    if (this.#recovering) await this.#recover();
    for (const process of due) await this.#begin(process);
  }

  async #begin(process: Process): Promise<void> {
    const { stage, log, shared, say } = this.#parts;
    const { node } = process;
    const isLagging = process.starting?.kind === "lagging";
    const lastSeq = isLagging ? stage.between(log.firstSeq, log.lastSeq) : log.lastSeq;
    const found = await this.#findBeginning(process, lastSeq);
    if (typeof found === "string") {
      stage.count(found);
      // A process that has read lost entries can never start again by itself. After the recovery an operator restarts it.
      if (this.#isRecovered) process.seen = null;
      process.starting = { kind: "current", from: stage.now + RETRY_STEPS };
      return;
    }
    const { fold, snapshot, rejected } = found;
    if (snapshot !== null)
      stage.count(rejected.length > 0 ? "started from an older snapshot" : "started from a snapshot");
    const text = snapshot === null ? undefined : saveFold(fold);
    const entries = [];
    for (let seq = fold.seq + 1; seq <= lastSeq; seq++) entries.push(log.read(seq));
    node.problem = null;
    process.starting = null;
    process.snapshots = new SnapshotRetention(fold.seq);
    process.isMaking = false;
    for (const entry of entries) {
      if (entry?.type === "snapshot") this.#noteSnapshot(process, entry as unknown as SnapshotNote);
    }
    this.#checkBeginning(process, lastSeq);
    node.observer.lineage = log.lineage;
    node.isUp = true;
    const reply = say(node, {
      op: "init",
      ...electionLine(node, shared),
      swarm: fold.logId,
      genesis: { epoch: fold.epoch, seq: fold.seq },
      snapshot: snapshot === null ? null : { text, hash: snapshot.hash },
      log: entries,
    });
    assert(reply.ok && reply.state.appliedSeq === lastSeq, `${node.id} starts with ${reply.error}`);
    node.nextSeq = lastSeq + 1;
    process.watch = this.#watch(process, fold.epoch);
  }

  /** Finds the start of the member, or returns the name of the fault that prevents it. */
  async #findBeginning(process: Process, lastSeq: number) {
    const { node, seen } = process;
    const snapshots = this.#habits.snapshots(this.#store, this.#parts.log);
    const stores = { log: viewLog(this.#parts.log, lastSeq), snapshots };
    try {
      return await findStartPoint(stores, this.#habits.remembers && seen !== null ? seen : undefined);
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      node.problem = error.message;
      return this.#nameRefusal(process, lastSeq);
    }
  }

  #nameRefusal({ seen }: Process, lastSeq: number): (typeof FAULTS)[number] {
    if (this.#listSnapshots().some(({ seq }) => seq > lastSeq))
      return "start refused: less than a snapshot has seen";
    if (seen !== null && seen.seq > lastSeq) return "start refused: less than this process has seen";
    return "start refused: no log, or another";
  }

  /** M2: the log of a starting member is at least as long as every snapshot and this process have seen. */
  #checkBeginning({ node, seen }: Process, lastSeq: number): void {
    const { logId, epoch } = this.#parts.log.lineage.origin;
    for (const { name, ...id } of this.#listSnapshots()) {
      const isKnown = id.logId === logId && id.epoch <= epoch && id.seq <= lastSeq;
      assert(isKnown, `${node.id} starts at ${lastSeq}, but there is a snapshot ${name}`);
    }
    assert((seen?.seq ?? 0) <= lastSeq, `${node.id} starts at ${lastSeq}, but has read up to ${seen?.seq}`);
  }

  #watch(process: Process, epoch: number): LogWatch {
    const { stage } = this.#parts;
    const { node } = process;
    process.nextLook = stage.now + stage.between(0, LOOK_STEPS);
    const watch = new LogWatch({
      log: this.#viewFor(process),
      epoch,
      place: () => this.#placeOf(node),
      floorSeq: () => process.snapshots.coveredSeq,
      clock: { now: () => stage.now * STEP_MS, after: () => () => undefined },
      doubtMs: DOUBT_STEPS * STEP_MS,
      onLost: (reason) => {
        if (process.watch === watch) this.#distrust(process, reason);
      },
    });
    return watch;
  }

  #placeOf({ observer: { state, lineage } }: SimulatedNode): Place {
    const { logId } = lineage.origin;
    const seq = state?.appliedSeq ?? 0;
    return { logId, seq, chain: lineage.chainAt(seq) ?? "" };
  }

  /**
   * The node's view of the log for its checks. A stale replica shows fewer entries. As in production, no replica is
   * stale for as long as a log must look wrong before it counts as lost.
   */
  #viewFor(process: Process): Log {
    const { stage, log } = this.#parts;
    const view = () => {
      const isStale = process.node.staleUntil > stage.now && stage.happens(0.7);
      if (!isStale) process.staleSince = null;
      else process.staleSince ??= stage.now;
      const isBelieved =
        process.staleSince !== null && stage.now - process.staleSince < DOUBT_STEPS - LOOK_STEPS;
      if (isBelieved) return viewLog(log, stage.between(log.firstSeq, log.lastSeq));
      process.staleSince = null;
      return viewLog(log);
    };
    return { ...viewLog(log), info: () => view().info(), get: (seq: number) => viewLog(log).get(seq) };
  }

  append(node: SimulatedNode, append: Append, way: AppendWay): void {
    if (this.#habits.watches) this.#looks.push(this.#askUnlessReplaced(node, append, way));
    else way.ask();
  }

  async #askUnlessReplaced(node: SimulatedNode, append: Append, way: AppendWay): Promise<void> {
    const { incarnation } = append;
    const { stage, log } = this.#parts;
    const takesAnother = await targetsReplacedLog(viewLog(log), this.#placeOf(node), append);
    if (takesAnother === null) {
      stage.count("append held back from a missing log");
      return way.holdBack();
    }
    if (!takesAnother) return way.ask();
    stage.count("append held back from another log");
    if (node.isUp && node.observer.incarnation === incarnation && node.observer.halted === null)
      this.#distrust(this.#processOf(node), "the append would go to another log");
  }

  // Time

  wake(node: SimulatedNode, missed: number, doInbox: () => void): void {
    doInbox();
    if (!node.isUp) return;
    this.#parts.stage.count("ticks late after a pause");
    const n = Math.min(missed + 1, MAX_BURST_TICKS);
    this.#parts.say(node, { op: "tick", n, late: n - 1 });
  }

  step(): void {
    this.#disaster.step((before) => this.#changeLog(before));
    if (this.#parts.stage.now === this.#disaster.recoverAt) this.#recovering = true;
    for (const process of this.#processes) {
      const { node } = process;
      if (!node.isUp || node.pausedUntil > this.#parts.stage.now) continue;
      if (node.observer.halted !== null) {
        this.#restartHalted(process);
        continue;
      }
      this.#checkEnd(process);
      this.#look(process);
      this.#askCheckpoint(process);
    }
    this.#damage();
  }

  /**
   * Restarts a member that halted at an entry which does not fit; before the recovery it would read the same entry
   * again. After a recovery the member starts again by itself. If the operator found the log sound, the operator
   * restarts the process.
   */
  #restartHalted(process: Process): void {
    if (!this.#isRecovered) return;
    const { epoch } = process.node.observer.lineage.origin;
    const restart = async () => {
      const isNewEpoch = await isRecovered(viewLog(this.#parts.log), epoch);
      this.#end(process, "current", isNewEpoch ? this.#placeOf(process.node) : null);
    };
    this.#looks.push(restart());
  }

  #look(process: Process): void {
    const { now } = this.#parts.stage;
    if (!this.#habits.watches || process.watch === null || process.nextLook > now) return;
    process.nextLook = now + LOOK_STEPS;
    this.#looks.push(process.watch.check());
  }

  // Disasters

  /** Handles a replaced log. A member that has read none of the lost entries continues without noticing. */
  #changeLog(before: Lineage): void {
    const { log, nodes, clients, stage } = this.#parts;
    for (const { observer } of nodes) {
      observer.mayHalt = true;
      observer.follow(log.lineage);
    }
    clients.forget(before, log.lineage);
    this.#parts.shared.workload.loseLog();
    const isOlder = this.#listSnapshots().some(({ seq }) => seq > log.lastSeq);
    if (isOlder) stage.count("snapshot newer than the log");
  }

  /** M1: a process stops using a log that lacks entries which it has read, in time. */
  #checkEnd(process: Process): void {
    const { log } = this.#parts;
    const { seq } = this.#placeOf(process.node);
    const isLost = !log.exists || !log.lineage.keeps(seq, process.node.observer.lineage);
    process.endangeredSteps = isLost ? process.endangeredSteps + 1 : 0;
    assert(
      process.endangeredSteps < 2 * DOUBT_STEPS,
      `${process.node.id} keeps using a log that has lost entries which it has read`,
    );
  }

  /** An operator recovers the log, or starts a new one if nothing is left. */
  async #recover(): Promise<void> {
    this.#recovering = false;
    this.#isRecovered = true;
    const { stage, log, clients, shared } = this.#parts;
    const before = log.lineage;
    try {
      const writer = {
        genesis: (seq: number) => this.#renewLog(plan.recovery, seq),
        entry: (value: unknown) => log.lineage.begin(value as SealedEntry),
      };
      const transport = recoveryTransport(log, this.#store, writer);
      const plan = await planRecovery(transport, this.#listStatus());
      await plan.perform();
      stage.count("log recovered");
      shared.workload.recoverLog(true);
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      if (error.code === "conflict") return stage.count("recovery refused: the log is sound");
      this.#startNewLog();
      shared.workload.recoverLog(false);
    }
    const lost = clients.forget(before, log.lineage);
    if (lost > 0) stage.count("log recovered with less than was acknowledged");
  }

  /** M3: keeps all that the newest snapshot or the rest of the log contains, and continues above all earlier numbers. */
  #renewLog({ keptSeq, epoch, term, logId }: Recovery, seq: number): void {
    const { log, nodes } = this.#parts;
    const histories = [log.lineage, this.#disaster.lost ?? log.lineage];
    const held = histories.filter(
      (lineage) => lineage.folds.has(keptSeq) || lineage.chainAt(keptSeq) !== undefined,
    );
    const kept = log.exists && log.lineage.chainAt(keptSeq) !== undefined ? log.lineage : held.at(-1);
    assert(kept !== undefined, `the recovery keeps ${keptSeq}, which never existed`);
    for (const lineage of histories) {
      assert(seq > lineage.lastSeq, `the log starts again at ${seq}, but had reached ${lineage.lastSeq}`);
      const reached = lineage.officeAt(lineage.lastSeq).term;
      assert(term > reached, `the log starts again with term ${term}, but had reached ${reached}`);
    }
    for (const { observer } of nodes) {
      const own = observer.lineage.origin.logId === logId ? (observer.state?.term ?? 0) : 0;
      assert(term > own, `the log starts again with term ${term}, but a member is in term ${own}`);
    }
    log.lineage = kept.renew(keptSeq, { origin: { logId, epoch, seq }, term, skip: RECOVERY_SKIP });
    log.firstSeq = seq;
    log.exists = true;
    log.changedAt = this.#parts.stage.now;
  }

  /** Starts a new swarm, because nothing is left to recover. */
  #startNewLog(): void {
    const { stage, log, shared } = this.#parts;
    stage.count("new log started, nothing left of the old one");
    this.#store.texts.clear();
    const origin = { logId: "begun-anew", epoch: 1, seq: 1 };
    log.lineage = new Lineage({ origin, createModel: shared.workload.createModel, isTimeReal: true });
    log.firstSeq = origin.seq;
    log.exists = true;
    log.changedAt = stage.now;
  }

  /** The status reports of the coordinators. */
  #listStatus(): CoordinatorStatus[] {
    return this.#processes.map(({ node: { id, observer } }) => {
      const { logId, epoch } = observer.lineage.origin;
      const { appliedSeq = 0, term = 0 } = observer.state ?? {};
      return { id, logId, epoch, appliedSeq, term } as CoordinatorStatus;
    });
  }

  // Snapshots

  #askCheckpoint(process: Process): void {
    const { stage, say } = this.#parts;
    const { state } = process.node.observer;
    if (state?.inOffice !== true) {
      process.isMaking = false;
      return;
    }
    const isDue = state.appliedSeq - process.snapshots.coveredSeq >= SNAPSHOT_ENTRIES;
    if (!isDue || process.isMaking || !stage.happens(0.3)) return;
    process.isMaking = say(process.node, { op: "checkpoint" }).ok;
  }

  after(node: SimulatedNode, { checkpoint, snapshot, state }: Reply): void {
    const process = this.#processOf(node);
    if (checkpoint != null) this.#takeCheckpoint(process, checkpoint);
    if (snapshot == null) return;
    this.#noteSnapshot(process, snapshot);
    if (state.inOffice) this.#tidy(process);
  }

  /**
   * Hashes the fold of every member. The member that requested the checkpoint saves its fold and reports the snapshot.
   */
  #takeCheckpoint(process: Process, { seq, isOwn, text, hash }: NonNullable<Reply["checkpoint"]>): void {
    const { stage, reach } = this.#parts;
    const { node } = process;
    const { folds } = node.observer.lineage;
    assert(
      (folds.get(seq) ?? text) === text,
      `${node.id} saves a different fold at ${seq} than other members`,
    );
    folds.set(seq, text);
    const { incarnation } = node.observer;
    const isSame = () => node.isUp && node.observer.incarnation === incarnation;
    const object = nameSnapshot({ ...this.#identity(node), seq, hash });
    stage.at(this.#delay(), () => {
      if (isSame()) reach(node, () => ({ op: "hashed", seq, hash }));
      if (!isOwn) return;
      stage.at(this.#delay(), () => {
        if (!isSame()) return;
        const isLost = stage.strikes(0.1);
        if (isLost) stage.count("snapshot lost on its way to the store");
        else this.#store.texts.set(object, text);
        // The process reads the snapshot back before it reports the snapshot.
        if (isLost) process.isMaking = false;
        else reach(node, () => this.#tellSnapshot(node, { seq, hash, object }));
      });
    });
  }

  #tellSnapshot(node: SimulatedNode, note: SnapshotNote) {
    const { stage } = this.#parts;
    stage.count(
      node.observer.state?.inOffice === true ? "snapshot made" : "snapshot given up with the office",
    );
    return { op: "snapshot", ...note };
  }

  #identity(node: SimulatedNode): { logId: string; epoch: number } {
    const { logId, epoch } = node.observer.lineage.origin;
    return { logId, epoch };
  }

  #noteSnapshot(process: Process, { seq, hash, object }: SnapshotNote): void {
    process.snapshots.note({ seq, hash, object });
    process.isMaking = false;
  }

  /** Trims the log up to the last but one snapshot, and removes the objects that lie before the trimmed log. */
  #tidy(process: Process): void {
    const { stage, log } = this.#parts;
    const { node } = process;
    const { lineage } = node.observer;
    stage.at(this.#delay(), () => {
      if (!node.isUp || node.observer.state?.inOffice !== true || lineage !== node.observer.lineage) return;
      if (!log.exists) return;
      const from = this.#habits.keepFrom(process.snapshots);
      if (from === null) return;
      if (from > log.firstSeq) stage.count("log trimmed");
      log.trim(from);
      for (const id of listSuperfluous(this.#listSnapshots(), log.firstSeq)) {
        this.#store.texts.delete(nameSnapshot(id));
      }
    });
  }

  /** All objects, the newest first. */
  #listSnapshots() {
    return sortSnapshots([...this.#store.texts.keys()]).map((id) => ({ ...id, name: nameSnapshot(id) }));
  }

  /** Damages one snapshot if members can still start without it. Two damaged snapshots could make a start impossible. */
  #damage(): void {
    const { stage, log } = this.#parts;
    if (!stage.strikes(0.004)) return;
    const [newest, ...others] = this.#listSnapshots();
    if (newest === undefined || !others.every((other) => this.#isWhole(other))) return;
    const { origin } = log.lineage;
    const isGenesisEnough = origin.epoch === 1 && log.firstSeq === origin.seq;
    const isSpare = others[0] !== undefined && others[0].seq >= log.firstSeq;
    if (!isSpare && !isGenesisEnough) return;
    stage.count("snapshot damaged in the store");
    const text = this.#store.texts.get(newest.name) as string;
    this.#store.texts.set(newest.name, stage.happens(0.5) ? text.slice(0, -1) : text.replace(/1/, "2"));
  }

  #isWhole({ name, hash }: { name: string; hash: string }): boolean {
    return sha256(this.#store.texts.get(name) ?? "") === hash;
  }

  // Healing

  heal(): void {
    for (const process of this.#processes) {
      if (process.starting !== null) process.starting = { kind: "current", from: 0 };
    }
  }

  check(): void {}

  // Small parts

  #delay(): number {
    const { stage } = this.#parts;
    return stage.isHealed ? 1 : stage.between(1, 6);
  }

  #processOf(node: SimulatedNode): Process {
    this.#processes[node.index] ??= {
      node,
      starting: null,
      seen: null,
      endangeredSteps: 0,
      watch: null,
      nextLook: 0,
      staleSince: null,
      snapshots: new SnapshotRetention(0),
      isMaking: false,
    };
    return this.#processes[node.index] as Process;
  }
}
