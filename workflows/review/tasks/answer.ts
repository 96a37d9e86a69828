// Reads the outputs of analysers. The cache, the coverage and the merge of one review ask for the same output, and a schema takes longer
// than all of their own work on it: so each output is parsed once.
import type { z } from "zod";
import { lintOutputSchema, reviewOutputSchema } from "../../../agents/lib/review/index.ts";

/** The answer of an analyser that does not vote: it has no places that a ballot could leave uncounted. */
const ownOutputSchema = reviewOutputSchema.transform((output) => ({ ...output, uncounted: [] as string[] }));

type Parsed = z.ZodSafeParseResult<z.output<typeof ownOutputSchema>>;

const VOTES = new WeakMap<object, Parsed>();
const OTHERS = new WeakMap<object, Parsed>();

/** Parses the output of a linter (`isVote`) or of another analyser. */
export function readAnswer(output: unknown, isVote: boolean): Parsed {
  const schema = isVote ? lintOutputSchema : ownOutputSchema;
  if (typeof output !== "object" || output === null) return schema.safeParse(output);
  const kept = isVote ? VOTES : OTHERS;
  const known = kept.get(output);
  if (known !== undefined) return known;
  const parsed = schema.safeParse(output);
  kept.set(output, parsed);
  return parsed;
}
