// What both object stores keep: the size limit.
import { SwarmError } from "../protocol/index.ts";

/** The largest object, in bytes: half of what a text in memory may have (V8's longest string). */
export const MAX_OBJECT_BYTES = 256 * 1024 ** 2;

/** @throws SwarmError `payload_too_large` over {@link MAX_OBJECT_BYTES}. */
export function refuseLargeObject(name: string, bytes: number): void {
  if (bytes <= MAX_OBJECT_BYTES) return;
  throw new SwarmError(
    "payload_too_large",
    `object ${name} has ${bytes} bytes; one has at most ${MAX_OBJECT_BYTES}`,
  );
}
