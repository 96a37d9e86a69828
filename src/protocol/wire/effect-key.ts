// The effect key of a task: the same text in every attempt of the task, for the systems that it touches. A payment service, for
// example, takes it as an idempotency key. A task without the header has its id as the key.
import { SwarmError } from "./errors.ts";
import { HEADERS } from "./headers.ts";
import { showValue } from "./subjects.ts";

/** The longest effect key, in characters: the id of a workflow and the path of a step; most services accept 255 characters. */
export const MAX_EFFECT_KEY_LENGTH = 200;
/** Visible ASCII, so that every client of NATS and HTTP sends the key as it is. */
const EFFECT_KEY = /^[!-~]+$/;

/** True for a text that may be an effect key: 1 to {@link MAX_EFFECT_KEY_LENGTH} characters of visible ASCII. */
export function isEffectKey(text: string): boolean {
  return text.length <= MAX_EFFECT_KEY_LENGTH && EFFECT_KEY.test(text);
}

/** The effect key of a task: from the header of its message, or its id. @throws SwarmError `invalid_input`, field `Murmur-Effect-Key`. */
export function effectKeyOf(header: string | undefined, taskId: string): string {
  if (header === undefined) return taskId;
  if (isEffectKey(header)) return header;
  throw new SwarmError(
    "invalid_input",
    `${HEADERS.effectKey} must be 1 to ${MAX_EFFECT_KEY_LENGTH} characters of visible ASCII without spaces, got ${showValue(header)}`,
    { field: HEADERS.effectKey },
  );
}
