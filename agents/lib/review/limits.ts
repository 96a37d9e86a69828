// The limits of every review agent: its slots, and the size of a seat's places. Also makes a linter's answer for the ballot.
import { availableParallelism } from "node:os";
import {
  type LintOutput,
  MAX_PLACES_BYTES,
  MAX_PLACES_PER_SEAT,
  type Place,
  type ReviewOutput,
} from "./contract.ts";
import { isShared } from "./kinds.ts";

/** The slots of each review agent: half the machine's cores, because analyses keep a core busy and several agents run. */
export const REVIEW_SLOTS = Math.max(1, Math.floor(availableParallelism() / 2));

/**
 * Makes a linter's answer: its findings, and their places for the ballot. A ballot compares a limited number of bytes, so it gets
 * the places of whole files as long as they fit, in the order of the files' names; `uncounted` names the other files, whose
 * agreement the merge counts from the findings.
 */
export function castVote(output: ReviewOutput): LintOutput {
  const places: Place[] = [];
  const uncounted: string[] = [];
  let bytes = 2;
  for (const [file, ofFile] of [...placesByFile(output)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const cost = [...ofFile.keys()].reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
    if (bytes + cost > MAX_PLACES_BYTES || places.length + ofFile.size > MAX_PLACES_PER_SEAT) {
      uncounted.push(file);
      continue;
    }
    bytes += cost;
    places.push(...ofFile.values());
  }
  return { ...output, places, uncounted };
}

/** Groups the places of shared kinds by file, each place once, by its JSON. */
function placesByFile({ findings }: ReviewOutput): Map<string, Map<string, Place>> {
  const byFile = new Map<string, Map<string, Place>>();
  for (const { file, line, kind } of findings) {
    if (!isShared(kind)) continue;
    const ofFile = byFile.get(file) ?? new Map<string, Place>();
    const place = { file, line, kind };
    ofFile.set(JSON.stringify(place), place);
    byFile.set(file, ofFile);
  }
  return byFile;
}
