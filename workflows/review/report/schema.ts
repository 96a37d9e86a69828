// The schema of a report, for a report that comes back from a file (`--from`), and for the document of `--json`. Pure.
import { z } from "zod";
import {
  HIDING_REASONS,
  REVIEW_CAPABILITIES,
  SANDBOX_NAMES,
  SEVERITIES,
  unjudgedSchema,
} from "../../../agents/lib/review/index.ts";
import { LEFT_OUT_REASONS, type LeftOutReason } from "../left-out/index.ts";

const findingSchema = z.looseObject({
  fingerprint: z.string(),
  kind: z.string(),
  rule: z.string(),
  file: z.string(),
  line: z.int(),
  message: z.string(),
  severity: z.enum(SEVERITIES),
  agreedBy: z.array(z.string()),
  silent: z.array(z.string()),
  confidence: z.number().min(0).max(1).nullable(),
  measured: z.strictObject({ labelled: z.int(), useful: z.int(), false: z.int() }).nullable(),
  shown: z.boolean(),
  whyHidden: z.enum(HIDING_REASONS).nullable(),
  anchor: z.string(),
  targets: z.array(z.string()).optional(),
  baseline: z.enum(["known", "new"]).optional(),
  inChange: z.enum(["line", "file", "outside"]).optional(),
});
const coverageSchema = z.strictObject({
  analysers: z.array(
    z.strictObject({
      capability: z.enum(REVIEW_CAPABILITIES),
      judged: z.int(),
      unjudged: z.array(unjudgedSchema),
    }),
  ),
  unread: z.array(unjudgedSchema),
  missed: z.array(z.string()),
});
const leftOutSchema = z.strictObject({
  reason: z.enum(Object.keys(LEFT_OUT_REASONS) as [LeftOutReason, ...LeftOutReason[]]),
  count: z.int(),
  files: z.array(z.strictObject({ path: z.string(), because: z.string() })),
});
const configSchema = z.looseObject({
  file: z.string().nullable(),
  switchedOff: z.array(z.strictObject({ kind: z.string(), count: z.int() })),
  shown: z.int().optional(),
  shownPerKind: z.int().optional(),
});
const changeSchema = z.strictObject({
  base: z.string(),
  commit: z.string(),
  changedFiles: z.int(),
  removedFiles: z.int(),
  untouched: z.strictObject({ inChangedFiles: z.int(), elsewhere: z.int() }),
  narrowing: z.array(z.string()),
});
const measureSchema = z.union([
  z.strictObject({ had: z.literal(true), by: z.enum(SANDBOX_NAMES) }),
  z.strictObject({ had: z.literal(false), why: z.string() }),
]);
const safetySchema = z.strictObject({
  trusted: z.boolean(),
  executed: z.array(z.string()),
  read: z.array(z.string()),
  ignored: z.array(z.string()),
  sandbox: z.strictObject({
    readOnly: measureSchema,
    noNetwork: measureSchema,
    environment: z.literal("scrubbed"),
    // Reports of earlier versions have none.
    analysers: z
      .union([
        z.strictObject({ had: z.literal(true), by: z.literal("node-permission") }),
        z.strictObject({ had: z.literal(false), why: z.string() }),
      ])
      .optional(),
  }),
});
const baselineSchema = z.strictObject({
  file: z.string(),
  entries: z.int(),
  known: z.int(),
  new: z.int(),
  gone: z.int().nullable(),
  goneFindings: z.array(
    z.strictObject({ fingerprint: z.string(), kind: z.string(), file: z.string(), line: z.int() }),
  ),
  written: z.boolean(),
});
const levelSchema = z.strictObject({
  agreeing: z.int(),
  able: z.int(),
  confidence: z.number(),
  right: z.int(),
  labelled: z.int(),
});

/** A report. Fields that it does not name pass through. */
export const reportSchema = z.looseObject({
  status: z.enum(["completed", "partial", "failed"]),
  directory: z.string(),
  files: z.int(),
  coverage: coverageSchema,
  safety: safetySchema,
  leftOut: z.array(leftOutSchema),
  suppressed: z.array(findingSchema.extend({ reason: z.string(), commentLine: z.int() })),
  scope: z.strictObject({ change: changeSchema.nullable(), baseline: baselineSchema.nullable() }).nullable(),
  config: configSchema,
  durationMs: z.number(),
  agents: z.int(),
  tasks: z.int(),
  agreement: z.array(levelSchema),
  findings: z.array(findingSchema),
  failedTasks: z.array(z.looseObject({ capability: z.string(), error: z.string(), files: z.int() })),
  cache: z.strictObject({ hits: z.int(), misses: z.int() }).optional(),
});
