// The invariants of recorded steps, checked against the journal of the server and the outside world. It shares no code with the fold.
//
// S1: a step that was recorded before an attempt started never runs in it; nor does a failed step whose error the code caught, once
//     a later step was recorded.
// S2: a step returns only the result that the journal has.
// S3: each end of a step is recorded once.
// S4: each effect key is the same in every attempt.
// S5: a stale attempt stores no result, and a result has only recorded values.
// S6: a step with `once` begins again only after a person said that it did nothing, or after its code asked for a retry.
// S7: a record stays below the limits of the stream.
import type { JournalRecord, StepEntry } from "../../../src/protocol/index.ts";
import { RECORD_ENTRIES } from "../../../src/work/steps/decide.ts";
import type { Phase } from "./program.ts";

/** A broken invariant. */
export class Violation extends Error {}

/** The most bytes of a record: one result below the limit of a blob, and the other fields of its entries. */
const RECORD_LIMIT_BYTES = 700_000;

interface Recorded {
  readonly seq: number;
  readonly entry: Pick<StepEntry, "state" | "output" | "blob" | "error">;
}

/** Watches one task. */
export class Oracle {
  readonly #phaseOf = new Map<string, number>();
  readonly #kindOf = new Map<string, Phase["kind"]>();
  readonly #ends = new Map<string, Recorded>();
  /** All recorded ends of each step: the answer of an append may come late. */
  readonly #entries = new Map<string, Recorded["entry"][]>();
  readonly #seen = new Set<string>();
  readonly #keys = new Map<string, string>();
  readonly #runs = new Map<string, number>();
  readonly #allowances = new Map<string, number>();
  /** The first record of a step of each phase. */
  readonly #phaseSeqs = new Map<number, number>();

  constructor(program: readonly Phase[]) {
    program.forEach(({ names, kind }, index) => {
      for (const name of names) {
        this.#phaseOf.set(name, index);
        this.#kindOf.set(name, kind);
      }
    });
  }

  runs(step: string): number {
    return this.#runs.get(step) ?? 0;
  }

  /** The server stored a record. */
  stored(record: JournalRecord, seq: number): void {
    if (record.type === "settled" && !record.isDone) this.#allow(record.step);
    if (record.type === "settled" && record.isDone) {
      this.#keep(record.step, { seq, entry: { state: "done", output: record.output } });
    }
    if (record.type === "failed") for (const step of record.reopened ?? []) this.#allow(step);
    if (record.type !== "steps") return;
    const bytes = JSON.stringify(record).length;
    if (record.steps.length > RECORD_ENTRIES || bytes > RECORD_LIMIT_BYTES)
      throw new Violation(`S7: a record has ${record.steps.length} entries and ${bytes} bytes`);
    for (const entry of record.steps) this.#recorded(entry, seq, record.run);
  }

  /** An attempt runs the code of a step. `startSeq`: the record that started the attempt; 0 without one. */
  ran(step: string, effectKey: string, startSeq: number): void {
    const runs = this.runs(step) + 1;
    this.#runs.set(step, runs);
    const end = this.#ends.get(step);
    if (end !== undefined && end.seq < startSeq && this.#isFinal(step, end, startSeq))
      throw new Violation(
        `S1: ${step} ran again in the attempt of record ${startSeq}, after record ${end.seq}`,
      );
    const key = this.#keys.get(step) ?? effectKey;
    this.#keys.set(step, key);
    if (key !== effectKey) throw new Violation(`S4: ${step} got the effect keys ${key} and ${effectKey}`);
    const isOnce = this.#kindOf.get(step) === "once" || this.#kindOf.get(step) === "flaky once";
    const allowed = 1 + (this.#allowances.get(step) ?? 0);
    if (isOnce && runs > allowed) throw new Violation(`S6: ${step} ran ${runs} times, allowed: ${allowed}`);
  }

  /** A step returned, or threw, in an attempt. */
  returned(step: string, value: { output: unknown } | { message: string }): void {
    const isSame = (this.#entries.get(step) ?? []).some((entry) =>
      "output" in value
        ? entry.state === "done" && (entry.blob !== undefined || entry.output === value.output)
        : entry.state === "failed" && entry.error?.message === value.message,
    );
    if (!isSame) throw new Violation(`S2: ${step} returned a value that the journal does not have`);
  }

  /** An attempt stores its result. */
  finished(outputs: ReadonlyMap<string, { output: unknown } | { message: string }>, isStale: boolean): void {
    if (isStale) throw new Violation("S5: a stale attempt stored a result");
    for (const [step, value] of outputs) this.returned(step, value);
  }

  #recorded(entry: StepEntry, seq: number, run: string): void {
    const { step, state } = entry;
    const key = `${run} ${step} ${state}`;
    if (this.#seen.has(key)) throw new Violation(`S3: ${step} ${state} was recorded twice by one attempt`);
    this.#seen.add(key);
    const phase = this.#phaseOf.get(step) ?? -1;
    if (!this.#phaseSeqs.has(phase)) this.#phaseSeqs.set(phase, seq);
    if (state === "began") return;
    if (this.#ends.get(step)?.entry.state === "done")
      throw new Violation(`S3: ${step} was recorded again after it was done`);
    this.#keep(step, { seq, entry });
  }

  #keep(step: string, recorded: Recorded): void {
    this.#ends.set(step, recorded);
    this.#entries.set(step, [...(this.#entries.get(step) ?? []), recorded.entry]);
  }

  #isFinal(step: string, { entry }: Recorded, startSeq: number): boolean {
    if (entry.state === "done") return true;
    if (this.#kindOf.get(step) !== "caught") return false;
    const phase = this.#phaseOf.get(step) ?? -1;
    return [...this.#phaseSeqs].some(([other, seq]) => other > phase && seq < startSeq);
  }

  #allow(step: string): void {
    this.#allowances.set(step, (this.#allowances.get(step) ?? 0) + 1);
  }
}
