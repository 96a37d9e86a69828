// What a seat has said: the value in its output that is compared with the others', or why it abstains. Owns the JSON
// pointer, the normaliser and the bounds of values; how values are counted is tally.ts.

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

/** The largest number that counts, either sign: the squares of 64 of them still add up to a finite number. */
export const MAX_MAGNITUDE = 1e150;
/** The most findings in one answer of a `merge`: as many as one task of a review may report. */
export const MAX_FINDINGS = 1_000;
/** The longest candidate of a ranking, in UTF-16 code units. */
const MAX_CANDIDATE_LENGTH = 1_024;

/** A value that counts, or the reason of an abstention. */
export type Reading =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly reason: string };

/** What of a ballot says how answers are read. */
export type AnswerSpec = Pick<
  BallotSpec,
  "candidates" | "key" | "normalise" | "pointer" | "seats" | "strategy" | "type"
>;

/** Canonical bytes that one seat's value may have. */
export function valueBytesOf({ seats }: Pick<BallotSpec, "seats">): number {
  return Math.floor(MAX_BALLOT_VALUE_BYTES / seats);
}

/**
 * Reads the value that counts out of a seat's output: found by the pointer, normalised, of the right type and size.
 * Everything else is an abstention; so are null and a missing output, by which an agent says that it has no answer.
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

/** The hash by which values are compared and that a vote signs: SHA-256 of the canonical JSON, in hex. */
export function hashValue(value: Json): string {
  return sha256(canonicalJson(value));
}

/**
 * What stands at a JSON pointer (RFC 6901), or undefined. `-` names the element after the last, so it finds nothing.
 * The pointer's syntax was checked with the ballot.
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

/** What may be ranked, as rankings spell it after normalising; undefined when the ballot does not say. */
export function candidatesOf({ candidates, normalise }: AnswerSpec): Json[] | undefined {
  const normaliser = new Normaliser(normalise, Number.POSITIVE_INFINITY);
  const byText = new Map<string, Json>();
  for (const candidate of candidates ?? []) {
    const value = normaliser.read(candidate, 0);
    byText.set(canonicalJson(value), value);
  }
  return candidates === undefined ? undefined : [...byText.values()];
}

/** The canonical text of a finding's key; undefined when a part of the key is missing. */
export function keyOf(finding: Json, { key }: Pick<BallotSpec, "key">): string | undefined {
  if (key === undefined) return canonicalJson(finding);
  const parts = key.map((pointer) => lookUp(finding, pointer));
  return parts.includes(undefined) ? undefined : canonicalJson(parts as Json[]);
}

/** Why the value cannot be counted by the ballot's strategy. */
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
      return `candidate ${index + 1} of the ranking is none of the ballot's`;
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

/** Why a value is none. */
class Unfit extends Error {}

/** Copies a value as JSON, every string and number brought to one spelling; stops as soon as it is too large. */
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
    if (tolerance === undefined) return number === 0 ? 0 : number; // minus zero is zero
    const steps = Math.round(number / tolerance);
    // A double holds about 15 digits: beyond them there is nothing to round.
    if (Math.abs(steps) >= 1e15) return number;
    return steps === 0 ? 0 : Number((steps * tolerance).toPrecision(15));
  }

  /** Counts what the value costs at least, one byte for each character, so that a huge one is not copied whole. */
  #take(characters: number): void {
    this.#characters += characters;
    if (this.#characters > this.#most) throw new Unfit(tooLarge(this.#most));
  }
}

/** RFC 8785 §3.2.2.2: half a surrogate pair has no canonical form. */
function checkText(text: string): void {
  if (!text.isWellFormed()) throw new Unfit("expected well-formed Unicode, got half a surrogate pair");
}

function tooLarge(bytes: number): string {
  return `the value is larger than ${bytes} bytes; put what is compared behind a pointer`;
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
