// Ids that sort by creation time and survive as NATS subject tokens. Owns nothing else: what an id names is
// the caller's business.
import { monotonicFactory } from "ulid";

const nextUlid = monotonicFactory();

/** A ULID (26 characters, Crockford base 32): unique, sortable by creation time, a valid subject token. */
export function newId(): string {
  return nextUlid();
}

/** A short id for a process or agent: `<name>-<10 random characters>`, for example `echo-4k2m9x7q1z`. */
export function newInstanceId(name: string): string {
  return `${name}-${nextUlid().slice(-10).toLowerCase()}`;
}
