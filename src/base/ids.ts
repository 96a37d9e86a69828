// Ids that sort by creation time and survive as NATS subject tokens. Owns nothing else: what an id names is
// the caller's business.
import { randomFillSync } from "node:crypto";
import { monotonicFactory } from "ulid";

/** Random bytes fetched at once: one call per character, as the library does by itself, costs 16 system calls an id. */
const pool = new Uint8Array(4_096);
let used = pool.length;

function nextRandom(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return pool[used++]! / 256;
}

const nextUlid = monotonicFactory(nextRandom);

/** A ULID (26 characters, Crockford base 32): unique, sortable by creation time, a valid subject token. */
export function newId(): string {
  return nextUlid();
}

/** A short id for a process or agent: `<name>-<10 random characters>`, for example `echo-4k2m9x7q1z`. */
export function newInstanceId(name: string): string {
  return `${name}-${nextUlid().slice(-10).toLowerCase()}`;
}
