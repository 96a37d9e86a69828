// What stands around a member in production, in the world of the simulator: how it begins from snapshots (findBeginning),
// watches its log (LogWatch), makes snapshots and trims the log behind them; and what becomes of all that when the log is
// deleted, re-created or restored from a backup, and recovered.
//
// M1  A member that has seen more than the log holds halts, and nothing of it is stored any more (the log's I5).
// M2  Nobody begins with less than a snapshot has seen.
// M3  A recovery keeps all that the newest snapshot and what is left of the log hold; terms, tokens and sequences go on
//     above all that ever were.

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
/** A snapshot is due when so many entries lie behind the one before. */
const SNAPSHOT_ENTRIES = 10;
/** Every so many steps a member looks at its log. */
const LOOK_STEPS = 8;
/** A log that looks wrong for so long is lost. Longer than any replica is stale. */
const DOUBT_STEPS = 60;
/** Ticks that are counted after a pause, at most. */
const MAX_BURST_TICKS = 20;
/** The pause between two tries to begin. */
const RETRY_STEPS = 5;

/** How far a recovery moves tokens and revisions on. */
export const RECOVERY_SKIP = 1_000_000_000;

const FAULTS = [
  ...DISASTERS,
  "ticks late after a pause",
  "snapshot made",
  "snapshot lost on its way to the store",
  "snapshot damaged in the store",
  "snapshot given up with the office",
  "begun with a snapshot",
  "begun with an older snapshot",
  "log trimmed",
  "snapshot newer than the log",
  "log trimmed before it was read",
  "member halted over its log",
  "beginning refused: less than a snapshot has seen",
  "beginning refused: less than this process has seen",
  "beginning refused: no log, or another",
  "log recovered",
  "log recovered with less than was acknowledged",
  "recovery refused: the log is sound",
  "log begun anew, nothing left of it",
  "append held back from another log",
  "append held back from a log that is away",
] as const;

/** What the driver does that a mutant may do wrongly. */
export interface Habits {
  /** The snapshots as a beginning finds them. */
  readonly snapshots: (store: ObjectStore, log: SharedLog) => Objects;
  /** Whether a process remembers what it has read when it begins again. */
  readonly remembers: boolean;
  /** Whether it looks at its log. */
  readonly watches: boolean;
  /** From where on the log is kept; null: all of it. */
  readonly keepFrom: (told: SnapshotRetention) => number | null;
}

/** As production does. */
export const GOOD_HABITS: Habits = {
  snapshots: (store) => store.port,
  remembers: true,
  watches: true,
  keepFrom: ({ keptFromSeq }) => keptFromSeq,
};

/** A member of production, or a broken one, in the world. */
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

/** What one process remembers beside its member. */
interface Process {
  readonly node: SimulatedNode;
  /** How it is to start, and from when on. */
  starting: { readonly kind: "current" | "lagging"; readonly from: number } | null;
  /** What this process has read, from when its member ended. */
  seen: Place | null;
  /** For how many of its steps the log has lacked what it has read. */
  endangeredSteps: number;
  watch: LogWatch | null;
  nextLook: number;
  /** Since when looks have seen a stale replica. */
  staleSince: number | null;
  told: SnapshotRetention;
  /** True from asking for a checkpoint until its snapshot is told of, or given up. */
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

  // Beginning

  /** A new process: it remembers nothing. */
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

  /** The member of this process is over; the process goes on and begins again, remembering what it has read. */
  #distrust(process: Process, reason: string): void {
    const { stage, log, say } = this.#parts;
    const { node } = process;
    const seen = this.#placeOf(node);
    const isBehind = log.firstSeq > process.told.coveredSeq && seen.seq < log.lastSeq;
    assert(isBehind || this.#disaster.lost !== null, `${node.id} distrusts a sound log: ${reason}`);
    node.observer.mayHalt = true;
    say(node, { op: "distrust", reason });
    if (!isBehind) stage.count("member halted over its log");
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
      // Who has read what is lost for good never comes back by itself: once all is settled, an operator restarts it.
      if (this.#isRecovered) process.seen = null;
      process.starting = { kind: "current", from: stage.now + RETRY_STEPS };
      return;
    }
    const { fold, snapshot, rejected } = found;
    if (snapshot !== null)
      stage.count(rejected.length > 0 ? "begun with an older snapshot" : "begun with a snapshot");
    const text = snapshot === null ? undefined : saveFold(fold);
    const entries = [];
    for (let seq = fold.seq + 1; seq <= lastSeq; seq++) entries.push(log.read(seq));
    node.problem = null;
    process.starting = null;
    process.told = new SnapshotRetention(fold.seq);
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
    assert(reply.ok && reply.state.appliedSeq === lastSeq, `${node.id} begins with ${reply.error}`);
    node.nextSeq = lastSeq + 1;
    process.watch = this.#watch(process, fold.epoch);
  }

  /** Where to begin, or why that cannot be. */
  async #findBeginning({ node, seen }: Process, lastSeq: number) {
    const snapshots = this.#habits.snapshots(this.#store, this.#parts.log);
    const stores = { log: viewLog(this.#parts.log, lastSeq), snapshots };
    try {
      return await findStartPoint(stores, this.#habits.remembers && seen !== null ? seen : undefined);
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      node.problem = error.message;
      if (/which a snapshot holds|there is a snapshot/.test(error.message))
        return "beginning refused: less than a snapshot has seen";
      if (/this coordinator has read/.test(error.message))
        return "beginning refused: less than this process has seen";
      return "beginning refused: no log, or another";
    }
  }

  /** M2: whoever begins has all that any snapshot, and this process, has seen. */
  #checkBeginning({ node, seen }: Process, lastSeq: number): void {
    const { logId, epoch } = this.#parts.log.lineage.origin;
    for (const { name, ...id } of this.#listSnapshots()) {
      const isKnown = id.logId === logId && id.epoch <= epoch && id.seq <= lastSeq;
      assert(isKnown, `${node.id} begins at ${lastSeq}, though there is a snapshot ${name}`);
    }
    assert((seen?.seq ?? 0) <= lastSeq, `${node.id} begins at ${lastSeq}, having seen ${seen?.seq}`);
  }

  #watch(process: Process, epoch: number): LogWatch {
    const { stage } = this.#parts;
    const { node } = process;
    process.nextLook = stage.now + stage.between(0, LOOK_STEPS);
    const watch = new LogWatch({
      log: this.#viewFor(process),
      epoch,
      place: () => this.#placeOf(node),
      floorSeq: () => process.told.coveredSeq,
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
   * What a look of the node sees of the log: while it reads from a stale replica, some entries fewer. No replica is stale
   * for as long as a log must look wrong before it is believed: that is what production counts on.
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
    if (this.#habits.watches) this.#looks.push(this.#askUnlessExchanged(node, append, way));
    else way.ask();
  }

  async #askUnlessExchanged(node: SimulatedNode, append: Append, way: AppendWay): Promise<void> {
    const { incarnation } = append;
    const { stage, log } = this.#parts;
    const takesAnother = await targetsReplacedLog(viewLog(log), this.#placeOf(node), append);
    if (takesAnother === null) {
      stage.count("append held back from a log that is away");
      return way.holdBack();
    }
    if (!takesAnother) return way.ask();
    stage.count("append held back from another log");
    if (node.isUp && node.observer.incarnation === incarnation && node.observer.halted === null)
      this.#distrust(this.#processOf(node), "the office would stand in another log");
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
   * Whoever met an entry that does not follow what it has read would meet it again: it begins again by itself when the
   * log is recovered, and where the operator found the log sound, the operator restarts it.
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

  /** The log has become another one: whoever has read nothing that it lacks goes on without noticing. */
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

  /** M1: a process that looks at a log without what it has read lets go of it in time. */
  #checkEnd(process: Process): void {
    const { log } = this.#parts;
    const { seq } = this.#placeOf(process.node);
    const isLost = !log.exists || !log.lineage.keeps(seq, process.node.observer.lineage);
    process.endangeredSteps = isLost ? process.endangeredSteps + 1 : 0;
    assert(
      process.endangeredSteps < 2 * DOUBT_STEPS,
      `${process.node.id} goes on with a log that has lost what it has read`,
    );
  }

  /** An operator recovers the log, as far as there is anything to recover. */
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
      this.#beginAnew();
      shared.workload.recoverLog(false);
    }
    const lost = clients.forget(before, log.lineage);
    if (lost > 0) stage.count("log recovered with less than was acknowledged");
  }

  /** M3: what is kept is all that the newest snapshot or the rest of the log holds; what comes stands above all that was. */
  #renewLog({ keptSeq, epoch, term, logId }: Recovery, seq: number): void {
    const { log, nodes } = this.#parts;
    const histories = [log.lineage, this.#disaster.lost ?? log.lineage];
    const held = histories.filter(
      (lineage) => lineage.folds.has(keptSeq) || lineage.chainAt(keptSeq) !== undefined,
    );
    const kept = log.exists && log.lineage.chainAt(keptSeq) !== undefined ? log.lineage : held.at(-1);
    assert(kept !== undefined, `the recovery keeps ${keptSeq}, which never was`);
    for (const lineage of histories) {
      assert(seq > lineage.lastSeq, `the log begins again at ${seq}, and went to ${lineage.lastSeq}`);
      const reached = lineage.officeAt(lineage.lastSeq).term;
      assert(term > reached, `the log begins again with term ${term}, and had ${reached}`);
    }
    for (const { observer } of nodes) {
      const own = observer.lineage.origin.logId === logId ? (observer.state?.term ?? 0) : 0;
      assert(term > own, `the log begins again with term ${term}, and a member is in ${own}`);
    }
    log.lineage = kept.renew(keptSeq, { origin: { logId, epoch, seq }, term, skip: RECOVERY_SKIP });
    log.firstSeq = seq;
    log.exists = true;
    log.changedAt = this.#parts.stage.now;
  }

  /** Nothing is left to recover: another swarm begins in the place of the old one. */
  #beginAnew(): void {
    const { stage, log, shared } = this.#parts;
    stage.count("log begun anew, nothing left of it");
    this.#store.texts.clear();
    const origin = { logId: "begun-anew", epoch: 1, seq: 1 };
    log.lineage = new Lineage({ origin, createModel: shared.workload.createModel, isTimeReal: true });
    log.firstSeq = origin.seq;
    log.exists = true;
    log.changedAt = stage.now;
  }

  /** What the coordinators tell of themselves. */
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
    const isDue = state.appliedSeq - process.told.coveredSeq >= SNAPSHOT_ENTRIES;
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

  /** Every member hashes its fold; the one that asked for the checkpoint saves it and tells of it. */
  #takeCheckpoint(process: Process, { seq, isOwn, text, hash }: NonNullable<Reply["checkpoint"]>): void {
    const { stage, reach } = this.#parts;
    const { node } = process;
    const { folds } = node.observer.lineage;
    assert((folds.get(seq) ?? text) === text, `${node.id} saves another fold at ${seq} than others`);
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
        // It is read back before anybody is told of it.
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
    process.told.note({ seq, hash, object });
    process.isMaking = false;
  }

  /** Trims the log up to the last but one snapshot, and removes objects that it does not reach back to. */
  #tidy(process: Process): void {
    const { stage, log } = this.#parts;
    const { node } = process;
    const { lineage } = node.observer;
    stage.at(this.#delay(), () => {
      if (!node.isUp || node.observer.state?.inOffice !== true || lineage !== node.observer.lineage) return;
      if (!log.exists) return;
      const from = this.#habits.keepFrom(process.told);
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

  /** One snapshot may rot while the log can be begun without it: with two gone nobody could. */
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
      told: new SnapshotRetention(0),
      isMaking: false,
    };
    return this.#processes[node.index] as Process;
  }
}
