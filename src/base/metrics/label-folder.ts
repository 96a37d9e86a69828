// The known values of each label, for the metrics of one process (M1 of ../meter.ts).

/** The value of a label for everything beyond its bound (M1). */
export const OTHER = "other";
/** The most values of one label, by label: capabilities and groups come from the users of a swarm, and a swarm has at most some hundred. */
const MAX_LABEL_VALUES: Readonly<Record<string, number>> = { capability: 256, group: 256, workflow: 256 };
/** The most values of every other label: roles of one process, classes, routes, codes. The code itself makes fewer than 40. */
const MAX_OTHER_VALUES = 64;
/** The most characters of a value: a token of a subject has at most as many. */
const MAX_LABEL_LENGTH = 64;

/** The values of some of a metric's labels. */
export type LabelValues = Readonly<Partial<Record<string, string | number>>>;

/** Replaces values beyond a label's bound by {@link OTHER}. */
export class LabelFolder {
  readonly #known = new Map<string, Set<string>>();
  onFold: (label: string) => void = () => undefined;

  /** The labels as they are counted: the same object, unless a value is beyond its bound. */
  fold(labels: LabelValues): LabelValues {
    let folded: Record<string, string | number | undefined> | undefined;
    for (const label in labels) {
      if (this.#isKnown(label, String(labels[label]))) continue;
      folded ??= { ...labels };
      folded[label] = OTHER;
      this.onFold(label);
    }
    return folded ?? labels;
  }

  #isKnown(label: string, value: string): boolean {
    if (value === OTHER) return true; // labels that were folded before
    let known = this.#known.get(label);
    if (known === undefined) {
      known = new Set();
      this.#known.set(label, known);
    }
    if (known.has(value)) return true;
    if (value.length > MAX_LABEL_LENGTH || known.size >= (MAX_LABEL_VALUES[label] ?? MAX_OTHER_VALUES))
      return false;
    known.add(value);
    return true;
  }
}
