// The form of a key, which both key-value stores check.
import { checkToken } from "../protocol/index.ts";

/** Returns `key` when it consists of tokens joined by dots. @throws SwarmError `invalid_input` with the field `key`. */
export function checkBucketKey(key: string): string {
  for (const token of key.split(".")) checkToken(token, "key");
  return key;
}
