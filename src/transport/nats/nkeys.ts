// NKEYs of NATS users: an Ed25519 seed that the user keeps, and its public key, which the servers know. Uses the nkeys of the NATS
// client. Never put a seed into a log, an error or a message.
import { nkeys } from "@nats-io/nats-core";
import { utf8Bytes, utf8Text } from "../../base/index.ts";

/** A new seed of a user: 58 characters that begin with `SU`. */
export function createUserSeed(): string {
  const pair = nkeys.createUser();
  try {
    return utf8Text(pair.getSeed());
  } finally {
    pair.clear();
  }
}

/** The public key of a user's seed: 56 characters that begin with `U`. Null for a text that is no seed of a user. */
export function publicKeyOf(seed: string): string | null {
  try {
    const pair = nkeys.fromSeed(utf8Bytes(seed.trim()));
    const key = pair.getPublicKey();
    pair.clear();
    return key.startsWith("U") ? key : null;
  } catch {
    return null; // the error of the library may contain the seed
  }
}
