// A broken assumption of our own is a bug, not an input error: it stops the actor, whose supervisor restarts it.

/** A broken assumption inside Murmur or an agent. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws an {@link AssertionError} unless `condition` holds; `message` says what was assumed. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
