// Deliberate bugs in the steps. Each is one mistake that an engineer could make in the decider, the recorder or the host. The
// simulation must notice every one; otherwise its silence about the real code proves nothing.
import type { SwarmError } from "../../../src/protocol/index.ts";
import type { decideRecord } from "../../../src/work/steps/decide.ts";
import { StepRecorder } from "../../../src/work/steps/recorder.ts";
import type { Bends } from "./world.ts";

type Decide = typeof decideRecord;

/** A bug. `decide` bends the decider. */
export interface Mutant {
  readonly name: string;
  readonly bends?: Bends;
  readonly decide?: (real: Decide) => Decide;
}

/** Reopens each step that failed with a retryable error, as if its code had never caught one. */
class ReopeningRecorder extends StepRecorder {
  readonly #failed = new Set<string>();

  override async perform(...args: Parameters<StepRecorder["perform"]>): Promise<unknown> {
    try {
      return await super.perform(...args);
    } catch (error) {
      this.#failed.add(args[0]);
      throw error;
    }
  }

  override reopenedBy(error: SwarmError): string[] {
    return error.retryable ? [...this.#failed] : [];
  }
}

export const MUTANTS: readonly Mutant[] = [
  { name: "forgets the tip", bends: { isUnfenced: true } },
  {
    name: "repeats an unknown append as a new one",
    decide: (real) => (state, input) => {
      if (input.type !== "unknown" || state.flight === null) return real(state, input);
      const number = state.batches + 1;
      return real({ ...state, batches: number, flight: { ...state.flight, number } }, input);
    },
  },
  {
    name: "ignores a refusal",
    decide: (real) => (state, input) =>
      real(state, input.type === "refused" ? { type: "stored", seq: state.tipSeq + 1 } : input),
  },
  {
    name: "takes an unknown append for stored",
    decide: (real) => (state, input) =>
      real(state, input.type === "unknown" ? { type: "stored", seq: state.tipSeq + 1 } : input),
  },
  {
    name: "takes another attempt's record for its own",
    decide: (real) => (state, input) => {
      if (input.type !== "tip" || input.tip === null || state.flight === null) return real(state, input);
      return real(state, { ...input, tip: { ...input.tip, run: state.run, batch: state.flight.number } });
    },
  },
  {
    name: "returns a step before its record",
    decide: (real) => (state, input) => {
      const [next, effects] = real(state, input);
      if (input.type !== "entry" || next.phase !== "open") return [next, effects];
      return [next, [...effects, { type: "recorded", entries: [input.queued] }]];
    },
  },
  { name: "reopens caught errors", bends: { recorder: ReopeningRecorder } },
  {
    name: "runs a step with once again",
    bends: {
      waitingSteps: () => null,
      records: (records) =>
        records.map((record) =>
          record.type === "steps"
            ? { ...record, steps: record.steps.filter(({ state }) => state !== "began") }
            : record,
        ),
    },
  },
  { name: "forgets the records of earlier attempts", bends: { records: () => [] } },
  {
    name: "counts the attempt in the effect key",
    bends: { effectKey: (key, attempt) => `${key}.${attempt}` },
  },
  { name: "stores the result of a stale attempt", bends: { ignoresClose: true } },
];
