// Cuts long lists into commands that fit an entry of the control log. Pure.
import { MAX_PER_COMMAND } from "./registry.ts";

/** The approximate size of one command, in bytes: several fit one entry (128 KiB), beside the commands of others. */
const COMMAND_BYTES = 48 * 1_024;

/** Cuts the items, in their order, into lists of at most {@link MAX_PER_COMMAND} and about 48 KiB; no list is empty. */
export function toChunks<T>(items: readonly T[]): T[][] {
  const chunks: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = JSON.stringify(item).length;
    const last = chunks.at(-1);
    if (last === undefined || last.length >= MAX_PER_COMMAND || bytes + size > COMMAND_BYTES) {
      chunks.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return chunks;
}
