// Cuts long lists into commands that an entry of the control log takes. Pure.
import { MAX_PER_COMMAND } from "./registry.ts";

/** Bytes of one command, about: several of them fit one entry (128 KiB) beside other people's. */
const COMMAND_BYTES = 48 * 1_024;

/** The items in their order, in lists of at most {@link MAX_PER_COMMAND} and about 48 KiB; no list is empty. */
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
