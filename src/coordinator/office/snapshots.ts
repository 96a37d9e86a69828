// Makes snapshots of the running office and trims the log behind them. Owns when and in which order; what is saved is
// consensus/snapshot.ts, where it is kept is snapshot-store.ts.
//
// N1  Order: checkpoint in the log, object stored, read back and verified, snapshot entry in the log, log trimmed, old
//     objects removed. A crash after any step leaves a log that can be begun with: what comes later only takes away what
//     the step before made needless.
// N2, N3  What of log and snapshots is kept, told.ts says.
// N4  The event loop is not held: the text is made in slices, and no buffer is as long as it.
import { createHash } from "node:crypto";
import { type Clock, type Logger, type Meter, sleep } from "../../base/index.ts";
import { type CheckpointNews, type SnapshotNote, viewFold } from "../../consensus/index.ts";
import { canonicalPieces, type JsonObject, toSwarmError } from "../../protocol/index.ts";
import type { Log, Objects } from "../../transport/index.ts";
import { listNeedless, SnapshotRetention } from "./snapshot-retention.ts";
import { listSnapshots, nameSnapshot, type OfficeFold, writeSnapshot } from "./snapshot-store.ts";

/** When a snapshot is due: this much of the log lies behind the one before. */
export interface SnapshotInterval {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * A start reads at most twice this, for the log is kept up to the last but one snapshot. 20,000 entries are read in about
 * a second, and are written in ten seconds by the busiest office measured, so that a snapshot of the largest state (half
 * a second of work, 15 MB) stays a small part of it.
 */
export const SNAPSHOT_INTERVAL: SnapshotInterval = { entries: 20_000, bytes: 64 * 1024 ** 2 };
/**
 * How long the text is worked on at one stretch, and how long it rests then, in ms. A command takes a few turns of the
 * event loop, and each turn may wait for one stretch.
 */
const SLICE_MS = 2;
/** The pause after a snapshot that failed, in ms: an object store that is away stays away for a while. */
const SNAPSHOT_RETRY_PAUSE_MS = 30_000;
/** Pieces of text are put together up to this many characters before they are hashed: a quarter of a slice. */
const PIECE_CHARACTERS = 16_384;

/** What the maker of snapshots needs of the coordinator that it works for. */
interface SnapshotParts {
  readonly log: Log;
  readonly objects: Objects;
  readonly interval: SnapshotInterval;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly fold: () => OfficeFold;
  readonly isInOffice: () => boolean;
  /** Gives the member an input; the error of a refused one. */
  readonly step: (
    input:
      | { type: "checkpoint" }
      | { type: "hashed"; seq: number; hash: string }
      | ({ type: "snapshot" } & SnapshotNote),
  ) => string | undefined;
}

/** The snapshots of one coordinator's part in the office. */
export class Snapshots {
  readonly #parts: SnapshotParts;
  readonly #told: SnapshotRetention;
  /** Bytes of the log that came since the newest snapshot. */
  #bytesSince = 0;
  #notBeforeMs = 0;
  /** True from asking for a checkpoint until its snapshot is told of, or given up. */
  #isMaking = false;
  #hashing: Promise<void> = Promise.resolve();
  #tidying: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** `coveredSeq` is where the coordinator began. */
  constructor(parts: SnapshotParts, coveredSeq: number) {
    this.#parts = parts;
    this.#told = new SnapshotRetention(coveredSeq);
  }

  /** The lowest sequence that the log must reach back to. */
  get floorSeq(): number {
    return this.#told.coveredSeq;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** An entry of `bytes` was read from the log. */
  noteEntry(bytes: number): void {
    this.#bytesSince += bytes;
    const { interval, clock, fold, isInOffice, step } = this.#parts;
    const isDue =
      fold().seq - this.#told.coveredSeq >= interval.entries || this.#bytesSince >= interval.bytes;
    if (!isDue || this.#isMaking || !isInOffice() || clock.now() < this.#notBeforeMs) return;
    this.#isMaking = step({ type: "checkpoint" }) === undefined;
  }

  /** The log tells of a snapshot. */
  noteSnapshot({ seq, hash, object }: SnapshotNote): void {
    this.#told.note({ seq, hash, object });
    this.#bytesSince = 0;
    this.#isMaking = false;
  }

  /** The office was taken or left here. */
  noteTenure(isInOffice: boolean): void {
    this.#isMaking = false;
    if (isInOffice) this.tidy();
  }

  /** A checkpoint was just applied: the fold is as it was there, now and not later. */
  takeCheckpoint({ seq, isOwn }: CheckpointNews): void {
    const startedMs = performance.now();
    const { logId, epoch } = this.#parts.fold();
    const view = viewFold(this.#parts.fold());
    const viewMs = performance.now() - startedMs;
    this.#hashing = this.#hashing.then(async () => {
      try {
        const saved = await this.#hash(view, isOwn);
        if (saved === null) return;
        const { hash, text, longestMs } = saved;
        this.#parts.step({ type: "hashed", seq, hash });
        if (text === null || this.#isStopped) return;
        const object = await writeSnapshot(this.#parts.objects, { logId, epoch, seq, hash }, text);
        const refused = this.#isStopped
          ? "stopped"
          : this.#parts.step({ type: "snapshot", seq, hash, object });
        const tookMs = Math.round(performance.now() - startedMs);
        const pauseMs = Math.round(Math.max(viewMs, longestMs));
        const bytes = text.reduce((sum, { length }) => sum + length, 0);
        const facts = { seq, bytes, tookMs, pauseMs };
        if (refused !== undefined) this.#isMaking = false;
        this.#parts.meter.officeSnapshotSeconds.observe(tookMs / 1_000);
        if (refused === undefined) this.#parts.logger.info(facts, "made a snapshot");
        else this.#parts.logger.info({ ...facts, refused }, "made a snapshot, and left the office meanwhile");
      } catch (error) {
        this.#fail(seq, error);
      }
    });
  }

  #fail(seq: number, err: unknown): void {
    const { logger, meter, clock } = this.#parts;
    this.#isMaking = false;
    this.#notBeforeMs = clock.now() + SNAPSHOT_RETRY_PAUSE_MS;
    meter.officeSnapshotFailures.inc();
    logger.warn(
      { err: toSwarmError(err), seq },
      "a snapshot could not be made; the log is kept until one can",
    );
  }

  /** Text and hash of a fold, made in slices (N4); null when it was stopped meanwhile. */
  async #hash(
    view: JsonObject,
    keepsText: boolean,
  ): Promise<{ hash: string; text: Buffer[] | null; longestMs: number } | null> {
    const hash = createHash("sha256");
    const pieces: Buffer[] = [];
    let text = "";
    let longestMs = 0;
    let sliceMs = performance.now();
    const flush = () => {
      const piece = Buffer.from(text);
      hash.update(piece);
      if (keepsText) pieces.push(piece);
      text = "";
    };
    for (const piece of canonicalPieces(view)) {
      text += piece;
      if (text.length < PIECE_CHARACTERS) continue;
      flush();
      const workedMs = performance.now() - sliceMs;
      if (workedMs < SLICE_MS) continue;
      longestMs = Math.max(longestMs, workedMs);
      await sleep(SLICE_MS);
      if (this.#isStopped) return null;
      sliceMs = performance.now();
    }
    flush();
    return { hash: hash.digest("hex"), text: keepsText ? pieces : null, longestMs };
  }

  /** Trims the log and removes what it does not need any more; once at a time, and only in office. */
  tidy(): void {
    this.#tidying = this.#tidying.then(async () => {
      const { keptFromSeq } = this.#told;
      if (keptFromSeq === null || this.#isStopped || !this.#parts.isInOffice()) return;
      const { log, objects, logger } = this.#parts;
      try {
        const entries = await log.purge({ beforeSeq: keptFromSeq }); // N2
        const { firstSeq } = await log.info();
        const old = listNeedless(await listSnapshots(objects), firstSeq); // N3
        for (const id of old) if (!this.#isStopped) await objects.delete(nameSnapshot(id));
        if (entries > 0) logger.info({ entries, firstSeq, objects: old.length }, "trimmed the control log");
      } catch (error) {
        logger.warn({ err: toSwarmError(error) }, "the control log could not be trimmed; it is tried again");
      }
    });
  }
}
