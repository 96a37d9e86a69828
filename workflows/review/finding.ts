// The findings of a review, and the answers that they come from. Types only, at the bottom of the room: the merge, the baseline, the
// change and the report all speak of findings, and must not know each other for that.
import type {
  HidingReason,
  LabelCounts,
  RawFinding,
  ReviewCapability,
  Severity,
  Unjudged,
} from "../../agents/lib/review/index.ts";

/** The state of a finding beside a baseline. */
export type BaselineState = "known" | "new";

/** The place of a finding: on a changed line, on another line of a changed file, or in another file. */
export type PlaceInChange = "line" | "file" | "outside";

/** One analyser's answer to one task. */
export interface Answer {
  capability: ReviewCapability;
  files: readonly string[];
  findings: readonly RawFinding[];
  unsure: readonly string[];
  unjudged: readonly Unjudged[];
  /** The files of a linter's answer whose places its ballot did not count. */
  uncounted?: readonly string[] | undefined;
}

/** A finding of the review. */
export interface Finding {
  /** 16 hex digits. The next review gives the same problem the same fingerprint, even if its line has moved. */
  fingerprint: string;
  kind: string;
  /** The rule of the analyser whose message is shown. */
  rule: string;
  severity: Severity;
  file: string;
  line: number;
  message: string;
  /** The capabilities that reported it, sorted. */
  agreedBy: string[];
  /** The linters that know the kind, looked at the file by the review's own rules, and did not report it; sorted. */
  silent: string[];
  /**
   * The share of useful ones among the labelled findings of this kind, purpose of the file and agreement (docs/review.md). Null
   * when fewer than ten were labelled.
   */
  confidence: number | null;
  /** Identifies the problem within its kind, also after its file was renamed: a hash of the line's text, or a name. */
  anchor: string;
  /** The missing files that the line names, as the code writes them; only for kinds about missing files. */
  targets?: string[];
  /** In a review with a baseline. Only new findings are shown and can fail the review. */
  baseline?: BaselineState;
  /** In a review of a change: its place in the change. Only findings on changed lines are shown and can fail the review. */
  inChange?: PlaceInChange;
  /** The labels behind the confidence; null without one. */
  measured: LabelCounts | null;
  /** False when a report leaves the finding out by default. */
  shown: boolean;
  /** The reason for leaving it out; null when it is shown. */
  whyHidden: HidingReason | null;
}
