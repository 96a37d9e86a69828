// Reads the answer of a seat: finds the value in the seat's output that the tally compares with other answers, or the
// reason for an abstention. Owns the JSON pointer, the normaliser and the bounds of values; tally.ts counts the values.
// Pure.

import {
  type BallotSpec,
  canonicalJson,
  isJsonObject,
  type Json,
  MAX_BALLOT_VALUE_BYTES,
  MAX_CANDIDATES,
  MAX_JSON_DEPTH,
  STRATEGY_RULES,
  sha256,
} from "../../protocol/index.ts";

/** The largest magnitude of a number. The sum of the squares of 64 such numbers is still finite. */
export const MAX_MAGNITUDE = 1e150;
/** The most findings in one answer of a `merge`. One task of a code review may report this many. */
export const MAX_FINDINGS = 1_000;
/** The longest candidate of a ranking, in UTF-16 code units. */
const MAX_CANDIDATE_LENGTH = 1_024;

/** A valid value, or the reason for an abstention. */
export type Reading =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly reason: string };

/** The fields of a ballot that decide how answers are read. */
export type AnswerSpec = Pick<
  BallotSpec,
  "candidates" | "key" | "normalise" | "pointer" | "seats" | "strategy" | "type"
>;

/** The most bytes of one seat's value as canonical JSON. */
export function valueBytesOf({ seats }: Pick<BallotSpec, "seats">): number {
  return Math.floor(MAX_BALLOT_VALUE_BYTES / seats);
}

/**
 * Reads the value from a seat's output: the value at the pointer, normalised, of the right type and size. Any other
 * output is an abstention. Null and a missing output are abstentions too: an agent without an answer sends them.
 */
export function readAnswer(output: unknown, spec: AnswerSpec): Reading {
  const found = lookUp(output, spec.pointer);
  if (found === undefined) {
    return abstain(spec.pointer === "" ? "no output" : `nothing at the pointer ${spec.pointer}`);
  }
  if (found === null) return abstain("answered null");
  const most = valueBytesOf(spec);
  let value: Json;
  try {
    value = new Normaliser(spec.normalise, most).read(found, 0);
  } catch (error) {
    if (error instanceof Unfit) return abstain(error.message);
    throw error;
  }
  const bytes = Buffer.byteLength(canonicalJson(value));
  if (bytes > most) return abstain(tooLarge(most));
  const reason = misfit(value, spec);
  return reason === undefined ? { ok: true, value } : abstain(reason);
}

/** The hash of a value, for comparing values and for signed votes: SHA-256 of the canonical JSON, in hex. */
export function hashValue(value: Json): string {
  const text = canonicalJson(value);
  if (text !== lastHash.text) lastHash = { text, hash: sha256(text) };
  return lastHash.hash;
}

/** The last value that was hashed: the end of a ballot hashes the value that won once for each seat. */
let lastHash: { readonly text: string; readonly hash: string } = { text: "null", hash: sha256("null") };

/**
 * The value at a JSON pointer (RFC 6901), or undefined. `-` names the element after the last, so it finds nothing. The
 * syntax of the pointer was checked when the ballot was parsed.
 */
export function lookUp(value: unknown, pointer: string): unknown {
  if (pointer === "") return value;
  let current = value;
  for (const token of pointer.slice(1).split("/")) {
    // ~1 before ~0, so that ~01 becomes ~1 (RFC 6901 §4).
    const name = token.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(current)) {
      if (!/^(?:0|[1-9]\d*)$/.test(name)) return undefined;
      current = current[Number(name)];
    } else if (isJsonObject(current) && Object.hasOwn(current, name)) {
      current = current[name];
    } else {
      return undefined;
    }
  }
  return current;
}

/** The candidates of a ranked ballot after normalising; undefined if the ballot lists none. */
export function candidatesOf({ candidates, normalise }: AnswerSpec): Json[] | undefined {
  const normaliser = new Normaliser(normalise, Number.POSITIVE_INFINITY);
  const byText = new Map<string, Json>();
  for (const candidate of candidates ?? []) {
    const value = normaliser.read(candidate, 0);
    byText.set(canonicalJson(value), value);
  }
  return candidates === undefined ? undefined : [...byText.values()];
}

/** The canonical text of the key of a finding; undefined if a part of the key is missing. */
export function keyOf(finding: Json, { key }: Pick<BallotSpec, "key">): string | undefined {
  if (key === undefined) return canonicalJson(finding);
  const parts = key.map((pointer) => lookUp(finding, pointer));
  return parts.includes(undefined) ? undefined : canonicalJson(parts as Json[]);
}

/** The reason why the ballot's strategy cannot count the value; undefined when it can. */
function misfit(value: Json, spec: AnswerSpec): string | undefined {
  const { counts } = STRATEGY_RULES[spec.strategy];
  const wanted = counts === "any" ? spec.type : counts;
  if (wanted !== undefined && typeOf(value) !== wanted)
    return `expected a value of type ${wanted}, got ${typeOf(value)}`;
  if (counts === "number" && Math.abs(value as number) > MAX_MAGNITUDE) {
    return `expected a number of at most ${MAX_MAGNITUDE} either side of zero`;
  }
  if (spec.strategy === "ranked") return misfitOfRanking(value as readonly Json[], spec);
  if (spec.strategy === "merge") return misfitOfFindings(value as readonly Json[], spec);
  return undefined;
}

function misfitOfRanking(ranking: readonly Json[], spec: AnswerSpec): string | undefined {
  if (ranking.length === 0 || ranking.length > MAX_CANDIDATES) {
    return `expected a ranking of 1 to ${MAX_CANDIDATES} candidates, got ${ranking.length}`;
  }
  const known = candidatesOf(spec)?.map((candidate) => canonicalJson(candidate));
  const seen = new Set<string>();
  for (const [index, candidate] of ranking.entries()) {
    if (typeof candidate === "object")
      return `expected candidates to be strings, numbers or booleans; number ${index + 1} is not`;
    const text = canonicalJson(candidate);
    if (text.length > MAX_CANDIDATE_LENGTH)
      return `candidate ${index + 1} is longer than ${MAX_CANDIDATE_LENGTH}`;
    if (seen.has(text)) return `candidate ${index + 1} is ranked twice`;
    if (known !== undefined && !known.includes(text))
      return `candidate ${index + 1} of the ranking is not a candidate of the ballot`;
    seen.add(text);
  }
  return undefined;
}

function misfitOfFindings(findings: readonly Json[], spec: AnswerSpec): string | undefined {
  if (findings.length > MAX_FINDINGS)
    return `expected at most ${MAX_FINDINGS} findings, got ${findings.length}`;
  const index = findings.findIndex((finding) => keyOf(finding, spec) === undefined);
  return index === -1
    ? undefined
    : `finding ${index + 1} lacks a part of its key (${(spec.key ?? []).join(", ")})`;
}

/** The error for a value that cannot be normalised; its message is the reason for the abstention. */
class Unfit extends Error {}

/** Copies a value as JSON with strings and numbers in normal form. It stops as soon as the value is too large. */
class Normaliser {
  readonly #rules: BallotSpec["normalise"];
  readonly #most: number;
  #characters = 0;

  constructor(rules: BallotSpec["normalise"], mostBytes: number) {
    this.#rules = rules;
    this.#most = mostBytes;
  }

  read(value: unknown, depth: number): Json {
    this.#take(1);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") return this.#readString(value);
    if (typeof value === "number") return this.#readNumber(value);
    if (depth >= MAX_JSON_DEPTH) throw new Unfit(`expected nesting of at most ${MAX_JSON_DEPTH} levels`);
    if (Array.isArray(value)) return Array.from(value, (item) => this.read(item, depth + 1));
    if (!isPlainObject(value)) throw new Unfit(`expected a JSON value, got ${nameOf(value)}`);
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => {
        this.#take(name.length);
        checkText(name);
        return [name, this.read(item, depth + 1)];
      }),
    );
  }

  #readString(text: string): string {
    this.#take(text.length);
    checkText(text);
    const cut = this.#rules?.trim === true ? text.trim() : text;
    return this.#rules?.ignoreCase === true ? cut.toLowerCase() : cut;
  }

  #readNumber(number: number): number {
    if (!Number.isFinite(number)) throw new Unfit(`expected a finite number, got ${number}`);
    const tolerance = this.#rules?.tolerance;
    if (tolerance === undefined) return number === 0 ? 0 : number; // Minus zero becomes zero.
    const steps = Math.round(number / tolerance);
    // A double has about 15 significant digits, so a number with more steps cannot be rounded to one of them.
    if (Math.abs(steps) >= 1e15) return number;
    return steps === 0 ? 0 : Number((steps * tolerance).toPrecision(15));
  }

  /**
   * Counts at least one byte for each character, and throws {@link Unfit} early, so that a huge value is not copied
   * whole.
   */
  #take(characters: number): void {
    this.#characters += characters;
    if (this.#characters > this.#most) throw new Unfit(tooLarge(this.#most));
  }
}

/** Rejects half a surrogate pair: it has no canonical form (RFC 8785 §3.2.2.2). */
function checkText(text: string): void {
  if (!text.isWellFormed()) throw new Unfit("expected well-formed Unicode, got half a surrogate pair");
}

function tooLarge(bytes: number): string {
  return `the value is larger than ${bytes} bytes; set a pointer to the part that is compared`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function nameOf(value: unknown): string {
  return typeof value === "object" ? (value?.constructor?.name ?? "an object") : typeof value;
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function abstain(reason: string): Reading {
  return { ok: false, reason };
}
