// Disasters of the whole log: it is deleted, re-created empty, or restored from an older backup, and later recovered.
// Owns the time and the kind of the disaster; the driver of the members (member-driver.ts) notices it.

import { Lineage, type SharedLog } from "./shared-log.ts";
import type { Stage } from "./stage.ts";
import type { Model } from "./workload.ts";

/** The kinds of disasters, as they are counted. */
export const DISASTERS = [
  "log deleted",
  "log deleted and re-created",
  "log restored from an older backup",
] as const;

type Kind = (typeof DISASTERS)[number];

interface Backup {
  readonly lineage: Lineage;
  readonly lastSeq: number;
  readonly firstSeq: number;
}

/** The probability that a run has a disaster. */
const LIKELIHOOD = 0.5;

/** The disaster of one run, if it has one. */
export class Disaster {
  readonly kind: Kind;
  readonly #stage: Stage;
  readonly #log: SharedLog;
  readonly #createModel: () => Model;
  readonly #backupAt: number;
  readonly #deleteAt: number;
  readonly #returnAt: number;
  /** The step at which an operator recovers the log. */
  readonly recoverAt: number;
  #backup: Backup | null = null;
  /** The lost history; null before the log is deleted. */
  lost: Lineage | null = null;

  constructor(stage: Stage, log: SharedLog, createModel: () => Model) {
    this.#stage = stage;
    this.#log = log;
    this.#createModel = createModel;
    this.kind = stage.pick(DISASTERS);
    // Some disasters come before any member holds the office. Then every other log is as long as the log that was read.
    const isEarly = this.kind !== "log restored from an older backup" && stage.happens(0.2);
    const at = isEarly ? stage.between(1, 30) : stage.between(120, 280);
    this.#deleteAt = stage.happens(LIKELIHOOD) ? at : Number.POSITIVE_INFINITY;
    this.#backupAt = stage.between(20, 119);
    this.#returnAt = this.#deleteAt + stage.between(1, 20);
    this.recoverAt = this.#deleteAt + stage.between(100, 180);
  }

  /** Runs one step, and calls `onChange` when another log has replaced the log. */
  step(onChange: (before: Lineage) => void): void {
    const { now } = this.#stage;
    const log = this.#log;
    if (now === this.#backupAt) {
      this.#backup = { lineage: log.lineage, lastSeq: log.lastSeq, firstSeq: log.firstSeq };
    }
    if (now === this.#deleteAt) {
      this.#stage.count(this.kind);
      this.lost = log.lineage;
      log.exists = false;
    }
    if (now !== this.#returnAt || this.kind === "log deleted") return;
    const before = log.lineage;
    if (this.kind === "log restored from an older backup") this.#restore();
    else this.#recreate();
    log.exists = true;
    log.changedAt = now;
    onChange(before);
  }

  #restore(): void {
    const { lineage, lastSeq, firstSeq } = this.#backup as Backup;
    this.#log.lineage = lineage.cut(lastSeq);
    this.#log.firstSeq = firstSeq;
  }

  #recreate(): void {
    const origin = { logId: "another", epoch: 1, seq: 1 };
    this.#log.lineage = new Lineage({ origin, createModel: this.#createModel, isTimeReal: true });
    this.#log.firstSeq = origin.seq;
  }
}
