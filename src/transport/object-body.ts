// The body of an object and its size limit, for both object stores.
import { SwarmError } from "../protocol/index.ts";

/** The largest object, in bytes: half the length of V8's longest string. */
export const MAX_OBJECT_BYTES = 256 * 1024 ** 2;

/** Returns the pieces of a body and their size in bytes. @throws SwarmError `payload_too_large` over {@link MAX_OBJECT_BYTES}. */
export function readBody(
  name: string,
  data: Uint8Array | readonly Uint8Array[],
): { pieces: readonly Uint8Array[]; bytes: number } {
  const pieces = data instanceof Uint8Array ? [data] : data;
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  if (bytes <= MAX_OBJECT_BYTES) return { pieces, bytes };
  throw new SwarmError(
    "payload_too_large",
    `object ${name} has ${bytes} bytes; an object holds at most ${MAX_OBJECT_BYTES}`,
  );
}
