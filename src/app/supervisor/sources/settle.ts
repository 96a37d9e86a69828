// Decides when the files of a role have changed and come to rest: an editor, or a checkout, writes several files in a row. Pure.

/** How long the files must be quiet, in ms. Editors write within 100 ms; a person does not notice the wait. */
export const QUIET_MS = 300;

/** The watch of one role's files. */
export interface Watch {
  /** The last signature that was acted on. */
  readonly known: string;
  /** A newer signature, and the time at which it was first seen, Unix ms. */
  readonly pending: { readonly signature: string; readonly sinceMs: number } | null;
}

/** Takes a look's signature: the new watch, and whether a change has come to rest with this look. */
export function noteLook(
  watch: Watch,
  signature: string,
  nowMs: number,
): { watch: Watch; isSettled: boolean } {
  if (signature === watch.known) return { watch: { ...watch, pending: null }, isSettled: false };
  if (watch.pending?.signature !== signature) {
    return { watch: { ...watch, pending: { signature, sinceMs: nowMs } }, isSettled: false };
  }
  if (nowMs - watch.pending.sinceMs < QUIET_MS) return { watch, isSettled: false };
  return { watch: { known: signature, pending: null }, isSettled: true };
}
