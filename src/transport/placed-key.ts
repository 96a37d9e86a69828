// Reads the keys of the streams of placed tasks; each agent class has one.
import type { PlacedKey, StreamKey } from "../protocol/index.ts";

/** True for the key of a stream of placed tasks. */
export function isPlacedKey(key: StreamKey): key is PlacedKey {
  return key.startsWith("placed-");
}

/** The class of such a key. */
export function classOfKey(key: PlacedKey): string {
  return key.slice("placed-".length);
}
