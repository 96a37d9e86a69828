// Assertions. A broken assumption of our own code is a bug, not an input error: it stops the actor, and the actor's
// supervisor restarts it.

/** A broken assumption inside Murmur or an agent. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws an {@link AssertionError} unless `condition` is true; `message` states the assumption. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
