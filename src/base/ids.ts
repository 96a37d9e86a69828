// Ids that sort by creation time and are valid NATS subject tokens. Callers decide the meaning of an id.
import { randomFillSync } from "node:crypto";
import { monotonicFactory } from "ulid";

/** A pool of random bytes. The library's default fetches each character alone, which costs 16 system calls for each id. */
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

/** Returns a ULID (26 characters, Crockford base 32): unique, sortable by creation time, a valid subject token. */
export function newId(): string {
  return nextUlid();
}

/** Returns a short id for a process or agent: `<name>-<10 random characters>`, for example `echo-4k2m9x7q1z`. */
export function newInstanceId(name: string): string {
  return `${name}-${nextUlid().slice(-10).toLowerCase()}`;
}
