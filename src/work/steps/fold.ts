// The recorded steps of one task, computed from its journal records. Pure. recorder.ts replays from it, history.ts lists it.
// F1: the last entry of a step counts. A failed attempt reopens the steps that it failed with, and a person may tell that a step
//     did nothing: both remove the step, so that the next attempt runs it.
import type { JournalRecord, StepEntry, StepLine } from "../../protocol/index.ts";

/** A recorded step. `began`: no record tells how it ended. */
export interface KnownStep extends Omit<StepEntry, "step"> {
  readonly attempt: number;
  readonly agent: string;
  readonly settledBy?: string | undefined;
}

/** Folds the journal records of one task, in their order, into its steps. */
export class StepsFold {
  readonly #steps = new Map<string, KnownStep>();
  readonly #keepsOutputs: boolean;
  /** The bytes of all recorded results. */
  bytes = 0;

  /** @param options.keepsOutputs false: the results are left out, for lists. */
  constructor({ keepsOutputs }: { keepsOutputs: boolean }) {
    this.#keepsOutputs = keepsOutputs;
  }

  /** The steps by name, in the order of their last records. */
  get steps(): ReadonlyMap<string, KnownStep> {
    return this.#steps;
  }

  /** The steps with `once` that began and never ended. */
  get open(): string[] {
    return [...this.#steps].filter(([, { state }]) => state === "began").map(([step]) => step);
  }

  add(record: JournalRecord): void {
    switch (record.type) {
      case "steps": {
        const { attempt, agent } = record;
        for (const { step, ...entry } of record.steps) this.#set(step, { ...entry, attempt, agent });
        return;
      }
      case "settled": {
        const { step, isDone, attempt, agent, at, by: settledBy, bytes, output, blob } = record;
        if (isDone) this.#set(step, { state: "done", attempt, agent, at, settledBy, bytes, output, blob });
        else this.#remove(step);
        return;
      }
      case "failed":
        for (const step of record.reopened ?? []) this.#remove(step);
        return;
      case "finished":
        this.#steps.clear();
        this.bytes = 0;
        return;
      case "started":
      case "returned":
      case "handed":
      case "waiting":
        return;
      default:
        record satisfies never;
    }
  }

  /** The steps as `task show` lists them. */
  lines(): StepLine[] {
    return [...this.#steps].map(
      ([step, { output: _, blob: __, ...facts }]): StepLine => ({ step, ...facts }),
    );
  }

  #set(step: string, known: KnownStep): void {
    this.#remove(step);
    this.bytes += known.bytes ?? 0;
    this.#steps.set(step, this.#keepsOutputs ? known : { ...known, output: undefined, blob: undefined });
  }

  #remove(step: string): void {
    this.bytes -= this.#steps.get(step)?.bytes ?? 0;
    this.#steps.delete(step);
  }
}
