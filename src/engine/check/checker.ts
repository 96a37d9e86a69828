// The slow check of the lanes of this engine: looks at every log, and rolls long ones up. The decisions are in look.ts.
// S1  Roll-ups of long logs are rare (20 a second in all engines), because they read and write scattered messages: they stay off the path
//     of decisions.
import { type Clock, type Logger, type Meter, sleep } from "../../base/index.ts";
import { laneOf, type Subjects } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { foldLog, keepMsOf, type RunState, summaryOf } from "../../workflow/index.ts";
import type { LogStore } from "../stores/log-store.ts";
import { readSummary } from "../stores/summary.ts";
import { decideLook, QUIET_RUN_MS } from "./look.ts";
import type { StuckRuns } from "./stuck.ts";

/** The roll-ups in a second, in all engines. */
const ROLL_UPS_PER_SECOND = 20;
/** The most logs that wait for their roll-up; the slow check finds the others later. */
const MAX_WAITING_ROLL_UPS = 10_000;
/** The most runs of one lane that one look covers. */
export const MAX_LANE_RUNS = 200_000;
/** A log must be quiet for this time before the check rolls it up, in ms: its engine may be about to. */
const SETTLED_MS = 30_000;

interface CheckerParts {
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  readonly logs: LogStore;
  readonly signal: AbortSignal;
  readonly stuck: StuckRuns;
  /** The number of living engines, which share the rate of roll-ups. */
  readonly engines: () => number;
  /** Lets a run decide without a trigger. */
  readonly look: (workflowId: string, lane: string) => void;
}

/** A lane that this engine serves. */
interface ServedLane {
  /** The runs by state, as of the last look. */
  readonly counts: Map<RunState, number>;
  /** True until the first look. */
  isNew: boolean;
  /** The large entries, and the runs with shared values, without a log at the last look. */
  left: Set<string>;
  leftShared: Set<string>;
}

/** The slow check of one engine. */
export class Checker {
  readonly #parts: CheckerParts;
  readonly #waiting = new Set<string>();
  /** The lanes that this engine serves, each with the signal of its end; a new lane is looked at soon. */
  readonly #lanes = new Map<string, ServedLane>();
  #isRolling = false;

  constructor(parts: CheckerParts) {
    this.#parts = parts;
  }

  /** Begins to look at a lane, now and every {@link QUIET_RUN_MS}. `signal` ends it. */
  serve(lane: string, signal: AbortSignal): void {
    const served: ServedLane = { counts: new Map(), isNew: true, left: new Set(), leftShared: new Set() };
    this.#lanes.set(lane, served);
    void this.#follow(lane, AbortSignal.any([signal, this.#parts.signal])).finally(() => {
      if (this.#lanes.get(lane) === served) this.#lanes.delete(lane);
    });
  }

  /** Puts the log of an ended run in the queue of roll-ups. */
  rollUpLater(workflowId: string): void {
    if (this.#waiting.size < MAX_WAITING_ROLL_UPS) this.#waiting.add(workflowId);
    if (!this.#isRolling) void this.#roll();
  }

  /**
   * Removes the large entries of a lane whose log is gone. An entry is stored before the message that names it, so it counts as left only
   * when two looks in a row find no log.
   */
  async #sweepEntries(lane: string, served: ServedLane, logs: ReadonlySet<string>): Promise<void> {
    const { transport, log } = this.#parts;
    const left = new Set<string>();
    let removed = 0;
    for (const name of await transport.entries.names()) {
      const id = name.slice(0, name.indexOf("."));
      if (laneOf(id) !== lane || logs.has(id)) continue;
      if (!served.left.has(name)) left.add(name);
      else {
        await transport.entries.delete(name);
        removed++;
      }
    }
    served.left = left;
    if (removed > 0) log.info({ lane, removed }, "large entries of expired logs removed");
  }

  /** Removes the shared values of runs whose log is gone: two looks in a row find no log. */
  async #sweepShared(lane: string, served: ServedLane, logs: ReadonlySet<string>): Promise<void> {
    const { transport, subjects, log } = this.#parts;
    const values = transport.log("shared");
    const found = await values.subjects(subjects.filters.sharedInLane(lane), { max: MAX_LANE_RUNS });
    const runs = new Set(
      [...found.keys()].flatMap((subject) => subjects.readShared(subject)?.workflowId ?? []),
    );
    const left = new Set([...runs].filter((id) => !logs.has(id)));
    let removed = 0;
    for (const id of left) {
      if (!served.leftShared.has(id)) continue;
      left.delete(id);
      removed += await values.purge({ filter: subjects.filters.sharedOf(id) });
    }
    served.leftShared = left;
    if (removed > 0) log.info({ lane, removed }, "shared values of expired logs removed");
  }

  async #follow(lane: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    while (!signal.aborted) {
      try {
        await this.#lookAt(lane, signal);
      } catch (error) {
        if (!signal.aborted)
          log.warn({ err: error, lane }, "look at the logs of a lane failed; looking again later");
      }
      await sleep(QUIET_RUN_MS, { clock, signal }).catch(() => undefined);
    }
  }

  async #lookAt(lane: string, signal: AbortSignal): Promise<void> {
    const { transport, subjects, clock, look } = this.#parts;
    const log = transport.log("workflows");
    const counts = await log.subjects(subjects.filters.workflows(lane), { max: MAX_LANE_RUNS });
    const served = this.#lanes.get(lane);
    const states = new Map<RunState, number>();
    await log.lasts({
      filter: subjects.filters.workflows(lane),
      max: MAX_LANE_RUNS,
      onLast: (last) => {
        const id = subjects.readWorkflow(last.subject);
        if (signal.aborted || id === null) return;
        const summary = readSummary(last);
        if (summary !== null) {
          states.set(summary.state, (states.get(summary.state) ?? 0) + 1);
          this.#parts.stuck.note(summary, last.storedAtMs);
        }
        const seen = { summary, storedAtMs: last.storedAtMs, messages: counts.get(last.subject) ?? 1 };
        const step = decideLook(seen, clock.now(), served?.isNew ?? false);
        if (step === "decide") look(id, lane);
        else if (step === "roll-up" && clock.now() - last.storedAtMs >= SETTLED_MS) this.rollUpLater(id);
      },
    });
    if (served === undefined || signal.aborted) return;
    served.isNew = false;
    served.counts.clear();
    for (const [state, count] of states) served.counts.set(state, count);
    this.showCounts();
    if (counts.size >= MAX_LANE_RUNS) return; // Some logs were not seen.
    const ids = [...counts.keys()].map((subject) => subjects.readWorkflow(subject) ?? "");
    const known = new Set(ids);
    await this.#sweepEntries(lane, served, known);
    await this.#sweepShared(lane, served, known);
  }

  /** Shows the runs by state. Runs that wait for a person are counted as of now, other runs as of the last look. */
  showCounts(): void {
    const sums = new Map<RunState, number>();
    for (const { counts } of this.#lanes.values())
      for (const [state, count] of counts) sums.set(state, (sums.get(state) ?? 0) + count);
    const { blocked, compensation_failed } = this.#parts.stuck.counts();
    sums.set("blocked", blocked).set("compensation_failed", compensation_failed);
    this.#parts.meter.workflows.replace([...sums].map(([state, value]) => ({ labels: { state }, value })));
  }

  /** Rolls up the waiting logs one after the other (S1). */
  async #roll(): Promise<void> {
    const { clock, signal, engines, log } = this.#parts;
    this.#isRolling = true;
    for (const id of this.#waiting) {
      this.#waiting.delete(id);
      if (signal.aborted) break;
      try {
        await this.#rollUp(id);
      } catch (error) {
        if (!signal.aborted)
          log.warn(
            { err: error, workflow: id },
            "log of an ended workflow not rolled up; the slow check tries it again",
          );
      }
      const pauseMs = (1_000 * Math.max(1, engines())) / ROLL_UPS_PER_SECOND;
      await sleep(pauseMs, { clock, signal }).catch(() => undefined);
    }
    this.#isRolling = false;
  }

  async #rollUp(id: string): Promise<void> {
    const { logs, signal } = this.#parts;
    const { texts, tip, isExpiring } = await logs.read(id);
    const read = foldLog(id, texts);
    if (!read.ok || isExpiring || read.fold.end === null) return; // It goes on, or it is rolled up already.
    const { fold } = read;
    // A refused append means that another engine was first, or that the run goes on.
    await logs.append(
      id,
      { texts, chain: fold.chain, summary: summaryOf(fold), tip, isRollup: true, ttlMs: keepMsOf(fold) },
      signal,
    );
  }
}
