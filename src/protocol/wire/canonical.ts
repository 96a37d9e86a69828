// Canonical JSON: exactly one text for each JSON value, so that programs can hash and compare values. Owns the canonical
// form; callers decide which values they hash.
import { hash } from "node:crypto";

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/** The deepest nesting that is accepted: below the recursion limits of common JSON readers (Python's is 1,000). */
export const MAX_JSON_DEPTH = 500;

/** True for a JSON object, false for arrays, null and scalars. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Returns the value as canonical JSON text (RFC 8785): no blanks, names sorted by UTF-16 code unit, numbers and strings
 * written as ECMAScript writes them, as the RFC requires. One point differs: half a surrogate pair is escaped, but the RFC
 * rejects it. A log must be able to seal every value that it has accepted. Ballots reject such text in an answer.
 *
 * @throws RangeError when a number is not finite or the nesting is deeper than {@link MAX_JSON_DEPTH}.
 */
export function canonicalJson(value: Json, depth = 0): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new RangeError("expected a finite number");
    return String(value);
  }
  if (typeof value !== "object" || value === null) return String(value);
  if (depth >= MAX_JSON_DEPTH) throw new RangeError(`expected nesting of at most ${MAX_JSON_DEPTH} levels`);
  if (Array.isArray(value)) {
    let text = "[";
    for (const item of value as readonly Json[]) {
      if (text.length > 1) text += ",";
      text += canonicalJson(item, depth + 1);
    }
    return `${text}]`;
  }
  const object = value as JsonObject;
  let text = "{";
  for (const name of sortedNames(object)) {
    if (text.length > 1) text += ",";
    text += PLAIN_NAME.test(name) ? `"${name}":` : `${JSON.stringify(name)}:`;
    text += canonicalJson(object[name] as Json, depth + 1);
  }
  return `${text}}`;
}

/** Matches a name without characters to escape. Nearly all names match, and the test is cheaper than escaping. */
const PLAIN_NAME = /^\w+$/;

/** Up to this many names are sorted by insertion, in place, because that is faster than `sort` for a few names. */
const FEW_NAMES = 24;

/** Returns an object's names in canonical order. */
function sortedNames(object: JsonObject): string[] {
  const names = Object.keys(object);
  if (names.length > FEW_NAMES) return names.sort();
  for (let index = 1; index < names.length; index++) {
    const name = names[index] as string;
    let place = index;
    for (; place > 0 && (names[place - 1] as string) > name; place--)
      names[place] = names[place - 1] as string;
    names[place] = name;
  }
  return names;
}

/** {@link canonicalPieces} divides a value down to this depth: deep enough for a list inside one part of a state. */
const PIECE_DEPTH = 4;

/** Yields {@link canonicalJson} in pieces, so that the caller can pause while it makes the text of a large value. */
export function* canonicalPieces(value: Json, depth = 0): Generator<string, void, undefined> {
  if (typeof value !== "object" || value === null || depth >= PIECE_DEPTH) {
    yield canonicalJson(value, depth);
    return;
  }
  if (Array.isArray(value)) {
    let separator = "[";
    for (const item of value as readonly Json[]) {
      yield separator;
      yield* canonicalPieces(item, depth + 1);
      separator = ",";
    }
    yield value.length === 0 ? "[]" : "]";
    return;
  }
  const object = value as JsonObject;
  let separator = "{";
  for (const name of sortedNames(object)) {
    yield `${separator}${JSON.stringify(name)}:`;
    yield* canonicalPieces(object[name] as Json, depth + 1);
    separator = ",";
  }
  yield separator === "{" ? "{}" : "}";
}

/** Returns the SHA-256 of the text's UTF-8 bytes, in lower-case hex. */
export function sha256(text: string): string {
  return hash("sha256", text, "hex");
}
