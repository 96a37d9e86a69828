// The messages between the review's planner, its analysers and its merge: the input of a task, a finding, the answer. Owns
// the shapes and their limits. Leaves the meaning of each kind of finding to kinds.ts.
import { z } from "zod";

/** The capabilities of the review swarm, one analyser each. */
export const REVIEW_CAPABILITIES = [
  "review-security",
  "review-architecture",
  "review-oxlint",
  "review-biome",
  "review-eslint",
  "review-performance",
  "review-tests",
  "review-docs",
] as const;
export type ReviewCapability = (typeof REVIEW_CAPABILITIES)[number];

/** The analysers that judge the same code by the same kinds, independently. They share one ballot, with a seat each. */
export const LINTERS = ["review-oxlint", "review-biome", "review-eslint"] as const;
/** A linter among the analysers. */
export type Linter = (typeof LINTERS)[number];

/** The severities, most severe first. `info` marks a note about the review itself, not a problem of the code. */
export const SEVERITIES = ["critical", "high", "medium", "low", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** The longest message of a finding; longer messages are cut, because a person reads them. */
export const MAX_MESSAGE_CHARACTERS = 400;
/**
 * The most findings of one answer. No analyser reaches it: a linter prints at most 32 MiB, and at least 130 bytes for each finding.
 * An answer over 512 KiB is stored as a blob, which has at most 64 MiB.
 */
export const MAX_FINDINGS_PER_TASK = 250_000;
/** The most places of one seat: three linters together stay below the 1,000 findings of a verdict. */
export const MAX_PLACES_PER_SEAT = 333;
/** The most bytes of one seat's places: a third of the 128 KiB that a ballot compares. The number of places has its own limit. */
export const MAX_PLACES_BYTES = 42 * 1024;
/** The most files of a review. The largest task's input has one string for each of them. */
export const MAX_FILES = 20_000;

/** A path inside the reviewed directory: relative, `/` between its parts, no `..`, no NUL. */
export const relativePathSchema = z
  .string()
  .min(1)
  .max(1024)
  .refine(isRelativePath, "expected a path inside the reviewed directory: relative, with `/`, without `..`");

/** A program that confines the analysers' programs: its name, and its file, absolute. */
export const sandboxSchema = z.strictObject({
  by: z.enum(["bwrap", "unshare"]),
  program: z.string().min(1).max(1024).startsWith("/", "expected the absolute path of the program"),
});
export type Sandbox = z.infer<typeof sandboxSchema>;

/** The input of every review task. */
export const reviewInputSchema = z.strictObject({
  /** The reviewed directory, absolute, on the machine of the agent. */
  directory: z
    .string()
    .min(1)
    .startsWith("/", "expected an absolute path of a directory on the agent's machine"),
  /** The files of this task. */
  files: z.array(relativePathSchema).max(MAX_FILES),
  /** Other files that the analysis may read to judge `files`: pages, configurations, workflows. It makes no findings in them. */
  context: z.array(relativePathSchema).max(MAX_FILES).optional(),
  /** True when linters load the repository's own configuration, which runs its code. Only a person can decide that. */
  trustRepoConfig: z.boolean().default(false),
  /** Confines the programs that the analyser runs. Without it they run with the rights of the agent. */
  sandbox: sandboxSchema.optional(),
});
export type ReviewInput = z.infer<typeof reviewInputSchema>;

export const rawFindingSchema = z.strictObject({
  /** The kind of problem, with the same word in all analysers: a key of KINDS, or the rule's own name. */
  kind: z.string().min(1).max(100),
  /** The analyser's own name for the rule. */
  rule: z.string().min(1).max(200),
  severity: z.enum(SEVERITIES),
  file: relativePathSchema,
  /** The line, from 1; also 1 for a finding about the whole file. */
  line: z.int().min(1),
  message: z.string().min(1).max(MAX_MESSAGE_CHARACTERS),
  /**
   * Identifies the finding when it moves to another line: a hash of the line's text, or a name. Never the text itself, which
   * could contain a secret.
   */
  anchor: z.string().max(64),
  /**
   * The missing file that the finding is about. A change that removes it causes the finding, although the finding lies in another
   * file. As the code writes it: perhaps without an extension, or of a folder.
   */
  target: relativePathSchema.optional(),
});
export type RawFinding = z.infer<typeof rawFindingSchema>;

/**
 * The reasons why an analyser has not judged a file.
 * - `parse-error`: the analyser's parser rejects the file, so its rules did not run.
 * - `too-large`: the file is over the size limit of the analyser.
 * - `not-utf8`: the text has another encoding.
 * - `unreadable`: the file is no regular file, may not be read, or lies outside the directory.
 * - `changed-meanwhile`: the file was changed or removed while the review ran.
 * - `tool-failed`: the analyser itself, or its program, failed.
 * - `too-many-findings`: the analyser would need too much time and memory for its findings in the file.
 * - `not-supported`: the analyser does not read this language, or this part of the file.
 * - `ignored`: the repository's own configuration of the analyser excludes the file.
 */
export const UNJUDGED_REASONS = [
  "parse-error",
  "too-large",
  "not-utf8",
  "unreadable",
  "changed-meanwhile",
  "tool-failed",
  "too-many-findings",
  "not-supported",
  "ignored",
] as const;
export type UnjudgedReason = (typeof UNJUDGED_REASONS)[number];

export const unjudgedSchema = z.strictObject({
  file: relativePathSchema,
  why: z.enum(UNJUDGED_REASONS),
  /** Details for a person: the parser's message, or the part of the file that was not judged. */
  message: z.string().min(1).max(MAX_MESSAGE_CHARACTERS).optional(),
});
/** A file that an analyser was asked to judge and has not judged, or not as a whole. */
export type Unjudged = z.infer<typeof unjudgedSchema>;

/** The answer of every review task. */
export const reviewOutputSchema = z.strictObject({
  findings: z.array(rawFindingSchema).max(MAX_FINDINGS_PER_TASK),
  /**
   * The files whose missing findings prove nothing: the repository's own configuration may switch the rule off there, or the
   * answer had no room for all findings of the file.
   */
  unsure: z.array(relativePathSchema),
  /** The files of the task that the analyser has not judged, each file once. It has judged all other files of the task. */
  unjudged: z.array(unjudgedSchema),
});
export type ReviewOutput = z.infer<typeof reviewOutputSchema>;

/** A place: findings of several linters with the same file, line and kind are one finding. */
export const placeSchema = rawFindingSchema.pick({ file: true, line: true, kind: true });
export type Place = z.infer<typeof placeSchema>;

/** The answer of a linter. The ballot counts its seat by `places`. */
export const lintOutputSchema = reviewOutputSchema.extend({
  /** The places of findings whose kind every linter knows, each place once. */
  places: z.array(placeSchema).max(MAX_PLACES_PER_SEAT),
  /** The files whose places are not in `places`, because a ballot has no room for them. */
  uncounted: z.array(relativePathSchema),
});
export type LintOutput = z.infer<typeof lintOutputSchema>;

/** The end of a command. A non-zero exit code is not an error here, because linters exit 1 when they find something. */
export interface Executed {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** The tools of an analysis, besides reading files. An agent's context implements them. */
export interface AnalysisTools {
  /** Runs a command (argv, never a shell). Rejects when the command cannot start, or exceeds its time or output limit. */
  exec(command: {
    argv: readonly [program: string, ...args: string[]];
    cwd: string;
    input?: string;
    timeoutMs: number;
    maxOutputBytes: number;
  }): Promise<Executed>;
  progress(percent: number, note?: string): void;
  readonly signal: AbortSignal;
}

/** The analysis of one analyser. It reads files and never writes into the directory. */
export type Analysis = (input: ReviewInput, tools: AnalysisTools) => Promise<ReviewOutput>;

function isRelativePath(path: string): boolean {
  if (path.startsWith("/") || path.includes("\0")) return false;
  // Most paths have no two dots, and each finding has a path.
  return !path.includes("..") || !path.split("/").includes("..");
}
