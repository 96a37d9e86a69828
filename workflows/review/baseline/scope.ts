// The counts of a review beside a baseline, and their words. Pure.
import type { BaselineEntry } from "./file.ts";

/** The baseline of a review. */
export interface BaselineScope {
  /** Its file: below the directory, else absolute; `<base>:<file>` when a change edits it, because its base is used then. */
  file: string;
  /** The number of findings in it. */
  entries: number;
  /** The findings that would be shown without the baseline. */
  known: number;
  /** The findings that are shown. */
  new: number;
  /** The entries that no finding matches; null when not every analyser has judged every file. */
  gone: number | null;
  goneFindings: Pick<BaselineEntry, "fingerprint" | "kind" | "file" | "line">[];
  /** True when this review has written it. */
  written: boolean;
}

/** Tells the counts in one line. */
export function renderBaselineScope({
  file,
  entries,
  known,
  new: fresh,
  gone,
  written,
}: BaselineScope): string {
  if (written)
    return `Baseline ${file} written: ${entries === 1 ? "1 finding is" : `${entries} findings are`} known from now on`;
  const counts = `Baseline ${file}: ${known} known and not shown, ${fresh} new`;
  if (gone === null) return `${counts}; gone ones are only counted in a complete review of everything`;
  return gone === 0 ? counts : `${counts}, ${gone} gone: --write-baseline removes them`;
}
