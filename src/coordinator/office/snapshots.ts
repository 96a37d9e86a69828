// Makes snapshots of the running office and trims the log. Decides when a snapshot is due, and owns the order of the
// steps; consensus/log/snapshot.ts owns the content, and snapshot-store.ts the storage. participation.ts creates it.
//
// N1  Order: write the checkpoint to the log, store the object, read it back and verify it, write the snapshot entry, trim
//     the log, remove old objects. After a crash at any step the log still has a start point: a later step only removes
//     data that the step before made superfluous.
// N2, N3  snapshot-retention.ts decides which part of the log and which snapshots the office keeps.
// N4  The work does not block the event loop: it makes the text in slices, and no single buffer holds the whole text.
import { createHash } from "node:crypto";
import { type Clock, type Logger, type Meter, sleep } from "../../base/index.ts";
import { type CheckpointNews, type SnapshotNote, viewFold } from "../../consensus/index.ts";
import { canonicalPieces, type JsonObject, toSwarmError } from "../../protocol/index.ts";
import type { Log, Objects } from "../../transport/index.ts";
import { listSuperfluous, SnapshotRetention } from "./snapshot-retention.ts";
import { listSnapshots, nameSnapshot, type OfficeFold, writeSnapshot } from "./snapshot-store.ts";

/** The part of the log after which the next snapshot is due: this many entries or bytes since the previous snapshot. */
export interface SnapshotInterval {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * A coordinator that starts reads at most twice this much, because the log reaches back to the last but one snapshot. A
 * coordinator reads 20,000 entries in about a second; the busiest office measured writes them in ten seconds, so that a
 * snapshot of the largest state (half a second of work, 15 MB) stays a small part of its work.
 */
export const SNAPSHOT_INTERVAL: SnapshotInterval = { entries: 20_000, bytes: 64 * 1024 ** 2 };
/**
 * The length of one slice of work on the text, and of the pause after each slice, in ms. A command takes a few turns of
 * the event loop, and each turn may wait for one slice.
 */
const SLICE_MS = 2;
/** The time until the next try after a failed snapshot, in ms: an unavailable object store stays so for a while. */
const SNAPSHOT_RETRY_PAUSE_MS = 30_000;
/** The number of characters that are joined before they are hashed: about a quarter of the work of a slice. */
const PIECE_CHARACTERS = 16_384;

/** The ports of {@link Snapshots}. */
interface SnapshotParts {
  readonly log: Log;
  readonly objects: Objects;
  readonly interval: SnapshotInterval;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly fold: () => OfficeFold;
  readonly isInOffice: () => boolean;
  /** Gives the member an input, and returns the error of a refused input. */
  readonly step: (
    input:
      | { type: "checkpoint" }
      | { type: "hashed"; seq: number; hash: string }
      | ({ type: "snapshot" } & SnapshotNote),
  ) => string | undefined;
}

/** Makes the snapshots of one coordinator, while it takes part in the office. */
export class Snapshots {
  readonly #parts: SnapshotParts;
  readonly #retention: SnapshotRetention;
  /** Bytes of log since the newest snapshot. */
  #bytesSince = 0;
  /** The earliest time of the next snapshot, after a failed one; Unix ms. */
  #notBeforeMs = 0;
  /** True from the request for a checkpoint until the log has its snapshot, or the snapshot failed. */
  #isMaking = false;
  #hashing: Promise<void> = Promise.resolve();
  #tidying: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** `coveredSeq` is the sequence of the coordinator's start point. */
  constructor(parts: SnapshotParts, coveredSeq: number) {
    this.#parts = parts;
    this.#retention = new SnapshotRetention(coveredSeq);
  }

  /** The lowest sequence that the log must reach back to. */
  get floorSeq(): number {
    return this.#retention.coveredSeq;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Notes an entry of `bytes` that was read from the log, and requests a checkpoint when a snapshot is due. */
  noteEntry(bytes: number): void {
    this.#bytesSince += bytes;
    const { interval, clock, fold, isInOffice, step } = this.#parts;
    const isDue =
      fold().seq - this.#retention.coveredSeq >= interval.entries || this.#bytesSince >= interval.bytes;
    if (!isDue || this.#isMaking || !isInOffice() || clock.now() < this.#notBeforeMs) return;
    this.#isMaking = step({ type: "checkpoint" }) === undefined;
  }

  /** Notes a snapshot entry of the log. */
  noteSnapshot({ seq, hash, object }: SnapshotNote): void {
    this.#retention.note({ seq, hash, object });
    this.#bytesSince = 0;
    this.#isMaking = false;
  }

  /** Notes that this coordinator took or left the office. */
  noteTenure(isInOffice: boolean): void {
    this.#isMaking = false;
    if (isInOffice) this.tidy();
  }

  /**
   * Handles a checkpoint that was just applied. Call it before the next entry is applied, because that entry changes
   * the fold.
   */
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
        else this.#parts.logger.info({ ...facts, refused }, "made a snapshot, but its log entry was refused");
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
    logger.warn({ err: toSwarmError(err), seq }, "snapshot failed; keeping the log until one succeeds");
  }

  /** Makes the text and the hash of a fold in slices (N4); null when this coordinator stops before the end. */
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

  /** Trims the log and removes superfluous snapshots; one run at a time, and only in office. */
  tidy(): void {
    this.#tidying = this.#tidying.then(async () => {
      const { keptFromSeq } = this.#retention;
      if (keptFromSeq === null || this.#isStopped || !this.#parts.isInOffice()) return;
      const { log, objects, logger } = this.#parts;
      try {
        const entries = await log.purge({ beforeSeq: keptFromSeq }); // N2
        const { firstSeq } = await log.info();
        const old = listSuperfluous(await listSnapshots(objects), firstSeq); // N3
        for (const id of old) if (!this.#isStopped) await objects.delete(nameSnapshot(id));
        if (entries > 0) logger.info({ entries, firstSeq, objects: old.length }, "trimmed the control log");
      } catch (error) {
        logger.warn(
          { err: toSwarmError(error) },
          "control log not trimmed; retrying after the next snapshot",
        );
      }
    });
  }
}
