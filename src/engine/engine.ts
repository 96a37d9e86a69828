// An engine: runs the workflows of its lanes. It composes the beats, the lanes, the runs and the slow check; the decisions about a run are in
// the workflow room.
//
//   const engine = createEngine({ transport, meter, log, id: "engine-1", definitions });
//   await engine.start();
import {
  type Chance,
  type Clock,
  createService,
  type Logger,
  type Meter,
  NO_TRACER,
  newInstanceId,
  type Service,
  systemChance,
  type Tracer,
} from "../base/index.ts";
import { createSubjects, laneOf, SwarmError, toSwarmError } from "../protocol/index.ts";
import type { Transport } from "../transport/index.ts";
import { SharedStore, type TaskClient } from "../work/index.ts";
import type { Decision, Fold, RunSummary, Trigger } from "../workflow/index.ts";
import { Checker } from "./check/checker.ts";
import { type EngineRoll, MAX_ROLL_RUNS, StuckRuns } from "./check/stuck.ts";
import { CommandStore } from "./commands/command-store.ts";
import { type Definitions, RunDefinitions } from "./commands/judge.ts";
import { createEngineServer } from "./commands/server.ts";
import { tellEvents } from "./effects/events.ts";
import { Performer } from "./effects/perform.ts";
import { Beats } from "./lanes/beats.ts";
import { openLaneConsumer } from "./lanes/consumers.ts";
import { Lane, type LaneMessage } from "./lanes/lane.ts";
import { Runs, type Tenure } from "./runs/runs.ts";
import { readOutcome } from "./runs/triggers.ts";
import { LogStore } from "./stores/log-store.ts";

/** How long a stop waits for running decisions, in ms; a decision takes a few ms. */
const ENGINE_STOP_MS = 400;
/** How often the lag of the lanes is measured, in ms. */
const LAG_MS = 10_000;

/** The parts of an engine. */
export interface EngineParts {
  readonly transport: Transport;
  readonly meter: Meter;
  readonly log: Logger;
  /** Unique among the engines of the swarm: one subject token. */
  readonly id: string;
  readonly definitions: Definitions;
  /** The task client of the process: it looks tasks up. The caller closes it. */
  readonly tasks: TaskClient;
  readonly clock?: Clock | undefined;
  readonly chance?: Chance | undefined;
  /** Default: no spans. */
  readonly tracer?: Tracer | undefined;
}

/** An engine. */
export interface Engine extends Service {
  /** The lanes that it serves now. */
  readonly lanes: readonly string[];
  /** The living engines that it knows. */
  readonly living: readonly string[];
}

/** Makes an engine. Its stop gives back what no decision has taken, and says goodbye. */
export function createEngine(parts: EngineParts): Engine {
  const driver = new EngineDriver(parts);
  const service = createService({ name: "engine", start: () => driver.start(), stop: () => driver.stop() });
  return {
    start: () => service.start(),
    stop: () => service.stop(),
    get lanes() {
      return driver.lanes;
    },
    get living() {
      return driver.living;
    },
  };
}

/** A lane that this engine serves. */
interface Served {
  readonly lane: Lane;
  readonly tenure: Tenure;
  readonly end: AbortController;
}

class EngineDriver {
  readonly #parts: EngineParts;
  readonly #clock: Clock;
  readonly #runs: Runs;
  readonly #beats: Beats;
  readonly #checker: Checker;
  readonly #server: Service;
  readonly #served = new Map<string, Served>();
  readonly #stuck = new StuckRuns();
  /** The lag of each lane as it was measured last. */
  readonly #lags = new Map<string, LaneLag>();
  readonly #stopped = new AbortController();
  #cancelLag: () => void = () => undefined;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const {
      transport,
      meter,
      log,
      id,
      definitions,
      tasks,
      chance = systemChance,
      tracer = NO_TRACER,
    } = parts;
    const clock = parts.clock ?? transport.clock;
    this.#clock = clock;
    const subjects = createSubjects(transport.prefix);
    const shared = { transport, subjects, clock, chance, log, meter, tracer };
    const logs = new LogStore(shared);
    const commands = new CommandStore(shared);
    const ofRuns = new RunDefinitions(definitions);
    const values = new SharedStore(shared);
    const performer = new Performer({ ...shared, shared: values, tasks, commands, logs, definitions });
    this.#beats = new Beats({ ...shared, id, onLanes: (lanes) => this.#serve(lanes) });
    this.#checker = new Checker({
      ...shared,
      logs,
      stuck: this.#stuck,
      signal: this.#stopped.signal,
      engines: () => this.#beats.living.length,
      look: (workflowId, lane) => this.#look(workflowId, lane),
    });
    this.#runs = new Runs({
      ...shared,
      logs,
      commands,
      performer,
      engine: newInstanceId(id), // a process that starts again under its id is another taker of triggers
      find: (run) => ofRuns.find(run),
      onEntry: (fold, decision, summary) => {
        this.#count(fold, decision);
        this.#note(summary, fold.atMs);
        tellEvents(transport.bus, subjects, fold, decision);
      },
      onLongEnd: (workflowId) => this.#checker.rollUpLater(workflowId),
    });
    this.#server = createEngineServer({
      ...{ ...shared, logs, commands, definitions, runs: ofRuns },
      roll: () => this.#roll(),
    });
    this.#commands = commands;
  }

  readonly #commands: CommandStore;

  get lanes(): readonly string[] {
    return [...this.#served.keys()].sort();
  }

  get living(): readonly string[] {
    return this.#beats.living;
  }

  async start(): Promise<void> {
    await this.#beats.start();
    await this.#server.start();
    this.#measureLag();
  }

  /** Gives back what no decision has taken, waits a moment for the running ones, and says goodbye. */
  async stop(): Promise<void> {
    this.#cancelLag();
    await this.#server.stop();
    const lanes = [...this.#served.values()];
    for (const { lane } of lanes) lane.stop();
    const ended = Promise.all(lanes.map((served) => this.#end(served)));
    await Promise.race([ended, this.#after(ENGINE_STOP_MS)]);
    this.#stopped.abort(new SwarmError("cancelled", "the engine stops"));
    for (const { end } of lanes) end.abort(this.#stopped.signal.reason);
    await ended;
    this.#beats.stop();
    await this.#parts.transport.bus.flush().catch(() => undefined); // the goodbye
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  /** Serves exactly these lanes. */
  #serve(lanes: readonly string[]): void {
    if (this.#stopped.signal.aborted) return;
    const { log } = this.#parts;
    for (const [name, served] of this.#served) {
      if (lanes.includes(name)) continue;
      served.lane.stop();
      served.end.abort(new SwarmError("cancelled", "another engine serves the lane"));
      void this.#end(served);
    }
    const added = lanes.filter((name) => !this.#served.has(name));
    for (const name of added) this.#begin(name);
    log.info(
      { lanes: this.lanes, engines: this.#beats.living },
      "lanes changed; this engine serves the named ones",
    );
  }

  #begin(name: string): void {
    const { transport, log, chance = systemChance } = this.#parts;
    const end = new AbortController();
    const tenure = { lane: name, signal: end.signal };
    const lane = new Lane({
      lane: name,
      transport,
      subjects: createSubjects(transport.prefix),
      clock: this.#clock,
      chance,
      log,
      onMessage: (message) => void this.#take(message, tenure),
      onStray: ({ subject }) => log.warn({ subject }, "message on no subject of a command removed"),
    });
    this.#served.set(name, { lane, tenure, end });
    lane.start();
    this.#checker.serve(name, end.signal);
  }

  /** Ends a served lane: resolves when its running decisions have ended. */
  async #end(served: Served): Promise<void> {
    const { lane } = served.tenure;
    if (this.#served.get(lane) === served) {
      this.#served.delete(lane);
      this.#lags.delete(lane);
    }
    await this.#runs.release(lane);
    served.lane.close();
    if (this.#served.has(lane)) return;
    this.#stuck.release(lane);
    this.#checker.showCounts();
  }

  async #take(message: LaneMessage, tenure: Tenure): Promise<void> {
    const { workflowId, held } = message;
    if (tenure.signal.aborted) return held.giveBack(0);
    let trigger: Trigger;
    try {
      trigger = await this.#read(message);
    } catch (thrown) {
      this.#refuse(message, thrown);
      return;
    }
    if (tenure.signal.aborted) return held.giveBack(0);
    this.#runs.take(workflowId, tenure, trigger, held);
  }

  /** Gives back a message whose large body cannot be read now, and removes a message that never can be read. */
  #refuse({ workflowId, held }: LaneMessage, thrown: unknown): void {
    const error = toSwarmError(thrown);
    const { subject } = held.delivery;
    if (error.code === "unavailable") {
      held.giveBack(UNREAD_MS);
      return;
    }
    held.ack();
    this.#parts.log.warn(
      { err: error, subject, workflow: workflowId },
      "unreadable message to a workflow removed",
    );
  }

  async #read(message: LaneMessage): Promise<Trigger> {
    const { delivery } = message.held;
    if (message.kind === "result") {
      const outcome = await readOutcome(delivery, this.#parts.transport.blobs);
      return { type: "result", n: message.n, outcome };
    }
    return { type: "command", seq: delivery.seq, ...(await this.#commands.read(delivery, message.command)) };
  }

  #look(workflowId: string, lane: string): void {
    const served = this.#served.get(lane);
    if (served !== undefined) this.#runs.look(workflowId, served.tenure);
  }

  #count(fold: Fold, { entry }: Decision): void {
    const { meter } = this.#parts;
    for (const fact of entry?.facts ?? []) {
      if (fact.type === "ended") {
        meter.workflowsFinished.inc({ workflow: fold.begun?.name ?? "-", state: fact.state });
        meter.workflowSeconds.observe({ state: fact.state }, (fold.atMs - fold.begunAtMs) / 1_000);
      } else if (fact.type === "settled" && fold.ops.get(fact.path)?.kind === "undo") {
        meter.workflowCompensations.inc({
          outcome: fact.outcome.status === "completed" ? "completed" : "failed",
        });
      }
    }
  }

  /** Notes whether a run waits for a person, and that its lane goes on. */
  #note(summary: RunSummary, atMs: number): void {
    if (this.#stuck.note(summary, atMs)) this.#checker.showCounts();
    const lag = this.#lags.get(laneOf(summary.id));
    if (lag !== undefined && lag.stalledSinceMs !== null) lag.stalledSinceMs = this.#clock.now();
  }

  #roll(): EngineRoll {
    const lanes = this.lanes.map((lane) => ({ lane, ...(this.#lags.get(lane) ?? KEEPS_UP) }));
    return { lanes, counts: this.#stuck.counts(), runs: this.#stuck.oldest(MAX_ROLL_RUNS) };
  }

  #measureLag(): void {
    this.#cancelLag = this.#clock.after(LAG_MS, () => {
      void this.#showLag().finally(() => {
        if (!this.#stopped.signal.aborted) this.#measureLag();
      });
    });
  }

  async #showLag(): Promise<void> {
    const { transport, meter } = this.#parts;
    const rows = await Promise.all(
      this.lanes.map(async (lane) => {
        const infos = await Promise.all(
          (["results", "flow"] as const).map(async (stream) =>
            (await openLaneConsumer(transport, stream, lane)).info(),
          ),
        );
        return { labels: { lane }, value: infos.reduce((sum, info) => sum + (info?.pending ?? 0), 0) };
      }),
    ).catch(() => null);
    if (rows === null) return;
    meter.workflowLaneLag.replace(rows);
    for (const { labels, value: pending } of rows) {
      if (!this.#served.has(labels.lane)) continue;
      const since = this.#lags.get(labels.lane)?.stalledSinceMs ?? this.#clock.now();
      this.#lags.set(labels.lane, { pending, stalledSinceMs: pending === 0 ? null : since });
    }
  }
}

/** The waiting messages of a lane, and since when it stores no decision while they wait. */
interface LaneLag {
  pending: number;
  stalledSinceMs: number | null;
}
const KEEPS_UP: Readonly<LaneLag> = { pending: 0, stalledSinceMs: null };

/** The time before a message comes again whose large body could not be read, in ms. */
const UNREAD_MS = 1_000;
