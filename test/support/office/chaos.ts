// Causes faults in a rig under load, in a random order that the seed decides, and then judges the run. Owns the time of each
// fault and the observers. The seed does not decide everything: the machine decides the rest of the timing.
import { type Chance, integerBetween, seededChance, sleep } from "../../../src/base/index.ts";
import { createOfficeClient, type OfficeClient } from "../../../src/coordinator/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { type AuditReport, audit, isSound, type LogEntry, type StatusSample } from "./audit.ts";
import { FAULT_NAMES, FAULTS, type FaultKind, type FaultName } from "./faults.ts";
import { type OfficeHistory, type OfficeLoad, startLoad } from "./load.ts";
import { CONTROL_STREAM, type OfficeRig, startOfficeRig } from "./rig.ts";

const CLIENTS = 12;
/** The pause of an observer between two questions for the leader, and its time limit for an answer. */
const STATUS_INTERVAL_MS = 150;
const STATUS_TIMEOUT_MS = 1_000;
/** The probability that the next fault begins while another fault lasts. */
const OVERLAP_SHARE = 0.4;
/** The longest pause after a fault is healed. It is short, so that a fault can hit a rig that has not recovered. */
const MAX_PAUSE_MS = 1_500;
/** The time without a gap in the answers that a measured run needs before its next fault. */
const CALM_MS = 2_000;
/** The time limit for finding a victim. For a while there may be none, for example no leader during an election. */
const BEGIN_TIMEOUT_MS = 30_000;

/** The number of further answers that clients wait for at the end, so that a long outage leaves enough operations to judge. */
const MORE_ANSWERS = 200;
const MORE_TIMEOUT_MS = 60_000;

/** A planned fault: its start, counted from the beginning of the run, and its length. */
export interface PlannedFault {
  readonly fault: FaultName;
  readonly atMs: number;
  readonly lastMs: number;
}

/** Random faults in rounds. Each round has every fault once. */
export interface DealtFaults {
  /** The faults end after this time, in ms, or after `rounds` rounds (default: no limit). */
  readonly durationMs: number;
  readonly rounds?: number | undefined;
  /** The faults of a round; default all. */
  readonly faults?: readonly FaultName[] | undefined;
  /** True: one fault at a time, with a recovery after each, to measure its cost. Default false. */
  readonly oneAtATime?: boolean | undefined;
}

/** The options of a run. */
export interface ChaosOptions {
  /** The seed of the clients' requests and of random faults. */
  readonly seed: number;
  readonly faults: readonly PlannedFault[] | DealtFaults;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** A fault that took place. */
export interface PastFault {
  readonly fault: FaultName;
  readonly victim: string;
  readonly beganAt: number;
  readonly lastMs: number;
}

/** The cost of a kind of fault, over all its occurrences in a measured run. `p50` is a measured value, not an average. */
export interface FaultCost {
  readonly count: number;
  /** The length of the fault, in ms. */
  readonly lastedMs: { readonly p50: number; readonly max: number };
  /** The longest time without an answered command between the start of the fault and the next fault, in ms. */
  readonly outageMs: { readonly p50: number; readonly max: number };
}

/** The report of a run. */
export interface ChaosReport {
  readonly seed: number;
  readonly tookMs: number;
  readonly sound: boolean;
  readonly faults: Readonly<Record<string, number>>;
  /** The numbers of rejected appends, and of appends with an unknown outcome, from the coordinators' logs. */
  readonly refusedAppends: number;
  readonly unknownAppends: number;
  /** The longest time without an answered command in the whole run, in ms. */
  readonly longestOutageMs: number;
  readonly audit: AuditReport;
  /** The cost of each fault; null unless the run had one fault at a time. */
  readonly costs: Readonly<Record<string, FaultCost>> | null;
}

/** Starts a rig, performs the run on it and stops it. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const rig = await startOfficeRig();
  try {
    return await runOn(rig, options);
  } finally {
    await rig.stop();
  }
}

/** Resolves when the office has answered {@link MORE_ANSWERS} more commands, or after {@link MORE_TIMEOUT_MS}. */
async function waitForMoreAnswers({ history }: OfficeLoad): Promise<void> {
  const enough = history.answeredAt.length + MORE_ANSWERS;
  const giveUpAt = performance.now() + MORE_TIMEOUT_MS;
  while (history.answeredAt.length < enough && performance.now() < giveUpAt) await sleep(50);
}

async function runOn(rig: OfficeRig, options: ChaosOptions): Promise<ChaosReport> {
  const chance = seededChance(options.seed);
  const { faults, onProgress = () => undefined } = options;
  const startedAt = performance.now();
  const recorder = await recordLog(rig.transport);
  // One connection to each server: when one server fails, the clients of the others may still work.
  const transports = await Promise.all(rig.cluster.servers.map(({ url }) => rig.connect(url)));
  const offices = transports.map((transport) => createOfficeClient({ transport }));
  const load = startLoad({ offices, clients: CLIENTS, chance: seededChance(options.seed + 1) });
  const watch = watchStatus(offices);
  const pastFaults: PastFault[] = [];
  try {
    const run: Run = { rig, chance, pastFaults, onProgress };
    if (!("durationMs" in faults)) await causePlanned(run, faults);
    else if (faults.oneAtATime === true) await causeOneAtATime(run, faults, load.history);
    else await causeRandom(run, faults);
    onProgress("healing; the office must answer again");
    await rig.recover();
    await waitForMoreAnswers(load);
  } finally {
    await Promise.all([load.stop(), watch.stop()]);
  }
  const { values } = await rig.office.read("config", {}, { timeoutMs: 30_000 });
  const finalValues = values.map(({ name, value, revision }) => [name, value, revision] as const);
  const entries = await recorder.stop();
  onProgress(
    `judging ${load.history.values.length + load.history.locks.length} operations, ${entries.length} entries`,
  );
  const found = audit({ history: load.history, entries, statuses: watch.samples, finalValues });
  return {
    seed: options.seed,
    tookMs: Math.round(performance.now() - startedAt),
    sound: isSound(found),
    faults: Object.fromEntries(
      FAULT_NAMES.map((name) => [name, pastFaults.filter(({ fault }) => fault === name).length]),
    ),
    refusedAppends: rig.countLogLines("append rejected: the log ends at another sequence"),
    unknownAppends: rig.countLogLines("append outcome unknown; repeating until it is known"),
    longestOutageMs: Math.round(findOutage(load.history, startedAt, performance.now())),
    audit: found,
    costs:
      "oneAtATime" in faults && faults.oneAtATime === true ? summarizeCosts(pastFaults, load.history) : null,
  };
}

/** The state that all faults of a run share. */
interface Run {
  readonly rig: OfficeRig;
  readonly chance: Chance;
  readonly pastFaults: PastFault[];
  readonly onProgress: (text: string) => void;
}

/** Yields the faults round by round, each round in a new random order, with a random length for each fault. */
function* dealFaults(
  chance: Chance,
  { faults = FAULT_NAMES, rounds = Number.POSITIVE_INFINITY }: DealtFaults,
): Generator<{ fault: FaultName; lastMs: number }> {
  for (let round = 0; round < rounds; round++) {
    const left = [...faults];
    while (left.length > 0) {
      const [fault] = left.splice(integerBetween(chance, 0, left.length - 1), 1);
      const [fromMs, toMs] = FAULTS[fault!].lastsMs;
      yield { fault: fault!, lastMs: integerBetween(chance, fromMs, toMs) };
    }
  }
}

async function causePlanned(run: Run, plan: readonly PlannedFault[]): Promise<void> {
  await Promise.all(
    plan.map(async (planned) => {
      await sleep(planned.atMs);
      await causeFault(run, planned);
    }),
  );
}

async function causeRandom(run: Run, dealt: DealtFaults): Promise<void> {
  const { chance } = run;
  const endAt = performance.now() + dealt.durationMs;
  const lasting = new Set<Promise<void>>();
  for (const next of dealFaults(chance, dealt)) {
    if (performance.now() >= endAt) break;
    const fault = causeFault(run, next).finally(() => lasting.delete(fault));
    lasting.add(fault);
    if (chance.next() < OVERLAP_SHARE && lasting.size < 2) await sleep(chance.next() * MAX_PAUSE_MS);
    else {
      await Promise.all(lasting);
      await sleep(chance.next() * MAX_PAUSE_MS);
    }
  }
  await Promise.all(lasting);
}

async function causeOneAtATime(run: Run, dealt: DealtFaults, history: OfficeHistory): Promise<void> {
  const endAt = performance.now() + dealt.durationMs;
  for (const next of dealFaults(run.chance, dealt)) {
    if (performance.now() >= endAt) return;
    await causeFault(run, next);
    await run.rig.recover();
    await run.rig.cluster.inSync(CONTROL_STREAM);
    await waitForCalm(history);
  }
}

/** Causes a fault, waits for its length, and heals it. Gives up when the fault finds no victim in time. */
async function causeFault(
  { rig, chance, pastFaults, onProgress }: Run,
  { fault, lastMs }: { fault: FaultName; lastMs: number },
): Promise<void> {
  const { begin }: FaultKind = FAULTS[fault];
  const giveUpAt = performance.now() + BEGIN_TIMEOUT_MS;
  for (;;) {
    const beganAt = performance.now();
    const broken = await begin(rig, chance);
    if (broken !== null) {
      pastFaults.push({ fault, victim: broken.victim, beganAt, lastMs });
      onProgress(`${fault} of ${broken.victim} for ${lastMs} ms`);
      await sleep(lastMs);
      return broken.heal();
    }
    if (beganAt > giveUpAt)
      return onProgress(`${fault} did not begin: no victim within ${BEGIN_TIMEOUT_MS} ms`);
    await sleep(STATUS_INTERVAL_MS);
  }
}

/** Resolves when commands were answered for {@link CALM_MS} without a long gap. */
async function waitForCalm({ answeredAt }: OfficeHistory): Promise<void> {
  for (let calmSince = performance.now(); performance.now() - calmSince < CALM_MS; ) {
    await sleep(50);
    if (performance.now() - (answeredAt.at(-1) ?? 0) > 300) calmSince = performance.now();
  }
}

/** The longest time without an answer between `from` and `to`, in ms. */
function findOutage({ answeredAt }: OfficeHistory, from: number, to: number): number {
  let longest = 0;
  let last = from;
  for (const at of answeredAt) {
    if (at < from) continue;
    if (at > to) break;
    longest = Math.max(longest, at - last);
    last = at;
  }
  return Math.max(longest, to - last);
}

function summarizeCosts(pastFaults: readonly PastFault[], history: OfficeHistory): Record<string, FaultCost> {
  const costs: Record<string, FaultCost> = {};
  for (const name of FAULT_NAMES) {
    const times = pastFaults.flatMap(({ fault, beganAt, lastMs }, index) => {
      const next = pastFaults[index + 1]?.beganAt ?? history.answeredAt.at(-1)!;
      return fault === name ? [{ lastMs, outageMs: Math.round(findOutage(history, beganAt, next)) }] : [];
    });
    if (times.length === 0) continue;
    costs[name] = {
      count: times.length,
      lastedMs: summarize(times.map(({ lastMs }) => lastMs)),
      outageMs: summarize(times.map(({ outageMs }) => outageMs)),
    };
  }
  return costs;
}

function summarize(values: readonly number[]): { p50: number; max: number } {
  const sorted = [...values].sort((one, other) => one - other);
  return { p50: sorted[Math.ceil(sorted.length / 2) - 1]!, max: sorted.at(-1)! };
}

/** Asks for the leader again and again, over each connection at the same time, and records the answers. */
function watchStatus(offices: readonly OfficeClient[]) {
  const samples: StatusSample[] = [];
  const stopping = new AbortController();
  const running = offices.map(async (office) => {
    while (!stopping.signal.aborted) {
      const askedAtMs = Date.now();
      const tenure = await office.tenure({ timeoutMs: STATUS_TIMEOUT_MS }).catch(() => null);
      const { leader, term, logSeq } = tenure ?? { leader: null, term: null, logSeq: null };
      samples.push({ askedAtMs, answeredAtMs: Date.now(), leader, term, logSeq });
      await sleep(STATUS_INTERVAL_MS);
    }
  });
  return {
    samples,
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** Copies the control log while it grows, so that the copy also has the entries that are trimmed later. */
async function recordLog(transport: Transport) {
  const log = transport.log("office");
  const entries: LogEntry[] = [];
  const tail = await log.tail({
    afterSeq: 0,
    onStored: ({ seq, storedAtMs, data }) =>
      entries.push({ seq, storedAtMs, body: JSON.parse(new TextDecoder().decode(data)) as LogEntry["body"] }),
  });
  return {
    async stop(): Promise<readonly LogEntry[]> {
      const { lastSeq } = await log.info();
      while ((entries.at(-1)?.seq ?? 0) < lastSeq) await sleep(50);
      tail.close();
      return entries;
    },
  };
}
