// What both key-value stores keep.
import { checkToken } from "../protocol/index.ts";

/** Returns `key` when it is tokens joined by dots. @throws SwarmError `invalid_input` naming `key`. */
export function checkBucketKey(key: string): string {
  for (const token of key.split(".")) checkToken(token, "key");
  return key;
}
