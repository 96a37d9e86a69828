// One period while a coordinator takes part in the office: its member, and the ticker, log watch, snapshots and
// subscriptions that run for the member. Creates them, loads the log into the member, and stops them. driver.ts creates
// participations and feeds the inputs.
import type { Clock } from "../../base/index.ts";
import {
  createMember,
  haltedError,
  loadLog,
  type Member,
  type MemberInput,
  type SnapshotNote,
} from "../../consensus/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Log, Objects, Stored, Subscription } from "../../transport/index.ts";
import { type OfficeCommand, type OfficeState, officeCommands } from "../state.ts";
import { ELECTION_TIMES } from "../time.ts";
import { readJson, type SentAppend } from "./control-log.ts";
import { DOUBT_MS, LogWatch } from "./log-watch.ts";
import type { OfficeOptions } from "./office.ts";
import { SNAPSHOT_INTERVAL, Snapshots } from "./snapshots.ts";
import { type Place, refuseLog, type StartPoint } from "./start-point.ts";
import { Ticker } from "./ticker.ts";

/** The ports of a participation. */
interface ParticipationParts {
  options: OfficeOptions & { clock: Clock };
  stores: { log: Log; snapshots: Objects };
  /** Gives an input to the member of this participation, and returns the error of a refused input. */
  step: (own: Participation, input: MemberInput<OfficeCommand>) => string | undefined;
  /** Whether this participation is the present one, and its member holds the office. */
  isInOffice: (own: Participation) => boolean;
}

/** One period of taking part in the office. Nothing runs before `load`, and nothing after `end`. */
export class Participation {
  readonly member: Member<OfficeState, OfficeCommand>;
  readonly watch: LogWatch;
  readonly snapshots: Snapshots;
  readonly ticker: Ticker;
  readonly subscriptions: Subscription[] = [];
  /** The append in flight. */
  sent: SentAppend | null = null;
  /**
   * The cause of a halt, if no entry of the log caused it; a new participation may follow. `lost`: the log was lost or
   * replaced, and may be available again later. `trimmed`: the log was trimmed beyond the last entry that the member read.
   */
  haltCause: "lost" | "trimmed" | null = null;
  readonly #log: Log;
  readonly #ended = Promise.withResolvers<void>();

  /** Starts from `startPoint`. */
  constructor({ fold, snapshot }: StartPoint, parts: ParticipationParts) {
    const { options, stores, step, isInOffice } = parts;
    const { id, members, seed, clock, log, meter } = options;
    this.#log = stores.log;
    this.member = createMember({
      config: { node: id, members, swarm: fold.logId, ...ELECTION_TIMES, preVote: true, checkQuorum: true },
      seed,
      commandSet: officeCommands,
      snapshot: { fold, hash: snapshot?.hash ?? null },
      countsTicksOfAppends: true,
    });
    this.snapshots = new Snapshots(
      {
        log: stores.log,
        objects: stores.snapshots,
        clock,
        logger: log,
        meter,
        interval: options.snapshotInterval ?? SNAPSHOT_INTERVAL,
        fold: () => this.member.office.fold,
        isInOffice: () => isInOffice(this),
        step: (input) => step(this, input),
      },
      fold.seq,
    );
    this.watch = new LogWatch({
      log: stores.log,
      epoch: fold.epoch,
      clock,
      doubtMs: options.doubtMs ?? DOUBT_MS,
      place: () => this.place,
      floorSeq: () => this.snapshots.floorSeq,
      onLost: (reason) => {
        this.haltCause = "lost";
        step(this, { type: "distrust", reason });
      },
    });
    this.ticker = new Ticker({
      onTick: (isLate) => void step(this, { type: "tick", isLate }),
      onPause: (pausedMs) => log.warn({ pausedMs }, "process was paused"),
    });
  }

  /** The last entry that the member has applied. */
  get place(): Place {
    return placeOf(this.member);
  }

  /** Resolves at the end of this participation. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Reads the log from the start point to its end, and passes every later entry to `onStored`.
   * @throws SwarmError `unavailable` when the log cannot be read now, or was trimmed during the read; `conflict` when an entry
   *   in the middle is missing.
   */
  async load(onStored: (stored: Stored) => void): Promise<void> {
    const { fold } = this.member.office;
    let isLoading = true;
    let hasGap = false;
    const load = (stored: Stored) => {
      if (hasGap || haltedError(this.member) !== undefined) return;
      hasGap = stored.seq > fold.seq + 1;
      if (hasGap) return;
      const entry = readJson(stored);
      const halted = loadLog(this.member, [entry]);
      this.snapshots.noteEntry(stored.data.length);
      if (halted === undefined && entry.type === "snapshot") {
        this.snapshots.noteSnapshot(entry as unknown as SnapshotNote);
      }
    };
    const tail = await this.#log.tail({
      afterSeq: fold.seq,
      onStored: (stored) => (isLoading ? load(stored) : onStored(stored)),
    });
    this.subscriptions.push(tail);
    isLoading = false;
    if (!hasGap) return;
    this.end();
    const missing = fold.seq + 1;
    if ((await this.#log.info()).firstSeq <= missing) throw refuseLog(`entry ${missing} is missing`);
    throw new SwarmError("unavailable", "the control log was trimmed while it was read");
  }

  /** Stops everything that runs for the member. The member stays, and shows its last state. */
  end(): void {
    this.ticker.stop();
    this.watch.stop();
    this.snapshots.stop();
    for (const subscription of this.subscriptions) subscription.close();
    this.#ended.resolve();
  }
}

/** The last entry that a member has applied. */
export function placeOf({ office }: Member<OfficeState, OfficeCommand>): Place {
  const { logId, seq, chain } = office.fold;
  return { logId, seq, chain };
}
