// The steps of one attempt: performs each step once, records its end in the task's journal, and gives a later attempt the recorded
// end. decide.ts decides about the appends; this file performs them. attempt.ts makes one recorder for an attempt with steps.
//
// R1: a step returns only after its end is recorded. So a recorded step is never performed again; a step whose process died before
//     the record is performed again, with the same effect key.
// R2: a step with `once` is performed only after its begin is recorded, and a begin without an end ends the attempt: see StepWait.
// R3: an attempt that lost the journal to another attempt is stale: `onStale` aborts it, and its steps fail with `stale_attempt`.
// R4: after `close` nothing is appended, and the journal's tip is known, or `close` rejects.
// R5: an attempt replays only a journal that has the record it started with. A leader that was cut off answers without the newest ones.
import {
  backoffDelayMs,
  type Chance,
  type Clock,
  type Meter,
  newId,
  sleep,
  toIsoTime,
} from "../../base/index.ts";
import {
  CONTENT_TYPES,
  checkPlainData,
  decode,
  type Encoding,
  encode,
  fromWire,
  HandOff,
  INLINE_LIMIT_BYTES,
  MAX_STEPS,
  STEP_RESULT_DEPTH,
  STEPS_LIMIT_BYTES,
  type StepEntry,
  type StepFacts,
  type StepsRecord,
  StepWait,
  SwarmError,
  showValue,
  stepEffectKey,
  TerminalError,
  toSwarmError,
} from "../../protocol/index.ts";
import type { Blobs } from "../../transport/index.ts";
import type { TrailRecord } from "../ports.ts";
import {
  beginRecorder,
  decideRecord,
  type FoundTip,
  type QueuedEntry,
  type RecorderEffect,
  type RecorderInput,
  type RecorderState,
} from "./decide.ts";
import { type KnownStep, StepsFold } from "./fold.ts";

/** The waits between the tries of an append or a read whose fate is unknown. */
const RECORD_BACKOFF = { backoffMs: 50, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The most steps that a failed attempt reopens: their names stay below the size of one message. */
const MAX_REOPENED = 1_000;
/** The most causes that one error is followed through. */
const MAX_CAUSES = 8;

/** The journal of the recorder's task, as its host holds it. */
export interface StepLedger {
  /** The sequence of the last record that the host knows; 0 when it knows none. */
  readonly tipSeq: number;
  /** Appends after the known tip. @throws SwarmError `conflict` when the tip is stale; `unavailable`. */
  append(record: StepsRecord): Promise<void>;
  /** Reads the tip from the stream's leader, and takes it as the known one when `isOwn` says so. */
  readTip(isOwn: (tip: FoundTip) => boolean): Promise<FoundTip | null>;
  /** All records, read from the stream's leader. @throws SwarmError `unavailable`. */
  records(): Promise<readonly TrailRecord[]>;
}

/** The parts of a recorder. */
export interface RecorderParts {
  readonly ledger: StepLedger;
  readonly attempt: { readonly number: number; readonly agentId: string; readonly key: string };
  readonly encoding: Encoding;
  readonly blobs: Pick<Blobs, "put" | "get">;
  readonly meter: Pick<Meter, "steps" | "stepRecords" | "fencedWrites">;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The error as records show it: without secrets, and bounded. */
  readonly wireError: (error: SwarmError) => NonNullable<StepEntry["error"]>;
  /** True once the attempt was aborted: from then on errors of steps are not recorded. */
  readonly isAborted: () => boolean;
  readonly onStale: () => void;
}

/** A failure of a step of this attempt. */
interface StepFailure {
  readonly thrown: unknown;
  readonly retryable: boolean;
  /** The number of steps that the code had asked for when it failed, recorded ones included. */
  readonly begun: number;
}

/** Performs and records the steps of one attempt. */
export class StepRecorder {
  /** The decider. A simulation of deliberate bugs puts a bent one here. */
  protected readonly decide: typeof decideRecord = decideRecord;
  readonly #parts: RecorderParts;
  readonly #waiters = new Map<StepEntry, { resolve(): void; reject(error: SwarmError): void }>();
  readonly #failures = new Map<string, StepFailure>();
  /** The steps with `once` that the journal shows as begun and not ended. */
  #open: ReadonlySet<string> = new Set();
  #state: RecorderState;
  #known: ReadonlyMap<string, KnownStep> = new Map();
  #loading: Promise<void> | undefined;
  #isLoaded: boolean;
  #begun = 0;
  #count = 0;
  #bytes = 0;
  #onQuiet: (() => void) | undefined;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#state = beginRecorder(newId(), parts.ledger.tipSeq);
    this.#isLoaded = parts.ledger.tipSeq === 0;
  }

  /** True when another attempt has the task (R3). */
  get isStale(): boolean {
    return this.#state.phase === "stale";
  }

  /**
   * Performs a step, or returns its recorded result, or throws its recorded error.
   * @throws SwarmError the step's own; `internal`, not retryable, for a step too many and for a result that is no plain data;
   *   `payload_too_large` for results over the limit of a task; {@link StepWait} (R2); `unavailable` when the record's fate is unknown.
   */
  async perform(
    name: string,
    { once }: { once: boolean },
    work: (step: StepFacts) => unknown,
  ): Promise<unknown> {
    this.#begun++;
    if (!this.#isLoaded) await this.#loadOnce();
    const { phase } = this.#state;
    if (phase !== "open") throw errorOfPhase(phase);
    const known = this.#known.get(name);
    if (known !== undefined) return this.#replay(name, known);
    if (this.#count >= MAX_STEPS) {
      throw new TerminalError(`a task has at most ${MAX_STEPS} recorded steps; split the task`, {
        code: "internal",
        field: "step",
      });
    }
    if (this.#bytes >= STEPS_LIMIT_BYTES) throw tooLarge(name, 0, this.#bytes);
    this.#count++;
    if (once) await this.#recordBegin(name);
    const startedMs = this.#parts.clock.now();
    const step = { name, effectKey: stepEffectKey(this.#parts.attempt.key, name) };
    let output: unknown;
    try {
      output = await work(step);
      checkResult(name, output, this.#parts.encoding);
    } catch (thrown) {
      return this.#fail(name, once, thrown, startedMs);
    }
    return this.#end(name, once, output, startedMs);
  }

  /** Records nothing more, and resolves when no append is in flight (R4). @throws SwarmError `unavailable`; `stale_attempt`. */
  async close(): Promise<void> {
    this.#apply({ type: "close" });
    if (this.#state.flight !== null) {
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
      });
    }
    const { phase } = this.#state;
    if (phase === "stale" || phase === "lost") throw errorOfPhase(phase);
  }

  /**
   * The steps that the next attempt runs again after this attempt failed with `error`: those whose retryable error is `error`, or a
   * cause of it; and, when there is one, those whose retryable error came after the last step had begun, as in parallel steps.
   */
  reopenedBy(error: SwarmError): string[] {
    if (!error.retryable) return [];
    const failures = [...this.#failures].filter(([, { retryable }]) => retryable);
    const causes = causesOf(error);
    if (!failures.some(([, { thrown }]) => causes.has(thrown))) return [];
    return failures
      .filter(([, { thrown, begun }]) => causes.has(thrown) || begun === this.#begun)
      .map(([name]) => name)
      .slice(0, MAX_REOPENED);
  }

  #loadOnce(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<void> {
    const { ledger } = this.#parts;
    const { tipSeq } = ledger;
    const records = await ledger.records();
    if ((records.at(-1)?.seq ?? 0) < tipSeq) {
      throw new SwarmError(
        "unavailable",
        `the recorded steps cannot be read: expected the journal up to record ${tipSeq}, got it up to ${records.at(-1)?.seq ?? 0}; the attempt will be retried`,
      ); // R5
    }
    const fold = new StepsFold({ keepsOutputs: true });
    for (const { record } of records) fold.add(record);
    this.#known = fold.steps;
    this.#count = fold.steps.size;
    this.#bytes = fold.bytes;
    this.#isLoaded = true;
  }

  async #replay(name: string, known: KnownStep): Promise<unknown> {
    if (known.state === "began") throw new StepWait(name); // R2
    this.#parts.meter.steps.inc({ outcome: "replayed" });
    if (known.state === "done") return known.blob === undefined ? known.output : this.#readBlob(known.blob);
    const error = fromWire(known.error ?? { code: "internal", message: "a step failed without a reason" });
    const { retryable } = error;
    await Promise.resolve(); // the code asks for parallel steps in one turn
    this.#failures.set(name, { thrown: error, retryable, begun: this.#begun });
    throw error;
  }

  async #readBlob(ref: NonNullable<KnownStep["blob"]>): Promise<unknown> {
    return decode(await this.#parts.blobs.get(ref), CONTENT_TYPES[this.#parts.encoding]).value;
  }

  async #recordBegin(name: string): Promise<void> {
    await this.#record({ step: name, state: "began", at: this.#isoNow() }, 0);
  }

  async #end(name: string, once: boolean, output: unknown, startedMs: number): Promise<unknown> {
    const facts = { step: name, state: "done", at: this.#isoNow(), ms: this.#msSince(startedMs) } as const;
    if (output === undefined) {
      await this.#record({ ...facts, bytes: 0 }, 0);
    } else {
      const encoded = encode(output, this.#parts.encoding);
      const bytes = encoded.length;
      if (this.#bytes + bytes > STEPS_LIMIT_BYTES) {
        return this.#fail(name, once, tooLarge(name, bytes, this.#bytes), startedMs);
      }
      this.#bytes += bytes;
      if (bytes > INLINE_LIMIT_BYTES) {
        const blob = await this.#parts.blobs.put(encoded);
        await this.#record({ ...facts, bytes, blob }, 0);
      } else await this.#record({ ...facts, bytes, output }, bytes);
    }
    this.#parts.meter.steps.inc({ outcome: "done" });
    return output;
  }

  async #fail(name: string, once: boolean, thrown: unknown, startedMs: number): Promise<never> {
    // The code of an aborted attempt fails because of the abort, and a hand-off is no failure.
    if (thrown instanceof HandOff || thrown instanceof StepWait || this.#parts.isAborted()) throw thrown;
    const error = once ? withoutRetry(name, thrown) : thrown;
    const { retryable } = toSwarmError(error);
    this.#failures.set(name, { thrown: error, retryable, begun: this.#begun });
    const shown = this.#parts.wireError(toSwarmError(error));
    const bytes = Buffer.byteLength(shown.message);
    this.#bytes += bytes;
    const facts = { at: this.#isoNow(), ms: this.#msSince(startedMs), bytes, error: shown };
    await this.#record({ step: name, state: "failed", ...facts }, bytes);
    this.#parts.meter.steps.inc({ outcome: "failed" });
    throw error;
  }

  #record(entry: StepEntry, inlineBytes: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.set(entry, { resolve, reject });
    this.#apply({ type: "entry", queued: { entry, inlineBytes } });
    return promise;
  }

  #apply(input: RecorderInput): void {
    const [state, effects] = this.decide(this.#state, input);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    if (state.flight === null) this.#onQuiet?.();
  }

  #perform(effect: RecorderEffect): void {
    switch (effect.type) {
      case "append":
        void this.#append(effect);
        return;
      case "read":
        void this.#read(effect.tries);
        return;
      case "recorded":
        this.#settle(effect.entries, ({ resolve }) => resolve());
        return;
      case "dropped": {
        const error = errorOfPhase(effect.why);
        this.#settle(effect.entries, ({ reject }) => reject(error));
        return;
      }
      case "stale":
        this.#parts.meter.fencedWrites.inc({ kind: "journal" });
        this.#parts.onStale();
        return;
      default:
        effect satisfies never;
    }
  }

  async #append({ batch, tries }: Extract<RecorderEffect, { type: "append" }>): Promise<void> {
    const { ledger, attempt, meter } = this.#parts;
    if (tries > 1) await this.#pause(tries);
    const open = new Set(this.#open);
    for (const { entry } of batch.entries) {
      if (entry.state === "began") open.add(entry.step);
      else open.delete(entry.step);
    }
    const record: StepsRecord = {
      type: "steps",
      attempt: attempt.number,
      agent: attempt.agentId,
      at: this.#isoNow(),
      run: this.#state.run,
      batch: batch.number,
      steps: batch.entries.map(({ entry }) => entry),
      ...(open.size === 0 ? {} : { open: [...open] }),
    };
    try {
      await ledger.append(record);
    } catch (error) {
      this.#apply({ type: toSwarmError(error).code === "conflict" ? "refused" : "unknown" });
      return;
    }
    meter.stepRecords.inc();
    this.#open = open;
    this.#apply({ type: "stored", seq: ledger.tipSeq });
  }

  async #read(tries: number): Promise<void> {
    if (tries > 1) await this.#pause(tries);
    const { run } = this.#state;
    try {
      const tip = await this.#parts.ledger.readTip((found) => found.run === run || found.isEarlier === true);
      this.#apply({ type: "tip", tip });
    } catch {
      this.#apply({ type: "unreadable" });
    }
  }

  #pause(tries: number): Promise<void> {
    const { clock, chance } = this.#parts;
    return sleep(backoffDelayMs(RECORD_BACKOFF, tries - 1, chance), { clock });
  }

  #settle(
    entries: readonly QueuedEntry[],
    settle: (waiter: { resolve(): void; reject(error: SwarmError): void }) => void,
  ): void {
    for (const { entry } of entries) {
      const waiter = this.#waiters.get(entry);
      this.#waiters.delete(entry);
      if (waiter !== undefined) settle(waiter);
    }
  }

  #msSince(startedMs: number): number {
    return Math.max(0, this.#parts.clock.now() - startedMs);
  }

  #isoNow(): string {
    return toIsoTime(this.#parts.clock.now());
  }
}

/** The error of a step that can no longer be recorded, by the phase of the recorder. */
function errorOfPhase(phase: "closing" | "stale" | "lost"): SwarmError {
  switch (phase) {
    case "stale":
      return new SwarmError(
        "stale_attempt",
        "another attempt has the task; this attempt records and stores nothing more",
      );
    case "lost":
      return new SwarmError(
        "unavailable",
        "it is unknown whether the last record of steps is stored; the task will be redelivered",
      );
    case "closing":
      return new SwarmError(
        "stale_attempt",
        "the attempt has ended, so this step is not recorded; await every step",
      );
    default:
      return phase satisfies never;
  }
}

/** The error of a step with `once`: its effect may have happened, so it is retried only when its code says so. */
function withoutRetry(name: string, thrown: unknown): SwarmError {
  const error = toSwarmError(thrown);
  const asksForRetry = thrown instanceof Error && thrown.name === "RetryableError";
  if (asksForRetry || !error.retryable) return error;
  const message = `the step ${showValue(name)} failed, and its effect may have happened: ${error.message}`;
  return new TerminalError(message, { code: error.code, field: error.field, cause: thrown });
}

function tooLarge(name: string, bytes: number, recorded: number): SwarmError {
  return new TerminalError(
    `step ${showValue(name)}: the recorded results of a task have at most ${STEPS_LIMIT_BYTES} bytes, got ${recorded} and ${bytes} more; store large data elsewhere and return a reference to it`,
    { code: "payload_too_large", field: "step" },
  );
}

/** @throws SwarmError `internal`, not retryable: a later attempt would get another result than this one. */
function checkResult(name: string, output: unknown, encoding: Encoding): void {
  try {
    checkPlainData(output, "result", encoding, STEP_RESULT_DEPTH);
  } catch (error) {
    const { message, field } = toSwarmError(error);
    const advice = "return plain data: objects, arrays, strings, finite numbers, booleans and null";
    throw new TerminalError(`step ${showValue(name)}: ${message}; ${advice}`, { code: "internal", field });
  }
}

/** The error and its causes. */
function causesOf(error: unknown): Set<unknown> {
  const causes = new Set<unknown>();
  for (let each = error; causes.size < MAX_CAUSES && each instanceof Error; each = each.cause)
    causes.add(each);
  return causes;
}
