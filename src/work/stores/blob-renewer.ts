// The renewer of blobs: a blob expires some time after it was stored, and a task may wait for longer. The renewer looks through
// the streams for old messages, and stores the blobs that they name again before they expire. The rule about the age of a
// message is a pure function.
//
// I1: a blob that a message names was in the first half of its time when the message was stored: `put`, and every step that
//     stores a task in another stream, renew an older one.
// I2: the renewer looks at a message from a quarter of a blob's time on, at least once in each eighth of it. With I1, a blob is
//     at most seven eighths of its time old at the first look, and at most five eighths at each further one.
// I3: each run is bounded, and the next run continues after it. Several processes may renew at once: the second finds the blob
//     fresh. A process may die at any point.
import {
  type Chance,
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  systemChance,
} from "../../base/index.ts";
import { placedKey, type StreamKey, SwarmError } from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import { type BlobRef, blobsOf, blobsOfRecord, blobsOfStoredLetter } from "./blob-refs.ts";

/** The first run begins within this time after the start, in ms, so that processes that start together do not run together. */
const FIRST_WITHIN_MS = 60_000;
/** The longest pause after a run that reached the newest old message, in ms; an eighth of a blob's time when that is less (I2). */
const RENEW_EVERY_MS = 6 * 3_600_000;
/** The pause after a run that reached a bound or failed, in ms: 1,000 messages a minute are 5 million in an eighth of 30 days. */
const CONTINUE_AFTER_MS = 60_000;
/** The most messages that one run reads from each stream: each has up to 528 KiB, most have less than 1. */
const MAX_MESSAGES = 1_000;
/** The most blobs that one run stores again: each has up to 64 MiB. */
const MAX_RENEWED = 50;
/** The most subjects of messages with a missing blob in one log line. */
const MAX_TOLD = 5;

/** The streams whose messages name blobs for longer than a result is kept. @throws SwarmError `unavailable`. */
async function findNaming(
  transport: Transport,
): Promise<{ key: StreamKey; blobs: (stored: Stored) => BlobRef[] }[]> {
  const placed = (await transport.placedClasses()).map(placedKey);
  return [
    ...(["tasks", ...placed, "later"] as const).map((key) => ({ key, blobs: blobsOf })),
    { key: "dead", blobs: blobsOfStoredLetter },
    { key: "journal", blobs: blobsOfRecord },
  ];
}

/** Whether a message is old enough that its blobs may expire before the next look (I2). */
export function isOld({ storedAtMs }: { storedAtMs: number }, at: { nowMs: number; ttlMs: number }): boolean {
  return at.nowMs - storedAtMs >= at.ttlMs / 4;
}

/** The counts of one run, in blobs. `failed`: the stored bytes do not match the reference. */
export interface RenewalReport {
  renewed: number;
  fresh: number;
  missing: number;
  failed: number;
  /** True when the run reached a bound, so that further old messages may be left. */
  isCut: boolean;
}

interface RenewerParts {
  transport: Transport;
  meter: Meter;
  log: Logger;
  clock?: Clock;
  chance?: Chance;
  /** The most messages that one run reads from each stream; default {@link MAX_MESSAGES}. */
  maxMessages?: number;
}

/** Makes one process's renewer: it runs soon after the start, then every six hours. `renew` runs once. */
export function createBlobRenewer(parts: RenewerParts): Service & { renew(): Promise<RenewalReport> } {
  const renewer = new BlobRenewer(parts);
  return {
    ...createService({
      name: "blob renewer",
      start: () => renewer.start(),
      stop: () => renewer.stop(),
    }),
    renew: () => renewer.renew(),
  };
}

class BlobRenewer {
  readonly #parts: RenewerParts;
  readonly #clock: Clock;
  /** The next run begins at these sequences (I3). */
  readonly #nextSeq = new Map<StreamKey, number>();
  #isStopped = false;
  #cancelWait: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: RenewerParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? parts.transport.clock;
  }

  start(): void {
    this.#runAfter((this.#parts.chance ?? systemChance).next() * FIRST_WITHIN_MS);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelWait?.();
    await this.#running;
  }

  #runAfter(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancelWait = this.#clock.after(delayMs, () => {
      this.#running = this.#run().then((nextInMs) => this.#runAfter(nextInMs));
    });
  }

  /** Resolves to the pause before the next run, in ms. */
  async #run(): Promise<number> {
    const { log, transport } = this.#parts;
    try {
      const { isCut } = await this.renew();
      return isCut ? CONTINUE_AFTER_MS : Math.min(RENEW_EVERY_MS, transport.blobs.ttlMs / 8);
    } catch (error) {
      if (!this.#isStopped)
        log.warn({ err: error }, "blobs of waiting tasks not renewed; retrying in a minute");
      return CONTINUE_AFTER_MS;
    }
  }

  /** Looks once through the old messages of all streams (I3). @throws SwarmError `unavailable`. */
  async renew(): Promise<RenewalReport> {
    const { transport, log } = this.#parts;
    const report: RenewalReport = { renewed: 0, fresh: 0, missing: 0, failed: 0, isCut: false };
    const seen = new Set<string>();
    const told: string[] = [];
    const age = { nowMs: this.#clock.now(), ttlMs: transport.blobs.ttlMs };
    for (const { key, blobs } of await findNaming(transport)) {
      const fromSeq = this.#nextSeq.get(key) ?? 1;
      let messages = 0;
      let nextSeq = 1;
      for await (const stored of transport.log(key).read({ fromSeq, limit: this.#maxMessages })) {
        if (this.#isStopped || !isOld(stored, age)) break; // the log is in the order of time
        if (++messages === this.#maxMessages || report.renewed >= MAX_RENEWED) nextSeq = stored.seq + 1;
        for (const ref of blobs(stored)) {
          if (seen.has(ref.$blob)) continue;
          seen.add(ref.$blob);
          if (["missing", "failed"].includes(await this.#renewOne(ref, report))) told.push(stored.subject);
        }
        if (nextSeq > 1) break;
      }
      this.#nextSeq.set(key, nextSeq);
      report.isCut ||= nextSeq > 1;
    }
    const { isCut: _, fresh: __, ...news } = report;
    if (told.length > 0)
      log.warn(
        { ...report, subjects: told.slice(0, MAX_TOLD) },
        "stored tasks or dead letters name blobs that are missing or damaged; their next attempt fails",
      );
    else if (Object.values(news).some((count) => count > 0))
      log.info(report, "blobs of waiting tasks and dead letters renewed; they do not expire before these");
    return report;
  }

  get #maxMessages(): number {
    return this.#parts.maxMessages ?? MAX_MESSAGES;
  }

  async #renewOne(
    ref: { $blob: string; bytes: number },
    report: RenewalReport,
  ): Promise<"renewed" | "fresh" | "missing" | "failed"> {
    const { transport, meter } = this.#parts;
    const outcome = await transport.blobs.renew(ref).catch((error: unknown) => {
      if (error instanceof SwarmError && error.code !== "unavailable") return "failed" as const;
      throw error;
    });
    report[outcome]++;
    meter.blobsRenewed.inc({ outcome });
    return outcome;
  }
}
