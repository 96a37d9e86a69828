// Tells in which language a text is written, each classifier by another feature of it: so they err on different texts, and
// a ballot among them is worth more than one of them. Without any model; a whole sentence is needed to be right mostly.
import { type AgentDefinition, defineAgent, TerminalError } from "murmur";
import { z } from "zod";
import { type Language, SAMPLES } from "./samples.ts";

/** The longest text that is looked at; more of it tells nothing new. */
const MAX_TEXT_LENGTH = 20_000;

const wordsOf = (text: string): string[] => text.toLowerCase().match(/\p{L}+/gu) ?? [];
/** Runs of `length` characters of each word, the gaps around it included. */
const runsOf = (length: number) => (text: string) =>
  wordsOf(text).flatMap((word) => {
    const padded = ` ${word} `;
    return Array.from({ length: Math.max(0, padded.length - length + 1) }, (_, at) =>
      padded.slice(at, at + length),
    );
  });

/** What each kind of classifier looks at. */
const FEATURES = {
  words: wordsOf,
  letters: (text: string) => wordsOf(text).flatMap((word) => [...word]),
  pairs: runsOf(2),
  triples: runsOf(3),
  endings: (text: string) => wordsOf(text).map((word) => word.slice(-2)),
} as const satisfies Record<string, (text: string) => string[]>;

/** A kind of classifier. */
export type Feature = keyof typeof FEATURES;

/** Counted for a feature that a sample lacks, so that one unknown word does not rule its language out (Lidstone). */
const UNSEEN = 0.3;

/** The language that most likely wrote these features (multinomial naive Bayes, equal priors); null when no sample knows any. */
export function classify(text: string, feature: Feature): Language | null {
  const found = FEATURES[feature](text);
  if (!found.some((one) => VOCABULARY[feature].has(one))) return null;
  const likelihoods = PROFILES[feature].map(({ language, counts, total }) => {
    const most = total + UNSEEN * VOCABULARY[feature].size;
    return {
      language,
      log: found.reduce((sum, one) => sum + Math.log(((counts.get(one) ?? 0) + UNSEEN) / most), 0),
    };
  });
  return likelihoods.reduce((best, other) => (other.log > best.log ? other : best)).language;
}

interface Profile {
  language: Language;
  counts: ReadonlyMap<string, number>;
  total: number;
}

const PROFILES = mapFeatures((look) =>
  Object.entries(SAMPLES).map(([language, text]): Profile => {
    const features = look(text);
    return { language: language as Language, counts: countOf(features), total: features.length };
  }),
);
const VOCABULARY = mapFeatures((look) => new Set(Object.values(SAMPLES).flatMap(look)));

/** An agent `classify-<feature>` for tasks with input `{ text }`. */
export function defineClassifier(feature: Feature): AgentDefinition {
  return defineAgent({
    name: `classify-${feature}`,
    description: `Tells the language of a text by its ${feature}.`,
    capabilities: ["classify"],
    model: feature,
    input: z.strictObject({ text: z.string().min(1).max(MAX_TEXT_LENGTH) }),
    run({ input }) {
      const label = classify(input.text, feature);
      if (label !== null) return { label };
      throw new TerminalError(`the ${feature} of this text tell nothing of its language`, {
        code: "invalid_input",
        field: "input.text",
      });
    },
  });
}

function countOf(features: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const feature of features) counts.set(feature, (counts.get(feature) ?? 0) + 1);
  return counts;
}

function mapFeatures<T>(make: (look: (text: string) => string[]) => T): Record<Feature, T> {
  const entries = Object.entries(FEATURES).map(([feature, look]) => [feature, make(look)]);
  return Object.fromEntries(entries) as Record<Feature, T>;
}
