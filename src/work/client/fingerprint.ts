// The fingerprint of an error's message: the message without the parts that differ from task to task, so that failures with one cause
// make one group. Pure.

/** The most characters of a fingerprint: enough to tell messages apart, and short enough for a link. */
export const MAX_FINGERPRINT_LENGTH = 160;
/** The most characters of a message that are looked at. */
const MAX_LOOKED_AT_LENGTH = 2_000;

/** The parts that differ, each with its place holder: quoted texts, addresses, ids with digits, numbers. */
const VARYING_PARTS: readonly (readonly [RegExp, string])[] = [
  [/"[^"]{0,500}"|'[^']{0,500}'|`[^`]{0,500}`/g, "…"],
  [/\b[a-z][a-z0-9+.-]{1,20}:\/\/\S+/gi, "<url>"],
  [/(?:\/[\w.@-]+){2,}/g, "<path>"],
  [/\b(?=[\w-]*\d)[A-Za-z0-9_-]{6,}\b/g, "<id>"],
  [/\d+(?:[.,:]\d+)*/g, "#"],
  [/\s+/g, " "],
];

/** The fingerprint of a message. Two messages with one cause have the same; it is no identity of a cause. */
export function fingerprintOf(message: string): string {
  const cut = message.slice(0, MAX_LOOKED_AT_LENGTH);
  const plain = VARYING_PARTS.reduce((text, [pattern, holder]) => text.replace(pattern, holder), cut);
  return plain.trim().slice(0, MAX_FINGERPRINT_LENGTH);
}
