// Performs the effects of a decision, after its entry is stored and before its triggers are acked.
// E1  Every effect is safe to repeat, so a failed effect is repeated with a backoff until it is done or the engine gives the run up.
// E2  A task that the swarm can never take (a field that does not fit, a body over the limit) fails its step, once.
// E3  A step runs once, although its task may be published by two engines, and by an engine that was stopped for a while: the server drops a task
//     whose id it has seen within its window, and a host looks for the result of a task that was published as a repetition.
// E4  One decision may start a child, whose start was lost, and cancel it. The start is stored first: a run that never began refuses a cancel, and
//     would then go on.
import {
  backoffDelayMs,
  type Chance,
  type Clock,
  type Logger,
  sleep,
  type TraceHeaders,
  type Tracer,
  toIsoTime,
} from "../../base/index.ts";
import {
  encode,
  HEADERS,
  isEffectKey,
  NO_SCOPE,
  parseTask,
  type Result,
  type Subjects,
  SwarmError,
  sha256,
  toSwarmError,
  WORKFLOW_CAPABILITY,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import {
  bodyHeaders,
  codeOfThrown,
  isLarge,
  packLarge,
  type SharedStore,
  startSend,
  type TaskClient,
} from "../../work/index.ts";
import { type Effect, effectsOfEntry, type Fold, type WorkflowDefinition } from "../../workflow/index.ts";
import type { CommandStore } from "../commands/command-store.ts";
import { definitionFields } from "../commands/judge.ts";
import type { LogStore } from "../stores/log-store.ts";
import { cancelStep } from "./cancel.ts";
import { storeResult } from "./results.ts";

/** The most effects of one decision in flight at once: a map orders its first items together. */
const EFFECTS_IN_FLIGHT = 32;
/** The waits between the tries of an effect (E1). */
const EFFECT_BACKOFF = { backoffMs: 100, factor: 2, maxBackoffMs: 5_000, jitter: 0.3 };
/** The tries of an effect after which a log line tells that it fails. */
const TOLD_TRY = 3;
/**
 * The time after which an effect counts as a repetition, in ms: its engine may have been stopped meanwhile, so that another one had its trigger and
 * repeated the effect (the ack-wait of a trigger is 2 s, and the last renewal may have been 0.6 s before).
 */
const STALE_EFFECT_MS = 1_000;
/** The errors of a task that no repetition mends (E2). */
const FINAL_CODES: readonly string[] = ["invalid_input", "payload_too_large"];

/** The errors of a shared value that the code of the run gets. */
const FINAL_SHARED_CODES: readonly string[] = [
  "conflict",
  "invalid_input",
  "not_found",
  "payload_too_large",
  "rate_limited",
];
/** The facts of a result that no agent made. */
const ENGINE_RESULT = { attempt: 0, agent: "-", queuedMs: 0, ranMs: 0 } as const;

/** Finds the definition of a child. */
export interface ChildDefinitions {
  /** The loaded definition of a name and version, or of the newest version; undefined when none is loaded. */
  find(name: string, version?: number): Pick<WorkflowDefinition, "version" | "source" | "keepMs"> | undefined;
}

interface PerformerParts {
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Logger;
  readonly tracer: Tracer;
  readonly tasks: TaskClient;
  readonly commands: CommandStore;
  readonly logs: LogStore;
  readonly shared: SharedStore;
  readonly definitions: ChildDefinitions;
}

/** The run whose effects are performed. */
export type EffectScene = Pick<Fold, "id" | "begun" | "begunAtMs" | "atMs">;

/** The surroundings of one effect: the run, the signal that ends the tries, and the trace context for tasks and children. */
interface Scene {
  readonly run: EffectScene;
  readonly signal: AbortSignal;
  readonly trace: TraceHeaders;
  /** The time of the decision, in ms since 1970; null for a repair, whose effects may all be repetitions. */
  readonly decidedAtMs: number | null;
}

/** Performs effects. */
export class Performer {
  readonly #parts: PerformerParts;

  constructor(parts: PerformerParts) {
    this.#parts = parts;
  }

  /** Performs all effects of a decision. `trace`: the context of the tasks and children. @throws the signal's reason when the engine gives the run up. */
  async perform(
    run: EffectScene,
    effects: readonly Effect[],
    signal: AbortSignal,
    { decidedAtMs, trace = {} }: { decidedAtMs: number; trace?: TraceHeaders },
  ): Promise<void> {
    const scene = { run, signal, trace, decidedAtMs };
    if (effects.length === 1) return this.#repeat(scene, effects[0]!);
    // A reopening comes before the end that may follow it.
    const isFirst = ({ type }: Effect) => type === "reopen";
    const isLast = ({ type }: Effect) => type === "cancel-child"; // E4
    const isBetween = (effect: Effect) => !isFirst(effect) && !isLast(effect);
    for (const part of [isFirst, isBetween, isLast]) await this.#repeatAll(scene, effects.filter(part));
  }

  async #repeatAll(scene: Scene, effects: readonly Effect[]): Promise<void> {
    const left = [...effects].reverse();
    const next = async () => {
      for (let effect = left.pop(); effect !== undefined; effect = left.pop())
        await this.#repeat(scene, effect);
    };
    await Promise.all(Array.from({ length: Math.min(EFFECTS_IN_FLIGHT, left.length) }, next));
  }

  /**
   * Orders again each open step of a run that has neither a task nor a result, and starts its children that have no log. A cancelled step is
   * not ordered again: it is cancelled again. Resolves to the number of steps that had neither. A step with a result is left to its redelivery.
   */
  async repair(fold: Fold, signal: AbortSignal, trace: TraceHeaders = {}): Promise<number> {
    const scene = { run: fold, signal, trace, decidedAtMs: null };
    const entries = new Set<number>();
    for (const kind of ["step", "child", "undo", "shared"] as const)
      for (const path of fold.open[kind]) entries.add(fold.ops.get(path)?.entry ?? 0);
    let repaired = 0;
    for (const entry of entries) {
      for (const effect of effectsOfEntry(fold, entry, true)) {
        if (effect.type === "child" || effect.type === "shared") await this.#repeat(scene, effect);
        if (effect.type !== "task" && effect.type !== "cancel") continue;
        const isThere = await this.#isThere(effect.type === "task" ? effect.task.id : effect.taskId);
        if (!isThere || effect.type === "cancel") await this.#repeat(scene, effect);
        if (!isThere) repaired++;
      }
    }
    return repaired;
  }

  async #isThere(taskId: string): Promise<boolean> {
    const { tasks } = this.#parts;
    return (await tasks.locate(taskId)) !== null || (await tasks.findBallot(taskId)) !== null;
  }

  async #repeat(scene: Scene, effect: Effect): Promise<void> {
    const { run, signal, decidedAtMs } = scene;
    for (let tries = 1; ; tries++) {
      try {
        const isStale = decidedAtMs === null || this.#parts.clock.now() - decidedAtMs >= STALE_EFFECT_MS; // E3
        await this.#do(scene, effect, tries > 1 || isStale);
        return;
      } catch (error) {
        signal.throwIfAborted();
        const delayMs = backoffDelayMs(EFFECT_BACKOFF, tries, this.#parts.chance);
        if (tries === TOLD_TRY)
          this.#parts.log.warn(
            { err: toSwarmError(error), workflow: run.id, effect: effect.type },
            "effect of a workflow fails; repeating it until it is done",
          );
        await sleep(delayMs, { clock: this.#parts.clock, signal });
      }
    }
  }

  #do(scene: Scene, effect: Effect, isRepeat: boolean): Promise<void> {
    const { run, trace } = scene;
    switch (effect.type) {
      case "task":
        return this.#publish(scene, effect, isRepeat || effect.isRepeat);
      case "cancel":
        return cancelStep(this.#parts, { ...effect, scope: run.id });
      case "child":
        return this.#startChild(effect, trace);
      case "cancel-child":
        return this.#cancelChild(effect.id);
      case "shared":
        return this.#share(run, effect);
      case "wake":
        return this.#parts.commands.wake(run.id, effect.n, effect.atMs);
      case "end":
        return this.#end(run, effect);
      case "reopen":
        return this.#reopen(run);
      default:
        return effect satisfies never;
    }
  }

  async #publish(scene: Scene, effect: Extract<Effect, { type: "task" }>, isRepeat: boolean): Promise<void> {
    try {
      await this.#sendTask(scene, effect, isRepeat);
    } catch (thrown) {
      const error = toSwarmError(thrown);
      if (error.code === "conflict") return; // It waits or runs already.
      if (!FINAL_CODES.includes(error.code)) throw error;
      await this.#fail(scene.run, effect, error);
    }
  }

  /** Stores a task, in a span that is a child of the decision. @throws SwarmError as `append` and {@link parseTask}. */
  async #sendTask(
    { run, trace, decidedAtMs }: Scene,
    effect: Extract<Effect, { type: "task" }>,
    isRepeat: boolean,
  ): Promise<void> {
    const { transport, subjects, tracer } = this.#parts;
    const { id: taskId } = effect.task;
    const task = { ...parseTask(effect.task), id: taskId };
    const { capability, priority, scope } = task;
    const at = { capability, priority, scope, taskId };
    const bytes = encode(task);
    const data = isLarge(bytes) ? await packLarge(bytes, "json", transport.blobs) : bytes;
    const isTraced = tracer.isOn && trace.traceparent !== undefined;
    const span = isTraced ? startSend(tracer, transport.prefix, at, trace) : null;
    span?.set({ "murmur.workflow.id": run.id, "murmur.workflow.path": effect.path });
    const { traceparent } = span?.headers ?? trace;
    try {
      await transport.log("tasks").append(subjects.task(at), data, {
        headers: {
          ...bodyHeaders("json"),
          [HEADERS.effectKey]: fitKey(run.id, effect.key),
          // The host looks for a result before it runs the task.
          ...(isRepeat ? { [HEADERS.attempt]: "1" } : {}),
          ...(traceparent === undefined ? {} : { [HEADERS.traceparent]: traceparent }),
        },
        // E3. The window also remembers a task that was lost, so a repair goes without it.
        ...(decidedAtMs === null ? {} : { messageId: taskId }),
      });
    } catch (error) {
      span?.fail(codeOfThrown(error));
      throw error;
    } finally {
      span?.end();
    }
  }

  /** Ends a task that the swarm can never take (E2). */
  async #fail(
    run: EffectScene,
    { task, path }: Extract<Effect, { type: "task" }>,
    error: SwarmError,
  ): Promise<void> {
    const { code, field } = error;
    const result: Result = {
      taskId: task.id,
      status: "failed",
      error: {
        code,
        message: `${path}: ${error.message}`,
        retryable: false,
        ...(field === undefined ? {} : { field }),
      },
      ...ENGINE_RESULT,
      ...this.#times(),
    };
    const { transport, subjects } = this.#parts;
    const subject = subjects.result(task.capability, run.id, task.id);
    await storeResult(transport, { subject, result });
  }

  async #startChild(
    effect: Extract<Effect, { type: "child" }>,
    { traceparent }: TraceHeaders,
  ): Promise<void> {
    const { commands, logs, definitions } = this.#parts;
    const { id, workflow: name, input, parent, depth } = effect;
    if ((await logs.tip(id)) > 0) return; // It was started before.
    const definition = definitions.find(name, effect.version);
    const version = effect.version ?? definition?.version ?? 1;
    const fields = definition === undefined ? {} : definitionFields(definition);
    try {
      await commands.append(
        id,
        {
          command: {
            ...{ type: "start", name, version, input, parent, depth },
            ...fields,
            ...(traceparent === undefined ? {} : { traceparent }),
          },
        },
        { isFirst: true },
      );
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
    }
  }

  /** Cancels a child that has not ended: an ended one would refuse the command for nothing. */
  async #cancelChild(id: string): Promise<void> {
    await this.#parts.commands.append(id, { command: { type: "cancel" } });
  }

  /** Reads or sets a shared value, and stores the end as a result: the first one counts, so a repetition changes nothing. */
  async #share(run: EffectScene, effect: Extract<Effect, { type: "shared" }>): Promise<void> {
    const { transport, subjects, shared } = this.#parts;
    const { n, name, value, revision, key } = effect;
    const taskId = `${run.id}-${n}`;
    const at = { workflowId: run.id, name };
    const result: Result = { taskId, status: "completed", ...ENGINE_RESULT, ...this.#times() };
    let end: Result;
    try {
      if (value === undefined) {
        const found = await shared.get(at);
        end = { ...result, output: found === null ? null : { value: found.value, revision: found.revision } };
      } else {
        const by = { user: WORKFLOW_CAPABILITY, proven: true };
        end = {
          ...result,
          output: await shared.set({ ...at, value, by, revision, key: fitKey(run.id, key) }),
        };
      }
    } catch (thrown) {
      const { code, message, field } = toSwarmError(thrown);
      if (!FINAL_SHARED_CODES.includes(code)) throw thrown;
      const error = { code, message, retryable: false, ...(field === undefined ? {} : { field }) };
      end = { ...result, status: "failed", error };
    }
    await storeResult(transport, {
      subject: subjects.result(WORKFLOW_CAPABILITY, run.id, taskId),
      result: end,
    });
  }

  #times() {
    const at = toIsoTime(this.#parts.clock.now());
    return { startedAt: at, finishedAt: at };
  }

  async #end(run: EffectScene, { state, output, error }: Extract<Effect, { type: "end" }>): Promise<void> {
    const { transport } = this.#parts;
    const { parent } = run.begun ?? {};
    const result: Result = {
      taskId: run.id,
      status: state === "completed" || state === "cancelled" ? state : "failed",
      ...(output === undefined ? {} : { output }),
      ...(error === undefined ? {} : { error }),
      attempt: 1,
      agent: WORKFLOW_CAPABILITY,
      startedAt: toIsoTime(run.begunAtMs),
      finishedAt: toIsoTime(run.atMs),
      queuedMs: 0,
      ranMs: Math.max(0, run.atMs - run.begunAtMs),
    };
    const headers = parent === undefined ? {} : { [HEADERS.parent]: `${parent.id}/${parent.n}` };
    await storeResult(transport, { subject: this.#resultSubject(run), result, headers });
  }

  async #reopen(run: EffectScene): Promise<void> {
    await this.#parts.transport.log("results").purge({ filter: this.#resultSubject(run) });
  }

  #resultSubject({ id, begun }: EffectScene): string {
    return this.#parts.subjects.result(WORKFLOW_CAPABILITY, begun?.parent?.id ?? NO_SCOPE, id);
  }
}

/** The effect key as a header takes it: a key that is too long keeps its workflow, and its path becomes a digest. */
export function fitKey(workflowId: string, key: string): string {
  return isEffectKey(key) ? key : `${workflowId}/${sha256(key)}`;
}
