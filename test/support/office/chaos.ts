// Causes faults in random order, seeded, in a rig under load, and then judges all observations. Owns the time of each fault
// and the observers; the seed decides the order of faults, and the machine decides the rest.
import { type Chance, integerBetween, seededChance, sleep } from "../../../src/base/index.ts";
import { createOfficeClient } from "../../../src/coordinator/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { type AuditReport, audit, isSound, type LogEntry, type StatusSample } from "./audit.ts";
import { FAULT_NAMES, FAULTS, type FaultKind, type FaultName } from "./faults.ts";
import { type OfficeHistory, type OfficeLoad, startLoad } from "./load.ts";
import { CONTROL_STREAM, type OfficeRig, startOfficeRig } from "./rig.ts";

const CLIENTS = 12;
/** How often an observer asks for the leader, and how long it waits. */
const STATUS_INTERVAL_MS = 150;
const STATUS_TIMEOUT_MS = 1_000;
/** The share of cases in which a fault begins while another one lasts. */
const OVERLAP_SHARE = 0.4;
/** The longest pause after a fault was healed; another fault may come before the rig has recovered. */
const MAX_PAUSE_MS = 1_500;
/** How long commands must succeed before a fault of a measured run. */
const CALM_MS = 2_000;
/** How long to wait for a victim: there may be none for a while, for example without a leader while NATS elects. */
const BEGIN_TIMEOUT_MS = 30_000;

/** Clients continue until this many more commands were answered, to make up for a long outage. */
const MORE_ANSWERS = 200;
const MORE_TIMEOUT_MS = 60_000;

/** A fault of a plan: its start, from the beginning of the run, and its least length. */
export interface PlannedFault {
  readonly fault: FaultName;
  readonly atMs: number;
  readonly lastMs: number;
}

/** Random faults, dealt in rounds of all of them. */
export interface DealtFaults {
  /** Ends after this time, in ms, or after each fault came `rounds` times, whichever is first. */
  readonly durationMs: number;
  readonly rounds?: number | undefined;
  /** The faults that may come; default all. */
  readonly faults?: readonly FaultName[] | undefined;
  /** One fault at a time, with recovery in between: to measure each. */
  readonly oneAtATime?: boolean | undefined;
}

/** The plan of a run. */
export interface ChaosOptions {
  /** Decides the requests of clients, and random faults. */
  readonly seed: number;
  readonly faults: readonly PlannedFault[] | DealtFaults;
  readonly onProgress?: ((text: string) => void) | undefined;
}

/** One fault that happened. */
export interface Happened {
  readonly fault: FaultName;
  readonly victim: string;
  readonly beganAt: number;
  readonly lastMs: number;
}

/** The cost of a fault, over all times that it came alone. Times in ms; the median is a measured value. */
export interface FaultCost {
  readonly count: number;
  /** The length of the fault. */
  readonly lastedMs: { readonly p50: number; readonly max: number };
  /** The longest time without an answered command, from the start of the fault to the calm after it. */
  readonly outageMs: { readonly p50: number; readonly max: number };
}

/** The findings of a run. */
export interface ChaosReport {
  readonly seed: number;
  readonly tookMs: number;
  readonly sound: boolean;
  readonly faults: Readonly<Record<string, number>>;
  /** Rejected appends, and appends with an unknown outcome, as coordinators logged them. */
  readonly refusedAppends: number;
  readonly unknownAppends: number;
  /** The longest time without an answered command in the whole run, in ms. */
  readonly longestOutageMs: number;
  readonly audit: AuditReport;
  /** In a run with one fault at a time. */
  readonly costs: Readonly<Record<string, FaultCost>> | null;
}

/** Performs the run on a rig of its own. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const rig = await startOfficeRig();
  try {
    return await runOn(rig, options);
  } finally {
    await rig.stop();
  }
}

/** Resolves when the office has answered {@link MORE_ANSWERS} more commands, and after a minute in any case. */
async function answersMore({ history }: OfficeLoad): Promise<void> {
  const enough = history.answeredAt.length + MORE_ANSWERS;
  const giveUpAt = performance.now() + MORE_TIMEOUT_MS;
  while (history.answeredAt.length < enough && performance.now() < giveUpAt) await sleep(50);
}

async function runOn(rig: OfficeRig, options: ChaosOptions): Promise<ChaosReport> {
  const chance = seededChance(options.seed);
  const { faults, onProgress = () => undefined } = options;
  const startedAt = performance.now();
  const recorder = await recordLog(rig.transport);
  // One connection to each server: while one of them fails, the others may still work.
  const transports = await Promise.all(rig.cluster.servers.map(({ url }) => rig.connect(url)));
  const offices = transports.map((transport) => createOfficeClient({ transport }));
  const load = startLoad({ offices, clients: CLIENTS, chance: seededChance(options.seed + 1) });
  const watch = watchStatus(offices.map((office) => (timeoutMs: number) => office.tenure({ timeoutMs })));
  const happened: Happened[] = [];
  try {
    const run: Run = { rig, chance, happened, onProgress };
    if (!("durationMs" in faults)) await havePlanned(run, faults);
    else if (faults.oneAtATime === true) await haveOneAtATime(run, faults, load.history);
    else await haveMany(run, faults);
    onProgress("healing; the office must answer again");
    await rig.recover();
    await answersMore(load);
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
      FAULT_NAMES.map((name) => [name, happened.filter(({ fault }) => fault === name).length]),
    ),
    refusedAppends: rig.countLogLines("append rejected: the log ends at another sequence"),
    unknownAppends: rig.countLogLines("append outcome unknown; repeating until it is known"),
    longestOutageMs: Math.round(findOutage(load.history, startedAt, performance.now())),
    audit: found,
    costs: "oneAtATime" in faults && faults.oneAtATime === true ? sumCosts(happened, load.history) : null,
  };
}

/** The shared state of the faults of a run. */
interface Run {
  readonly rig: OfficeRig;
  readonly chance: Chance;
  readonly happened: Happened[];
  readonly onProgress: (text: string) => void;
}

/** Rounds of all faults, each round in another order, with the length of each fault. */
function* deal(
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

async function havePlanned(run: Run, plan: readonly PlannedFault[]): Promise<void> {
  await Promise.all(
    plan.map(async (planned) => {
      await sleep(planned.atMs);
      await have(run, planned);
    }),
  );
}

async function haveMany(run: Run, dealt: DealtFaults): Promise<void> {
  const { chance } = run;
  const endAt = performance.now() + dealt.durationMs;
  const lasting = new Set<Promise<void>>();
  for (const next of deal(chance, dealt)) {
    if (performance.now() >= endAt) break;
    const fault = have(run, next).finally(() => lasting.delete(fault));
    lasting.add(fault);
    if (chance.next() < OVERLAP_SHARE && lasting.size < 2) await sleep(chance.next() * MAX_PAUSE_MS);
    else {
      await Promise.all(lasting);
      await sleep(chance.next() * MAX_PAUSE_MS);
    }
  }
  await Promise.all(lasting);
}

async function haveOneAtATime(run: Run, dealt: DealtFaults, history: OfficeHistory): Promise<void> {
  const endAt = performance.now() + dealt.durationMs;
  for (const next of deal(run.chance, dealt)) {
    if (performance.now() >= endAt) return;
    await have(run, next);
    await run.rig.recover();
    await run.rig.cluster.inSync(CONTROL_STREAM);
    await untilCalm(history);
  }
}

/** Causes a fault, lets it last, and heals it. */
async function have(
  { rig, chance, happened, onProgress }: Run,
  { fault, lastMs }: { fault: FaultName; lastMs: number },
): Promise<void> {
  const { begin }: FaultKind = FAULTS[fault];
  const giveUpAt = performance.now() + BEGIN_TIMEOUT_MS;
  for (;;) {
    const beganAt = performance.now();
    const broken = await begin(rig, chance);
    if (broken !== null) {
      happened.push({ fault, victim: broken.victim, beganAt, lastMs });
      onProgress(`${fault} of ${broken.victim} for ${lastMs} ms`);
      await sleep(lastMs);
      return broken.heal();
    }
    if (beganAt > giveUpAt) return onProgress(`${fault} could not begin`);
    await sleep(STATUS_INTERVAL_MS);
  }
}

/** Waits until commands were answered without a gap for a while. */
async function untilCalm({ answeredAt }: OfficeHistory): Promise<void> {
  for (let calmSince = performance.now(); performance.now() - calmSince < CALM_MS; ) {
    await sleep(50);
    if (performance.now() - (answeredAt.at(-1) ?? 0) > 300) calmSince = performance.now();
  }
}

/** The longest time without an answer between two moments. */
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

function sumCosts(happened: readonly Happened[], history: OfficeHistory): Record<string, FaultCost> {
  const costs: Record<string, FaultCost> = {};
  for (const name of FAULT_NAMES) {
    const times = happened.flatMap(({ fault, beganAt, lastMs }, index) => {
      const next = happened[index + 1]?.beganAt ?? history.answeredAt.at(-1)!;
      return fault === name ? [{ lastMs, outageMs: Math.round(findOutage(history, beganAt, next)) }] : [];
    });
    if (times.length === 0) continue;
    costs[name] = {
      count: times.length,
      lastedMs: sum(times.map(({ lastMs }) => lastMs)),
      outageMs: sum(times.map(({ outageMs }) => outageMs)),
    };
  }
  return costs;
}

function sum(values: readonly number[]): { p50: number; max: number } {
  const sorted = [...values].sort((one, other) => one - other);
  return { p50: sorted[Math.ceil(sorted.length / 2) - 1]!, max: sorted.at(-1)! };
}

/** Asks for the leader repeatedly, in each of the ways in turn. */
function watchStatus(
  ways: readonly ((timeoutMs: number) => Promise<{ leader: string; term: number; logSeq: number }>)[],
) {
  const samples: StatusSample[] = [];
  const stopping = new AbortController();
  const running = ways.map(async (ask) => {
    while (!stopping.signal.aborted) {
      const askedAtMs = Date.now();
      const said = await ask(STATUS_TIMEOUT_MS).catch(() => null);
      const { leader, term, logSeq } = said ?? { leader: null, term: null, logSeq: null };
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

/** Copies the control log as it grows, so that trimmed entries are seen too. */
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
