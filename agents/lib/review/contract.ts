// What the review's planner, its analysers and its merge say to each other: the input of a task, a finding, the answer.
// Owns the shapes and their limits; what a kind of finding means is in kinds.ts.
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

/** Those that judge the same code by the same kinds, knowing nothing of each other: they sit in one ballot. */
export const LINTERS = ["review-oxlint", "review-biome", "review-eslint"] as const;
/** A linter among the analysers. */
export type Linter = (typeof LINTERS)[number];

/** Most severe first. `info` is not a problem of the code: the review speaks about itself. */
export const SEVERITIES = ["critical", "high", "medium", "low", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Longer messages are cut: a finding is read by a person. */
export const MAX_MESSAGE_CHARACTERS = 400;
/** One task's answer stays far below the 512 KiB of an inline result: 1,000 findings of about 300 bytes. */
export const MAX_FINDINGS_PER_TASK = 1000;
/** One seat's places in a ballot of all linters: its third of the 128 KiB that a ballot compares. About 450 places. */
export const MAX_PLACES_BYTES = 42 * 1024;
/** As many files as a review takes; every file of the largest task is one string of its input. */
export const MAX_FILES = 20_000;

/** A path inside the reviewed directory: relative, `/` between its parts, no `..`, no NUL. */
export const relativePathSchema = z
  .string()
  .min(1)
  .max(1024)
  .refine(isRelativePath, "expected a path inside the reviewed directory: relative, with `/`, without `..`");

/** The input of every review task. */
export const reviewInputSchema = z.strictObject({
  /** The reviewed directory, absolute, on the machine of the agent. */
  directory: z
    .string()
    .min(1)
    .startsWith("/", "expected an absolute path of a directory on the agent's machine"),
  /** The files this task is about. */
  files: z.array(relativePathSchema).max(MAX_FILES),
  /** Whether linters load the repository's own configuration; an ESLint configuration is code. */
  repoConfig: z.boolean().default(true),
});
export type ReviewInput = z.infer<typeof reviewInputSchema>;

export const rawFindingSchema = z.strictObject({
  /** What is wrong, the same word whoever reports it: a key of KINDS, or the rule's own name. */
  kind: z.string().min(1).max(100),
  /** The rule in the analyser's words. */
  rule: z.string().min(1).max(200),
  severity: z.enum(SEVERITIES),
  file: relativePathSchema,
  /** 1 for the first line; 1 also where the whole file is meant. */
  line: z.int().min(1),
  message: z.string().min(1).max(MAX_MESSAGE_CHARACTERS),
  /**
   * What stays the same when the finding moves to another line: a hash of the line's text, or a name. Never the text
   * itself, which could hold a secret.
   */
  anchor: z.string().max(64),
});
export type RawFinding = z.infer<typeof rawFindingSchema>;

/** The answer of every review task. */
export const reviewOutputSchema = z.strictObject({
  findings: z.array(rawFindingSchema).max(MAX_FINDINGS_PER_TASK),
  /**
   * Files where the analyser's silence proves nothing: they were judged by the repository's own configuration, in which its rule
   * may be off, or not everything that it found there fits the answer.
   */
  unsure: z.array(relativePathSchema),
});
export type ReviewOutput = z.infer<typeof reviewOutputSchema>;

/** By what the findings of several linters are recognised as one. */
export const placeSchema = rawFindingSchema.pick({ file: true, line: true, kind: true });
export type Place = z.infer<typeof placeSchema>;

/** The answer of a linter: its seat in the ballot is counted by `places`. */
export const lintOutputSchema = reviewOutputSchema.extend({
  /** Where it sees a kind that every linter knows, each place once. */
  places: z.array(placeSchema).max(MAX_FINDINGS_PER_TASK),
});
export type LintOutput = z.infer<typeof lintOutputSchema>;

/** What a command left behind; a non-zero exit is not an error here, as linters exit 1 when they find something. */
export interface Executed {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** What an analysis may do besides reading files. An agent's context fits. */
export interface AnalysisTools {
  /** Runs a command (argv, never a shell). Rejects when it cannot start, runs too long or says too much. */
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

/** One analyser: it reads, it never writes into the directory. */
export type Analysis = (input: ReviewInput, tools: AnalysisTools) => Promise<ReviewOutput>;

function isRelativePath(path: string): boolean {
  return !path.startsWith("/") && !path.includes("\0") && !path.split("/").includes("..");
}
