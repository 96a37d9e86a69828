// Decides how the steps of one attempt enter the journal: which entries an append takes, and what follows from its answer. Pure.
// recorder.ts performs the effects; time is not needed, because the recorder waits before it repeats an effect.
//
// D1: one append is in flight at a time. It expects the journal's tip, and takes all entries that came before it; entries that come
//     meanwhile go into the next one.
// D2: an append whose fate is unknown is repeated unchanged until the server stores or refuses it.
// D3: after a refusal the tip decides. A tip with this attempt's run and the batch in flight means that the batch is stored. A tip
//     with an earlier batch of this run, or the tip that this attempt knew, means that it is not: the append is repeated. Any other
//     tip means that this attempt is stale: it records nothing more.
// D4: the record that closed the journal of an earlier task with the same id is no other attempt. Only an attempt that knows no
//     record can meet it.
import type { StepEntry } from "../../protocol/index.ts";

/** The most bytes of the results in one record: with its other fields a message stays below the stream's limit. */
export const RECORD_BYTES = 384 * 1024;
/** The most entries of one record: each has up to some KiB besides its result. */
export const RECORD_ENTRIES = 200;
/** The most tries of one append or read, about a minute in all; then JetStream redelivers the task. */
export const RECORD_TRIES = 15;

/** An entry that waits for its record. */
export interface QueuedEntry {
  readonly entry: StepEntry;
  /** The bytes of its result in the record; a blob counts with its reference. */
  readonly inlineBytes: number;
}

/** A batch of entries: one record. */
export interface Batch {
  readonly number: number;
  readonly entries: readonly QueuedEntry[];
}

/** The steps of an attempt on their way into the journal. */
export interface RecorderState {
  /** Names the attempt on this host. */
  readonly run: string;
  /** The sequence of the journal's last record, as far as this attempt knows. */
  readonly tipSeq: number;
  readonly queue: readonly QueuedEntry[];
  readonly flight: Batch | null;
  /** The number of the last batch. */
  readonly batches: number;
  /** The tries of the append or the read in flight. */
  readonly tries: number;
  /**
   * `closing`: the attempt has ended, so no entry is added. `stale`: another attempt has the task. `lost`: the fate of a record is
   * unknown.
   */
  readonly phase: "open" | "closing" | "stale" | "lost";
}

/** The journal's last record as a read of the stream's leader found it. `isEarlier`: it closed an earlier task of the same id (D4). */
export interface FoundTip {
  readonly seq: number;
  readonly run?: string | undefined;
  readonly batch?: number | undefined;
  readonly isEarlier?: boolean | undefined;
}

export type RecorderInput =
  | { type: "entry"; queued: QueuedEntry }
  | { type: "stored"; seq: number }
  | { type: "refused" }
  | { type: "unknown" }
  | { type: "tip"; tip: FoundTip | null }
  | { type: "unreadable" }
  | { type: "close" };

/**
 * The effects. `append` and `read` have the number of the try: the recorder waits before a repeated one. `recorded`: these entries
 * are durable. `dropped`: they never will be.
 */
export type RecorderEffect =
  | { type: "append"; batch: Batch; expectedSeq: number; tries: number }
  | { type: "read"; tries: number }
  | { type: "recorded"; entries: readonly QueuedEntry[] }
  | { type: "dropped"; entries: readonly QueuedEntry[]; why: "closing" | "stale" | "lost" }
  | { type: "stale" };

/** The state of an attempt that starts with this tip. */
export function beginRecorder(run: string, tipSeq: number): RecorderState {
  return { run, tipSeq, queue: [], flight: null, batches: 0, tries: 0, phase: "open" };
}

/** Decides about one input. */
export function decideRecord(
  state: RecorderState,
  input: RecorderInput,
): [RecorderState, readonly RecorderEffect[]] {
  switch (input.type) {
    case "entry": {
      if (state.phase !== "open") {
        return [state, [{ type: "dropped", entries: [input.queued], why: state.phase }]];
      }
      return next({ ...state, queue: [...state.queue, input.queued] }, []);
    }
    case "stored":
      return stored(state, input.seq);
    case "refused":
      return state.flight === null ? [state, []] : [state, [{ type: "read", tries: state.tries }]];
    case "unknown":
      return again(state);
    case "tip":
      return state.flight === null ? [state, []] : afterRead(state, state.flight, input.tip);
    case "unreadable": {
      if (state.flight === null) return [state, []];
      if (state.tries >= RECORD_TRIES) return end(state, "lost");
      const tries = state.tries + 1;
      return [{ ...state, tries }, [{ type: "read", tries }]];
    }
    case "close":
      if (state.phase !== "open") return [state, []];
      return [{ ...state, phase: "closing", queue: [] }, drop(state.queue, "closing")];
    default:
      return input satisfies never;
  }
}

/** Starts the next append when none is in flight (D1). */
function next(state: RecorderState, effects: readonly RecorderEffect[]): ReturnType<typeof decideRecord> {
  if (state.flight !== null || state.queue.length === 0) return [state, effects];
  let count = 0;
  let bytes = 0;
  for (const { inlineBytes } of state.queue) {
    if (count > 0 && (count >= RECORD_ENTRIES || bytes + inlineBytes > RECORD_BYTES)) break;
    bytes += inlineBytes;
    count++;
  }
  const flight = { number: state.batches + 1, entries: state.queue.slice(0, count) };
  const append: RecorderEffect = { type: "append", batch: flight, expectedSeq: state.tipSeq, tries: 1 };
  const after = { ...state, flight, batches: flight.number, queue: state.queue.slice(count), tries: 1 };
  return [after, [...effects, append]];
}

function stored(state: RecorderState, seq: number): ReturnType<typeof decideRecord> {
  const { flight } = state;
  if (flight === null) return [state, []];
  const recorded: RecorderEffect = { type: "recorded", entries: flight.entries };
  return next({ ...state, tipSeq: seq, flight: null, tries: 0 }, [recorded]);
}

/** Repeats the append unchanged (D2). */
function again(state: RecorderState): ReturnType<typeof decideRecord> {
  const { flight, tipSeq } = state;
  if (flight === null) return [state, []];
  if (state.tries >= RECORD_TRIES) return end(state, "lost");
  const tries = state.tries + 1;
  return [{ ...state, tries }, [{ type: "append", batch: flight, expectedSeq: tipSeq, tries }]];
}

/** Decides after a refusal, by the tip (D3, D4). */
function afterRead(
  state: RecorderState,
  flight: Batch,
  tip: FoundTip | null,
): ReturnType<typeof decideRecord> {
  if (tip === null) return state.tipSeq === 0 ? again(state) : end(state, "stale");
  if (tip.run === state.run) {
    if (tip.batch === flight.number) return stored(state, tip.seq);
    return again({ ...state, tipSeq: tip.seq });
  }
  // A leader that was cut off answers with an old tip.
  if (tip.seq <= state.tipSeq) return again(state);
  if (tip.isEarlier === true && state.tipSeq === 0) return again({ ...state, tipSeq: tip.seq });
  return end(state, "stale");
}

function end(state: RecorderState, phase: "stale" | "lost"): ReturnType<typeof decideRecord> {
  const entries = [...(state.flight?.entries ?? []), ...state.queue];
  const told: RecorderEffect[] = phase === "stale" ? [{ type: "stale" }] : [];
  return [{ ...state, phase, flight: null, queue: [] }, [...told, ...drop(entries, phase)]];
}

function drop(entries: readonly QueuedEntry[], why: "closing" | "stale" | "lost"): RecorderEffect[] {
  return entries.length === 0 ? [] : [{ type: "dropped", entries, why }];
}
