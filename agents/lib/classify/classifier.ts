// Finds the language of a text. Each classifier uses another feature of the text, so they are wrong about different texts, and
// a ballot among them is more reliable than one of them. They use no model, and need a whole sentence to be mostly right.
import { type AgentDefinition, defineAgent, TerminalError } from "murmur-swarm";
import { z } from "zod";
import { type Language, SAMPLES } from "./samples.ts";

/** The longest text, in characters; a longer text would not change the result. */
const MAX_TEXT_LENGTH = 20_000;

const wordsOf = (text: string): string[] => text.toLowerCase().match(/\p{L}+/gu) ?? [];
/** Returns a function that lists the runs of `length` characters of each word, including the gaps around the word. */
const runsOf = (length: number) => (text: string) =>
  wordsOf(text).flatMap((word) => {
    const padded = ` ${word} `;
    return Array.from({ length: Math.max(0, padded.length - length + 1) }, (_, at) =>
      padded.slice(at, at + length),
    );
  });

/** The features of a text, one for each kind of classifier. */
const FEATURES = {
  words: wordsOf,
  letters: (text: string) => wordsOf(text).flatMap((word) => [...word]),
  pairs: runsOf(2),
  triples: runsOf(3),
  endings: (text: string) => wordsOf(text).map((word) => word.slice(-2)),
} as const satisfies Record<string, (text: string) => string[]>;

/** A kind of classifier. */
export type Feature = keyof typeof FEATURES;

/** The count of a feature that a sample lacks, so that one unknown word does not exclude a language (Lidstone smoothing). */
const UNSEEN = 0.3;

/** Returns the most likely language (multinomial naive Bayes, equal priors); null when no sample has any of the features. */
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

/** Defines the agent `classify-<feature>`, for tasks with the input `{ text }`. */
export function defineClassifier(feature: Feature): AgentDefinition {
  return defineAgent({
    name: `classify-${feature}`,
    description: `Finds the language of a text by its ${feature}.`,
    capabilities: ["classify"],
    model: feature,
    input: z.strictObject({ text: z.string().min(1).max(MAX_TEXT_LENGTH) }),
    run({ input }) {
      const label = classify(input.text, feature);
      if (label !== null) return { label };
      throw new TerminalError(`no sample has any of the ${feature} of this text; use a longer text`, {
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
