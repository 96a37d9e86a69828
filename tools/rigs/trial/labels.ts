// The labels of a trial: a person's verdict on findings in a checkout, one JSON object a line. Owns the file's shape, the match
// of a finding with its label, and the samples that a person labels next. Pure.
import { createHash } from "node:crypto";
import { z } from "zod";
import { isShared } from "../../../agents/lib/review/index.ts";
import type { Finding } from "../../../workflows/review/index.ts";

/**
 * The verdicts. `useful`: a maintainer would want to fix it. `true-but-noise`: the statement is true, and a maintainer would not
 * act on it. `false`: the statement is untrue.
 */
export const VERDICTS = ["useful", "true-but-noise", "false"] as const;
export type Verdict = (typeof VERDICTS)[number];

const labelSchema = z.looseObject({
  file: z.string().min(1),
  line: z.int().min(1),
  kind: z.string().min(1),
  /** Null in a sample that waits for its labels. */
  verdict: z.enum(VERDICTS).nullable(),
  why: z.string().optional(),
});
export type Label = z.infer<typeof labelSchema>;

/** Parses a label file: JSON Lines; empty lines are allowed. @throws an Error that names the first wrong line. */
export function parseLabels(text: string, name: string): Label[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const parsed = labelSchema.safeParse(readJson(line));
    if (parsed.success) return [parsed.data];
    const [issue] = parsed.error.issues;
    throw new Error(
      `${name}:${index + 1}: expected {"file", "line", "kind", "verdict": ${VERDICTS.map((each) => `"${each}"`).join(" | ")} | null}, got ${issue?.path.join(".") || "a line"}: ${issue?.message}`,
    );
  });
}

function readJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The largest distance in lines between a finding of linters and its label: linters place one fault on neighbouring lines. */
const NEAR_LINES = 1;

/** Returns a function from a finding to its verdict; undefined without a label. The nearest label of its kind and file counts. */
export function createJudge(labels: readonly Label[]): (finding: Finding) => Verdict | undefined {
  const byKindAndFile = Map.groupBy(
    labels.filter(({ verdict }) => verdict !== null),
    keyOf,
  );
  return (finding) => {
    const distance = ({ line }: Label) => Math.abs(line - finding.line);
    const [nearest] = (byKindAndFile.get(keyOf(finding)) ?? []).toSorted((a, b) => distance(a) - distance(b));
    const near = isShared(finding.kind) ? NEAR_LINES : 0;
    if (nearest === undefined || distance(nearest) > near) return undefined;
    return nearest.verdict ?? undefined;
  };
}

function keyOf({ kind, file }: { kind: string; file: string }): string {
  return JSON.stringify([kind, file]);
}

/** The choice of a sample. */
export interface SampleOptions {
  /** The number of findings. */
  size: number;
  /** The most findings of one kind and agreement. */
  perKind: number;
  /** Another seed gives another sample; the same seed gives the same sample. */
  seed: number;
}

/**
 * Draws a sample of the findings. The order is a hash of the seed and the finding, so that a finding that appears or disappears
 * does not change the choice of the others.
 */
export function drawSample(
  findings: readonly Finding[],
  { size, perKind, seed }: SampleOptions,
  groupOf: (finding: Finding) => string,
): Finding[] {
  const taken = new Map<string, number>();
  const rank = ({ kind, file, line }: Finding) =>
    createHash("sha256")
      .update(JSON.stringify([seed, kind, file, line]))
      .digest("hex");
  return findings
    .map((finding) => ({ finding, rank: rank(finding) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ finding }) => finding)
    .filter((finding) => {
      const group = groupOf(finding);
      const count = (taken.get(group) ?? 0) + 1;
      taken.set(group, count);
      return count <= perKind;
    })
    .slice(0, size);
}

/** The lines of an excerpt before and after the finding's own line. */
const LINES_BEFORE = 3;
const LINES_AFTER = 5;
/** The longest line of an excerpt. */
const MAX_LINE_CHARACTERS = 200;

/** Renders a finding as a line of a label file that waits for its verdict, with an excerpt of its source. */
export function renderUnlabelled(repository: string, finding: Finding, source: string): string {
  const { file, line, kind, rule, message, agreedBy, silent } = finding;
  const excerpt = source
    .split("\n")
    .map(
      (text, index) => `${index + 1}${index + 1 === line ? ">" : " "} ${text.slice(0, MAX_LINE_CHARACTERS)}`,
    )
    .slice(Math.max(0, line - 1 - LINES_BEFORE), line + LINES_AFTER);
  return JSON.stringify({
    repository,
    file,
    line,
    kind,
    verdict: null,
    rule,
    message,
    agreedBy,
    silent,
    excerpt,
  });
}
