// Reads the log of a test as an engine does that takes over. Pure.
import { emptyFold, type Fold, foldLog } from "../log/fold.ts";

/** The fold of a stored log. @throws Error for a broken one. */
export function readLog({ id, texts }: { readonly id: string; readonly texts: readonly string[] }): Fold {
  if (texts.length === 0) return emptyFold(id);
  const read = foldLog(id, texts);
  if (!read.ok) throw new Error(`the log of ${id} is broken at entry ${read.entry}: ${read.fault}`);
  return read.fold;
}
