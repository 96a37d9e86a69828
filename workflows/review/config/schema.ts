// The schema of murmur-review.yaml. Pure. It is data: it can only narrow or re-rank a review, never run anything or widen its
// limits. Leaves the file, and the lines of its errors, to read.ts. docs/schemas/murmur-review.json is made from this file.
import { z } from "zod";
import { MAX_FILE_BYTES, MAX_FILES, SEVERITIES } from "../../../agents/lib/review/index.ts";
import { MAX_PATTERN_CHARACTERS } from "../patterns/index.ts";

/** The most patterns, and the most entries, of one list: twenty times as many as a person writes. */
const MAX_ENTRIES = 1_000;
/** The most findings that the text can be told to show. */
const MAX_SHOWN = 10_000;

const patterns = (about: string) =>
  z
    .array(
      z.string("must be a pattern, such as legacy/").min(1).max(MAX_PATTERN_CHARACTERS),
      "must be a list of patterns",
    )
    .max(MAX_ENTRIES)
    .meta({ description: `${about} Patterns as in .gitignore, and {a,b} for either.` });

const count = (max: number, about: string) =>
  z.int(`must be a whole number from 1 to ${max}`).min(1).max(max).optional().meta({ description: about });

/** The severities that a finding can be given; `off` removes it. */
const SET_SEVERITIES = ["off", ...SEVERITIES.filter((severity) => severity !== "info")] as const;

const kindRuleSchema = z
  .strictObject({
    kind: z.string("must be the name of a kind").min(1).max(100).meta({
      description: "The kind of finding, such as unused-variable; `all` for every kind.",
    }),
    severity: z.enum(SET_SEVERITIES).meta({
      description: "The severity of these findings; `off`: they are counted and not shown.",
    }),
    paths: patterns("Only findings in these files; without it: in all files.")
      .min(1, "must name at least one pattern")
      .optional(),
    reason: z.string().min(1).max(500).optional().meta({ description: "The reason, for the next reader." }),
  })
  .meta({ description: "Sets the severity of a kind. A later entry comes before an earlier one." });

/** The schema of the file. Everything is optional. */
export const reviewConfigSchema = z
  .strictObject({
    exclude: patterns("Files that are not reviewed.").default([]),
    keep: patterns(
      "Files that are reviewed although they look vendored, generated, minified or like test data. `exclude` comes first.",
    ).default([]),
    kinds: z
      .array(kindRuleSchema, "must be a list of entries with kind and severity")
      .max(MAX_ENTRIES)
      .default([])
      .meta({ description: "Severities by kind and path. A later entry comes before an earlier one." }),
    limits: z
      .strictObject({
        files: count(MAX_FILES, `The most files of a review; at most, and by default, ${MAX_FILES}.`),
        fileBytes: count(
          MAX_FILE_BYTES,
          `The largest reviewed file, in bytes; at most, and by default, ${MAX_FILE_BYTES}.`,
        ),
        shown: count(MAX_SHOWN, "The most findings in the text. --json always has all."),
        shownPerKind: count(MAX_SHOWN, "The most findings of one kind in the text."),
      })
      .default({})
      .meta({ description: "Limits. They can only become smaller than the built-in ones." }),
  })
  .meta({
    title: "murmur-review.yaml",
    description: "The configuration of `murmur review`, in the root of the reviewed repository.",
  });

/** The configuration with its defaults. */
export type ReviewConfig = z.output<typeof reviewConfigSchema>;
/** One entry of `kinds`. */
export type KindRule = ReviewConfig["kinds"][number];

/** The configuration of a repository without the file. */
export const DEFAULT_REVIEW_CONFIG: ReviewConfig = reviewConfigSchema.parse({});

/** The JSON Schema for editors, draft 2020-12. */
export function reviewConfigJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(reviewConfigSchema, { io: "input" });
}
