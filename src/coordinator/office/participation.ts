// One time of taking part in the office, from a beginning to its end: the member and what goes with it. Owns how these
// are made, filled from the log and ended; what happens meanwhile is the driver's.
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

/** One time of taking part. */
export interface Participation {
  readonly member: Member<OfficeState, OfficeCommand>;
  readonly watch: LogWatch;
  readonly snapshots: Snapshots;
  readonly ticker: Ticker;
  readonly subscriptions: Subscription[];
  /** The append that is on its way. */
  sent: SentAppend | null;
  /** Resolves when this part is over. */
  readonly over: PromiseWithResolvers<void>;
  /**
   * Why its member halted, beside what stands in the log: the log was found `lost` or replaced, and may come back; or it
   * was trimmed `beyond` what was read, which a new beginning mends.
   */
  end: "lost" | "beyond" | null;
}

/** Makes a part that begins with `beginning`; nothing runs yet. */
export function createPart(
  { fold, snapshot }: StartPoint,
  parts: {
    options: OfficeOptions & { clock: Clock };
    stores: { log: Log; snapshots: Objects };
    /** Gives this part's member an input; the error of a refused one. */
    step: (part: Participation, input: MemberInput<OfficeCommand>) => string | undefined;
    isInOffice: (part: Participation) => boolean;
  },
): Participation {
  const { options, stores, step, isInOffice } = parts;
  const { id, members, seed, clock } = options;
  const member = createMember({
    config: { node: id, members, swarm: fold.logId, ...ELECTION_TIMES, preVote: true, checkQuorum: true },
    seed,
    commandSet: officeCommands,
    snapshot: { fold, hash: snapshot?.hash ?? null },
    countsTicksOfAppends: true,
  });
  const snapshots = new Snapshots(
    {
      log: stores.log,
      objects: stores.snapshots,
      clock,
      logger: options.log,
      meter: options.meter,
      interval: options.snapshotInterval ?? SNAPSHOT_INTERVAL,
      fold: () => member.office.fold,
      isInOffice: () => isInOffice(part),
      step: (input) => step(part, input),
    },
    fold.seq,
  );
  const watch = new LogWatch({
    log: stores.log,
    epoch: fold.epoch,
    clock,
    doubtMs: options.doubtMs ?? DOUBT_MS,
    place: () => placeOf({ member }),
    floorSeq: () => snapshots.floorSeq,
    onLost(reason) {
      part.end = "lost";
      step(part, { type: "distrust", reason });
    },
  });
  const ticker = new Ticker({
    onTick: (isLate) => void step(part, { type: "tick", isLate }),
    onPause: (pausedMs) => options.log.warn({ pausedMs }, "this process stood still"),
  });
  const part: Participation = {
    member,
    watch,
    snapshots,
    ticker,
    subscriptions: [],
    sent: null,
    over: Promise.withResolvers<void>(),
    end: null,
  };
  return part;
}

/**
 * Reads the log behind where the part begins, and hears it from then on with `onStored`.
 * @throws SwarmError `unavailable` when that cannot be done now; `conflict` when an entry is missing in the middle.
 */
export async function loadPart(
  part: Participation,
  log: Log,
  onStored: (stored: Stored) => void,
): Promise<void> {
  const { member, snapshots } = part;
  const { fold } = member.office;
  let isLoading = true;
  let hasGap = false;
  const load = (stored: Stored) => {
    if (hasGap || haltedError(member) !== undefined) return;
    hasGap = stored.seq > fold.seq + 1;
    if (hasGap) return;
    const entry = readJson(stored);
    const halted = loadLog(member, [entry]);
    snapshots.noteEntry(stored.data.length);
    if (halted === undefined && entry.type === "snapshot") {
      snapshots.noteSnapshot(entry as unknown as SnapshotNote);
    }
  };
  const tail = await log.tail({
    afterSeq: fold.seq,
    onStored: (stored) => (isLoading ? load(stored) : onStored(stored)),
  });
  part.subscriptions.push(tail);
  isLoading = false;
  if (!hasGap) return;
  endPart(part);
  const missing = fold.seq + 1;
  if ((await log.info()).firstSeq <= missing) throw refuseLog(`entry ${missing} is missing`);
  throw new SwarmError("unavailable", "the control log was trimmed while it was read");
}

/** Ends what runs for the part; its member stays to be looked at. */
export function endPart(part: Participation): void {
  part.ticker.stop();
  part.watch.stop();
  part.snapshots.stop();
  for (const subscription of part.subscriptions) subscription.close();
  part.over.resolve();
}

/** The last entry that the part's member has applied. */
export function placeOf({ member }: Pick<Participation, "member">): Place {
  const { logId, seq, chain } = member.office.fold;
  return { logId, seq, chain };
}
